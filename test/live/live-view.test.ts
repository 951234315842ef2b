import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { buildPage } from "../../scripts/build-page.mjs";
import { type LiveView, startLiveView } from "../../src/live/start-live-view.js";
import { createRunWriter } from "../../src/store/run/run-writer.js";
import { snapshotPath } from "../../src/store/run/snapshot-schema.js";
import { sampleDescription, sampleSnapshot, temporaryFolder, writeSampleRun } from "../store/sample-run.js";
import { ask, statesUntil } from "./events.js";

const open: LiveView[] = [];

beforeAll(async () => {
  await buildPage();
});
afterEach(async () => {
  for (const view of open.splice(0)) await view.close();
});

async function view(directory: string, options: Parameters<typeof startLiveView>[1] = {}): Promise<LiveView> {
  const started = await startLiveView(directory, { interval: 20, ...options });
  open.push(started);
  return started;
}

describe("the live server", () => {
  test("answers the page under its own address only, to GET only, with a policy that lets nothing else in", async () => {
    const directory = await temporaryFolder();
    await writeSampleRun(directory, 3, 4);
    const { url } = await view(directory);
    const port = new URL(url).port;
    expect(url).toBe(`http://127.0.0.1:${port}/`);
    const page = await ask(url);
    expect([page.status, page.headers["content-type"]]).toEqual([200, "text/html; charset=utf-8"]);
    expect(page.headers["content-security-policy"]).toMatch(
      /^default-src 'none'; script-src 'sha256-[^']+'; /,
    );
    expect(page.headers["access-control-allow-origin"]).toBe(undefined);
    expect(page.text).not.toMatch(/(src|href)="(?!data:)/);
    expect((await ask(url, { host: `localhost:${port}` })).status).toBe(200);
    for (const host of [
      "evil.example",
      `evil.example:${port}`,
      "127.0.0.1",
      `127.0.0.1:${Number(port) + 1}`,
    ]) {
      for (const path of ["", "events"]) {
        const refused = await ask(`${url}${path}`, { host });
        expect([host, refused.status >= 400]).toEqual([host, true]);
        expect(refused.text).not.toContain("data:");
      }
    }
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
      expect((await ask(url, {}, method)).status).toBe(405);
    }
    for (const path of ["../run.json", "run.json", "events/", "favicon.ico", "?x"]) {
      expect((await ask(`${url}${path}`)).status).toBe(404);
    }
  });

  test("listens on 127.0.0.1 and nowhere else", async (context) => {
    const directory = await temporaryFolder();
    await writeSampleRun(directory, 1, 4);
    const { url } = await view(directory);
    const port = Number(new URL(url).port);
    const others = Object.values(networkInterfaces())
      .flat()
      .filter((face) => face !== undefined && !face.internal && face.family === "IPv4")
      .map((face) => face?.address as string);
    for (const address of [...others, "127.0.0.2"]) {
      await expect(ask(`http://${address}:${port}/`)).rejects.toThrow("ECONNREFUSED");
    }
    if (others.length === 0) context.annotate("no other interface to try");
  });

  test("a port in use, and a folder that is no run, are errors", async () => {
    const directory = await temporaryFolder();
    await writeSampleRun(directory, 1, 4);
    const blocker = createServer();
    const port = await new Promise<number>((resolve) => {
      blocker.listen(0, "127.0.0.1", () => resolve((blocker.address() as { port: number }).port));
    });
    await expect(startLiveView(directory, { port })).rejects.toThrow(
      `port ${port}: expected a free port of this machine, got one that is in use`,
    );
    blocker.close();
    await expect(startLiveView(await temporaryFolder())).rejects.toThrow("run.json");
  });
});

describe("the live view", () => {
  test("grows with each snapshot, and says when the writer is done", async () => {
    const directory = await temporaryFolder();
    const writer = await createRunWriter(
      directory,
      sampleDescription(4, { name: "grows", fit: { epochs: 5 } }),
    );
    const { url } = await view(directory);
    const first = await statesUntil(url, () => true);
    expect(first[0]).toMatchObject({
      name: "grows",
      status: "recording",
      epochs: 5,
      snapshots: 0,
      plane: null,
    });
    for (let step = 0; step < 6; step++) {
      await writer.writeSnapshot(sampleSnapshot(step, 4));
      const states = await statesUntil(url, ({ plane, snapshots }) =>
        step < 2 ? snapshots === step + 1 : plane?.steps.length === step + 1,
      );
      const last = states[states.length - 1];
      expect(last?.points.map(({ epoch }) => epoch)).toEqual(Array.from({ length: step + 1 }, (_, i) => i));
      if (step >= 2) {
        // Snapshots lie on a line, 20 apart: θ_i = 10·step + i in 4 dimensions.
        expect(last?.plane?.alpha).toEqual(
          Array.from({ length: step + 1 }, (_, i) => expect.closeTo(20 * i, 6)),
        );
      }
    }
    await writer.close();
    const [end] = (await statesUntil(url, ({ status }) => status === "idle")).slice(-1);
    expect(end?.points.at(-1)?.logs).toEqual([
      ["loss", 0.2],
      ["acc", 0.5],
    ]);
  });

  test("a run that is replaced begins anew", async () => {
    const directory = await temporaryFolder();
    await writeSampleRun(directory, 4, 4, { name: "old" });
    const { url } = await view(directory);
    await statesUntil(url, ({ plane }) => plane !== null);
    const description = sampleDescription(7, { name: "new", createdAt: "2026-02-02T00:00:00.000Z" });
    const writer = await createRunWriter(directory, description, { overwrite: true });
    await writer.writeSnapshot(sampleSnapshot(0, 7));
    const states = await statesUntil(url, ({ name, snapshots }) => name === "new" && snapshots === 1);
    expect(states.at(-1)).toMatchObject({ plane: null, notes: [] });
    await writer.close();
  });

  test("a run that goes on with another loss says from where on", async () => {
    const directory = await temporaryFolder();
    await writeSampleRun(directory, 3, 4);
    const { url } = await view(directory);
    const before = await statesUntil(url, ({ snapshots }) => snapshots === 3);
    expect(before.at(-1)?.lossChanges).toEqual([]);
    const writer = await createRunWriter(directory, sampleDescription(4, { loss: "hinge" }), {
      resume: true,
    });
    await writer.writeSnapshot(sampleSnapshot(3, 4));
    await writer.close();
    const states = await statesUntil(
      url,
      ({ snapshots, lossChanges }) => snapshots === 4 && lossChanges.length > 0,
    );
    expect(states.at(-1)?.lossChanges).toEqual([3]);
  });

  test("snapshots without finite weights are left out of the plane with a note; logs may hold anything", async () => {
    const directory = await temporaryFolder();
    const writer = await createRunWriter(directory, sampleDescription(2));
    for (let step = 0; step < 5; step++) {
      const theta = step === 3 ? Float32Array.of(Number.NaN, 0) : Float32Array.of(step, step * step);
      await writer.writeSnapshot({ ...sampleSnapshot(step, 2), theta, logs: { loss: Number.NaN } });
    }
    await writer.close();
    const { url } = await view(directory);
    const last = (await statesUntil(url, ({ plane }) => plane?.steps.includes(4) === true)).at(-1);
    expect(last?.plane?.steps).toEqual([0, 1, 2, 4]);
    expect(last?.notes).toEqual(["1 snapshot is not on the plane: weights that are not finite."]);
    expect(last?.points[1]?.logs).toEqual([["loss", "NaN"]]);
  });

  test("a damaged file becomes a note, and what came before stays", async () => {
    const directory = await temporaryFolder();
    await writeSampleRun(directory, 3, 4);
    const { url } = await view(directory);
    await statesUntil(url, ({ plane }) => plane !== null);
    writeFileSync(snapshotPath(directory, 3), "no snapshot");
    const last = (await statesUntil(url, ({ notes }) => notes.length > 0)).at(-1);
    expect(last?.notes[0]).toContain("000003.arrow");
    expect(last?.plane?.steps).toEqual([0, 1, 2]);
  });
});
