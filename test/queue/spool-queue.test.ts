import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { createLossEvaluator } from "../../src/loss/create-loss-evaluator.js";
import { readWeights } from "../../src/model/bound-weights.js";
import { layoutOfModel } from "../../src/model/layout-of-model.js";
import { createQueueRunner, type QueueRunner } from "../../src/queue/queue-runner.js";
import { createObserver, isBeating, OLD_SECONDS } from "../../src/queue/spool-folder.js";
import { openSpoolQueue } from "../../src/queue/spool-queue.js";
import { openSpoolSource } from "../../src/queue/spool-source.js";
import { type Tile, UnreadableTile } from "../../src/queue/tile-queue.js";
import { evaluateSurface } from "../../src/surface/evaluate-surface.js";
import { bitsOf } from "../store/sample-run.js";
import { useTestBackend } from "../support/backend.js";
import { temporaryFolders, tinyData, tinyModel } from "../support/tiny-training.js";
import { startWorker, type WorkerProcess } from "./redis-server.js";

const newFolder = temporaryFolders();
const TIMEOUT = 240_000;
const SUBMISSION = "0123456789abcdef";
const tile: Tile = {
  submission: SUBMISSION,
  jobSet: { digest: "a".repeat(64), bytes: 1 },
  tasks: [{ operation: "double", input: 21 }],
};
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A submitter's end with one line, and what it heard. */
async function submitter(place = { spool: newFolder(), queue: "q" }) {
  const queue = await openSpoolQueue(place);
  const heard: string[] = [];
  const line = await queue.openLine(SUBMISSION, undefined, {
    done: (id, answer) => void heard.push(`${id} ${answer}`),
    failed: (id, reason) => void heard.push(`${id} failed: ${reason}`),
  });
  await queue.sayAlive(SUBMISSION);
  ends.push(() => line.close());
  return { place, queue, line, heard, folder: join(place.spool, "q") };
}

async function worker(place: { spool: string; queue: string }, id: string, lockSeconds = 1) {
  const source = await openSpoolSource(place, id, lockSeconds);
  ends.push(() => source.close());
  return source;
}

describe("leases in a folder", () => {
  test("coarse tiles go first, each to one worker; nothing stays behind", { timeout: TIMEOUT }, async () => {
    const { place, line, heard, folder } = await submitter();
    const order: number[] = [];
    for (const priority of [3, 0, 2, 1]) await line.add(`${SUBMISSION}-${priority}`, tile, priority);
    for (const id of ["a", "b", "c"]) {
      const source = await worker(place, id);
      await source.pull([undefined], 1, async (data, starts) => {
        order.push(Number((data as Tile).tasks[0]?.input) * starts);
        await new Promise((resolve) => setTimeout(resolve, 20));
        return id;
      });
    }
    await expect.poll(() => heard.length, { timeout: 60_000 }).toBe(4);
    expect(order).toEqual([21, 21, 21, 21]);
    expect(heard.map((text) => text.split(" ")[0]?.slice(-1)).sort()).toEqual(["0", "1", "2", "3"]);
    const [name = ""] = readdirSync(folder).filter((one) => one.startsWith("tiles-"));
    const left = () =>
      ["tiles", "leases", "answers"].flatMap((part) => readdirSync(join(folder, name, SUBMISSION, part)));
    await expect.poll(left, { timeout: 60_000 }).toEqual([]);
    await line.close();
    expect(readdirSync(join(folder, name))).toEqual([]);
  });

  test("one worker takes them in the order of their priorities", { timeout: TIMEOUT }, async () => {
    const { place, line, heard } = await submitter();
    for (const [input, priority] of [5, 11, 0, 5, 2].entries()) {
      const own = { ...tile, tasks: [{ operation: "double", input }] };
      await line.add(`${SUBMISSION}-${input}`, own, priority);
    }
    const order: unknown[] = [];
    const source = await worker(place, "a");
    await source.pull([undefined], 1, async (data) => {
      order.push((data as Tile).tasks[0]?.input);
      return "done";
    });
    await expect.poll(() => heard.length, { timeout: 60_000 }).toBe(5);
    expect(order).toEqual([2, 4, 0, 3, 1]);
  });

  test("the lease of one that no longer beats goes to another, once; the dead one's answer does no harm", {
    timeout: TIMEOUT,
  }, async () => {
    const { place, line, heard, folder } = await submitter();
    await line.add(`${SUBMISSION}-0`, tile, 0);
    const [name = ""] = readdirSync(folder).filter((one) => one.startsWith("tiles-"));
    const lease = join(folder, name, SUBMISSION, "leases", `00.${SUBMISSION}-0.0`);
    // As it is after kill -9: nobody writes it again.
    const dead = { worker: "dead", seconds: 1, beat: 7, failures: 0, state: "held" };
    writeFileSync(lease, JSON.stringify(dead));
    const starts: number[] = [];
    for (const id of ["a", "b"]) {
      await (await worker(place, id)).pull([undefined], 1, async (_data, start) => {
        starts.push(start);
        return id;
      });
    }
    await expect.poll(() => heard.length, { timeout: 60_000 }).toBe(1);
    expect(starts).toEqual([2]);
    // It was only frozen, and answers now.
    await expect(line.look(`${SUBMISSION}-0`)).resolves.toBe(false);
    writeFileSync(join(folder, name, SUBMISSION, "answers", `00.${SUBMISSION}-0`), '{"answer":"late"}');
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(new Set(heard.map((text) => text.split(" ")[0])).size).toBe(1);
  });

  test("a living worker keeps its lease for as long as it takes", { timeout: TIMEOUT }, async () => {
    const { place, line, heard } = await submitter();
    await line.add(`${SUBMISSION}-0`, tile, 0);
    const begun: string[] = [];
    for (const id of ["a", "b"]) {
      await (await worker(place, id, 2)).pull([undefined], 1, async () => {
        begun.push(id);
        await new Promise((resolve) => setTimeout(resolve, 6000));
        return id;
      });
    }
    await expect.poll(() => heard.length, { timeout: 60_000 }).toBe(1);
    expect(begun.length).toBe(1);
  });

  test("what fails three times is reported, what is no tile at once; the others go on", {
    timeout: TIMEOUT,
  }, async () => {
    const { place, line, heard, folder } = await submitter();
    for (const [number, operation] of ["poison", "hostile", "good"].entries()) {
      const own = { ...tile, tasks: [{ operation, input: null }] };
      await line.add(`${SUBMISSION}-${number}`, own, 0);
    }
    const [name = ""] = readdirSync(folder).filter((one) => one.startsWith("tiles-"));
    const tries: string[] = [];
    await (await worker(place, "a", 5)).pull([undefined], 2, async (data) => {
      const operation = (data as Tile | null)?.tasks[0]?.operation ?? "none";
      tries.push(operation);
      if (operation === "poison") throw new Error("it burns");
      if (operation === "hostile") throw new UnreadableTile("no tile");
      return "fine";
    });
    await expect.poll(() => heard.length, { timeout: 60_000 }).toBe(3);
    expect(tries.filter((one) => one === "poison").length).toBe(3);
    expect(tries.filter((one) => one === "hostile").length).toBe(1);
    expect([...heard].sort()).toEqual([
      `${SUBMISSION}-0 failed: it burns`,
      `${SUBMISSION}-1 failed: no tile`,
      `${SUBMISSION}-2 fine`,
    ]);
    // Neither names that are none nor a broken lease stop anybody.
    const own = join(folder, name, SUBMISSION);
    for (const stray of ["../x", "00.zz", ".hidden"].map((one) => one.replace("/", "_")))
      writeFileSync(join(own, "tiles", stray), "{}");
    writeFileSync(join(own, "answers", `00.${SUBMISSION}-9`), "not JSON");
    await expect.poll(() => heard.at(-1), { timeout: 60_000 }).toBe(`${SUBMISSION}-9 null`);
    await line.add(`${SUBMISSION}-10`, { ...tile, tasks: [] }, 0);
    await expect.poll(() => heard.at(-1), { timeout: 60_000 }).toBe(`${SUBMISSION}-10 fine`);
  });

  test("a submission that nobody waits for gets nothing; queues of two names share nothing", {
    timeout: TIMEOUT,
  }, async () => {
    const { place, line, queue, heard } = await submitter();
    await queue.sayOver(SUBMISSION);
    await line.add(`${SUBMISSION}-0`, tile, 0);
    let done = 0;
    for (const name of ["q", "other"]) {
      const source = await worker({ ...place, queue: name }, name);
      await source.sayPresent({ host: name, pid: 1, processes: 3, kind: "k", version: "1" });
      await source.pull([undefined], 1, async () => String(++done));
    }
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect([done, heard]).toEqual([0, []]);
    expect((await queue.workers()).map(({ host }) => host)).toEqual(["q"]);
    await queue.sayAlive(SUBMISSION);
    await expect.poll(() => heard, { timeout: 60_000 }).toEqual([`${SUBMISSION}-0 1`]);
  });

  test("who beats lives, whatever its clock says; what looks old when it is first seen has to change", async () => {
    const file = join(newFolder(), "alive");
    mkdirSync(join(file, ".."), { recursive: true });
    const beat = (text: string, secondsAgo: number): void => {
      writeFileSync(file, text);
      const then = Date.now() / 1000 - secondsAgo;
      utimesSync(file, then, then);
    };
    const observer = createObserver();
    beat("1", 3600);
    expect(await isBeating(file, observer)).toBe(false);
    expect(await isBeating(file, observer)).toBe(false);
    beat("2", 3600);
    expect(await isBeating(file, observer)).toBe(true);
    beat("3", -3600);
    expect(await isBeating(file, createObserver())).toBe(true);
  });

  test("what nobody asks for any more is forgotten", () => {
    const clock = vi.spyOn(performance, "now").mockReturnValue(0);
    const observer = createObserver();
    observer.unchanged("gone", "text");
    observer.unchanged("asked", "text");
    clock.mockReturnValue(1500 * OLD_SECONDS);
    expect(observer.unchanged("asked", "text")).toBe(1.5 * OLD_SECONDS);
    clock.mockReturnValue(3000 * OLD_SECONDS);
    observer.prune();
    expect([observer.isNew("gone"), observer.isNew("asked")]).toEqual([true, false]);
    clock.mockRestore();
  });

  test("an answer that cannot be read for a moment is taken when it can", { timeout: TIMEOUT }, async () => {
    const { line, heard, folder } = await submitter();
    await line.add(`${SUBMISSION}-0`, tile, 0);
    const [name = ""] = readdirSync(folder).filter((one) => one.startsWith("tiles-"));
    const answer = join(folder, name, SUBMISSION, "answers", `00.${SUBMISSION}-0`);
    // A link to itself: reading it is an error of the file system.
    symlinkSync(answer, answer);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(heard).toEqual([]);
    rmSync(answer);
    writeFileSync(answer, '{"answer":"fine"}');
    await expect.poll(() => heard, { timeout: 60_000 }).toEqual([`${SUBMISSION}-0 fine`]);
  });

  test("a folder that cannot be is named", async () => {
    const file = join(newFolder(), "file");
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, "");
    await expect(openSpoolQueue({ spool: file, queue: "q" })).rejects.toThrow(
      /^spool .*: expected a folder that all machines see, got/,
    );
    for (const [place, message] of [
      [{}, /^queue: expected one of redis \(a server\) and spool \(a folder\), got none/],
      [{ redis: "redis://h", spool: "x", store: "y" }, /got both/],
      [{ spool: "x", queue: ".." }, /^queue: expected a name/],
      [{ spool: "x", queue: "store" }, /another name/],
      [{ redis: "redis://h" }, /^store: expected a folder that all machines see, or s3:/],
    ] as const)
      await expect(createQueueRunner(place)).rejects.toThrow(message);
  });
});

describe("workers of a folder", () => {
  const axis = (points: number, from: number) =>
    Float64Array.from({ length: points }, (_, i) => (i - from) / 3);
  const grid = { alpha: axis(13, 5), beta: axis(11, 4) };
  const OPTIONS = { engine: "tfjs", batchSize: 5 } as const;
  let model: tf.Sequential;
  let data: ReturnType<typeof tinyData>;
  beforeAll(async () => {
    await useTestBackend();
    model = tinyModel();
    data = tinyData();
  });
  afterAll(() => {
    model.dispose();
    tf.dispose(data);
  });

  test("a surface while workers are killed and frozen: complete, and the bits of this process", {
    timeout: TIMEOUT,
  }, async () => {
    const spool = newFolder();
    const start = () => startWorker("", "", { options: { spool } });
    const workers: WorkerProcess[] = [await start(), await start()];
    const layout = layoutOfModel(model);
    const center = await readWeights(model, layout);
    const vectors = [1, 2].map((k) =>
      Float32Array.from(center, (_, i) => (i < layout.trainableCount ? Math.sin(k * i + k) : 0)),
    );
    const plane = { center, vectors };
    const bits = ({ loss, center: { loss: own } }: Awaited<ReturnType<typeof evaluateSurface>>) => [
      bitsOf(loss),
      own,
    ];
    const local = await createLossEvaluator(model, data, OPTIONS);
    const expected = bits(await evaluateSurface(local, plane, grid));
    local.dispose();
    const runner: QueueRunner = await createQueueRunner({ spool, tileSeconds: 0.001 });
    ends.push(() => runner.dispose());
    expect(runner.processes).toBe(2);
    const evaluator = await createLossEvaluator(model, data, { ...OPTIONS, runner });
    ends.push(() => evaluator.dispose());
    let points = 0;
    const events: Promise<unknown>[] = [];
    const surface = await evaluateSurface(evaluator, plane, grid, {
      onPoint: () => {
        points++;
        if (points === 20) events.push((workers.shift() as WorkerProcess).kill());
        if (points === 40) events.push(start().then((one) => workers.push(one)));
        if (points === 60) workers[0]?.signal("SIGSTOP");
        if (points === 90) workers[0]?.signal("SIGCONT");
      },
    }).finally(() => workers[0]?.signal("SIGCONT"));
    await Promise.all(events);
    expect(points).toBe(grid.alpha.length * grid.beta.length);
    expect(bits(surface)).toEqual(expected);
    for (const one of workers) {
      await one.kill("SIGTERM");
      expect(one.said()).not.toMatch(/error/i);
    }
    // Those who end in order take their names away.
    const left = readdirSync(join(spool, "tfjs-landscape", "workers"));
    expect(left.length).toBe(1);
    expect(
      JSON.parse(readFileSync(join(spool, "tfjs-landscape", "workers", left[0] as string), "utf8")),
    ).toHaveProperty("version");
  });
});
