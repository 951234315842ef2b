import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { FormatError, LandscapeError, RunStateError } from "../../src/base/errors.js";
import { readDirections } from "../../src/store/kinds/directions-file.js";
import { curvePointTiles } from "../../src/store/kinds/surface-journal.js";
import { readArtifact, readArtifactFacts, writeArtifact } from "../../src/store/results/artifact.js";
import { openTileJournal, readInterrupted } from "../../src/store/results/tile-journal.js";
import { openRun } from "../../src/store/run/open-run.js";
import { isRunInUse, lockRun } from "../../src/store/run/run-lock.js";
import { createRunWriter } from "../../src/store/run/run-writer.js";
import { snapshotPath } from "../../src/store/run/snapshot-schema.js";
import { sampleDescription, sampleProvenance, temporaryFolder, writeSampleRun } from "./sample-run.js";

const isWindows = process.platform === "win32";
const pipe = (file: string) => execFileSync("mkfifo", [file]);

async function errorOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => null,
    (error: unknown) => error,
  );
}

describe.skipIf(isWindows)("pipes and devices in the place of files are refused at once", () => {
  const places: [string, (directory: string) => string, (directory: string) => Promise<unknown>][] = [
    ["run.json", (d) => join(d, "run.json"), openRun],
    ["a snapshot", (d) => snapshotPath(d, 1), openRun],
    [
      "a result",
      (d) => join(d, "surfaces", "pca.arrow"),
      (d) => readArtifact(join(d, "surfaces", "pca.arrow")),
    ],
    ["the lock of a writer", (d) => join(d, ".writer.lock"), lockRun],
    ["the lock of a reader", (d) => join(d, ".writer.lock"), isRunInUse],
    [
      "a snapshot that was a file when the run was opened",
      () => "",
      async (d) => {
        const run = await openRun(d);
        await rm(snapshotPath(d, 1));
        pipe(snapshotPath(d, 1));
        return run.readTheta(1);
      },
    ],
  ];
  test.each(places)("%s: a pipe", async (_what, place, use) => {
    const directory = await temporaryFolder();
    await writeSampleRun(directory, 3, 4);
    const file = place(directory);
    await mkdir(join(directory, "surfaces"));
    if (file !== "") {
      await rm(file, { force: true });
      pipe(file);
    }
    const error = await errorOf(use(directory));
    expect(error).toBeInstanceOf(FormatError);
    expect(String(error)).toContain("expected a file that can be read, got no regular file");
  });

  test("a device behind a link", async () => {
    const directory = await temporaryFolder();
    await symlink("/dev/zero", join(directory, "run.json"));
    await expect(openRun(directory)).rejects.toThrow(
      /run.json: expected a file that can be read, got no regular/,
    );
  });
});

describe("files that change after the run was opened", () => {
  const cases: [string, (directory: string) => Promise<unknown>, RegExp][] = [
    ["a snapshot is removed", (d) => rm(snapshotPath(d, 1)), /no such file \(ENOENT\)/],
    ["the folder is removed", (d) => rm(d, { recursive: true }), /no such file \(ENOENT\)/],
    [
      "a snapshot becomes a folder",
      async (d) => {
        await rm(snapshotPath(d, 1));
        await mkdir(snapshotPath(d, 1));
      },
      /got a folder/,
    ],
    [
      "the folder becomes a file",
      async (d) => {
        await rename(join(d, "snapshots"), join(d, "away"));
        await writeFile(join(d, "snapshots"), "");
      },
      /a path of which a part is a file \(ENOTDIR\)/,
    ],
    [
      "a snapshot becomes a link to itself",
      async (d) => {
        await rm(snapshotPath(d, 1));
        await symlink(snapshotPath(d, 1), snapshotPath(d, 1));
      },
      /links that lead in a circle \(ELOOP\)/,
    ],
  ];
  test.skipIf(isWindows).each(cases)("%s", async (_what, change, message) => {
    const directory = await temporaryFolder();
    await writeSampleRun(directory, 3, 4);
    const run = await openRun(directory);
    await change(directory);
    for (const read of [run.readTheta(1), run.readThetaInto(1, 0, new Float32Array(2))]) {
      const error = await errorOf(read);
      expect(error).toBeInstanceOf(FormatError);
      expect(String(error)).toMatch(message);
    }
    await run.close();
  });

  test("names too long are ours to refuse, for readers and writers", async () => {
    const long = join(await temporaryFolder(), "x".repeat(300));
    expect(await errorOf(openRun(long))).toBeInstanceOf(LandscapeError);
    expect(await errorOf(createRunWriter(long, sampleDescription(4)))).toBeInstanceOf(RunStateError);
  });
});

describe("run.json", () => {
  test.each([
    ["arrays", "[".repeat(100_000) + "]".repeat(100_000)],
    ["objects", `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`],
  ])("nested 100,000 deep (%s) is refused", async (_what, deep) => {
    const directory = await temporaryFolder();
    await writeSampleRun(directory, 1, 4);
    const file = join(directory, "run.json");
    const manifest = JSON.parse(await readFile(file, "utf8")) as Record<string, unknown>;
    await writeFile(file, JSON.stringify({ ...manifest, model: "HERE" }).replace('"HERE"', deep));
    const error = await errorOf(openRun(directory));
    expect(error).toBeInstanceOf(FormatError);
    expect(String(error)).toContain("run.json: expected JSON of at most 256 levels, got deeper nesting");
  });

  test("brackets inside a text do not count", async () => {
    const directory = await temporaryFolder();
    const name = `${'["\\'.repeat(1000)}`;
    await writeSampleRun(directory, 1, 4, { name });
    expect((await openRun(directory)).manifest.name).toBe(name);
  });
});

describe("locks", () => {
  const lockOf = (directory: string) => join(directory, ".writer.lock");

  test.skipIf(process.platform !== "linux")(
    "of a process whose number another one has now is void",
    async () => {
      const directory = await temporaryFolder();
      // Process 1 lives, and did not begin then.
      const stale = { pid: 1, host: hostname(), started: "another boot 7" };
      await writeFile(lockOf(directory), JSON.stringify(stale));
      expect(await isRunInUse(directory)).toBe(false);
      const lock = await lockRun(directory);
      const own = JSON.parse(await readFile(lockOf(directory), "utf8")) as { started: string };
      expect(own.started).toMatch(/^[0-9a-f-]{36} \d+$/);
      await lock.release();
    },
  );

  test("of a living process holds, also where it does not say when it began", async () => {
    const directory = await temporaryFolder();
    await writeFile(lockOf(directory), JSON.stringify({ pid: 1, host: hostname() }));
    expect(await isRunInUse(directory)).toBe(true);
    await expect(lockRun(directory)).rejects.toThrow(/one in use by process 1/);
  });
});

describe("what killed processes leave in folders of results", () => {
  const columns = { x: { values: Float64Array.of(1, 2) } };
  const artifact = { columns, details: {}, provenance: sampleProvenance() };
  const dead = 2 ** 22 + 1;
  const host = createHash("sha256").update(hostname()).digest("hex").slice(0, 8);

  test("is removed at the next write; what living processes and other machines write stays", async () => {
    const folder = await temporaryFolder();
    const stale = [`.a.arrow.${host}-${dead}-0.tmp`, `.a.arrow.${dead}-3.tmp`];
    const kept = [`.b.arrow.${host}-1-0.tmp`, `.c.arrow.00000000-${dead}-0.tmp`, ".notes.tmp"];
    for (const name of [...stale, ...kept]) await writeFile(join(folder, name), "half");
    await writeArtifact(join(folder, "a.arrow"), artifact);
    expect((await readdir(folder)).sort()).toEqual([...kept, "a.arrow"].sort());
  });

  test("a tile that was cut off says how to go on without it", async () => {
    const file = join(await temporaryFolder(), "pca.arrow");
    const codec = { columnsOf: () => columns, pointsOf: () => [] };
    const engines = [{ name: "tfjs", backend: "wasm", batchSize: 8, threads: 1 }];
    const facts = { provenance: sampleProvenance(), engines };
    const journal = await openTileJournal<number>(file, facts as never, [], codec as never);
    await journal.add(1);
    await journal.flush();
    const folder = join(file, "..", ".pca.arrow.tiles");
    const tile = join(folder, (await readdir(folder))[0] as string);
    await writeFile(tile, (await readFile(tile)).subarray(0, -20));
    const reading = readInterrupted(file, codec as never);
    await expect(reading).rejects.toThrow(FormatError);
    await expect(reading).rejects.toThrow(/--no-resume/);
  });
});

describe("results whose digests are right and whose content is none of ours", () => {
  const provenance = sampleProvenance();
  const text = (...values: string[]) => ({ values });
  const int32 = (...values: number[]) => ({ values: Int32Array.from(values) });
  const float64 = (...values: number[]) => ({ values: Float64Array.from(values) });
  const details = { kind: "pca", warnings: [] };
  const vector = { values: new Float32Array(0), width: 3 };
  const engines = [{ name: "tfjs", backend: "wasm", batchSize: 8, threads: 1 }];
  const point = {
    curve: int32(0),
    index: int32(4),
    loss: float64(1),
    "metric:clippedShare": float64(0),
    "metric:cappedShare": float64(0),
    "metric:hasCapped": float64(0),
    "metric:undefined": text("[]"),
  };
  const tile = { engines, metrics: [] };

  test("directions without a row", async () => {
    const file = join(await temporaryFolder(), "d.arrow");
    await writeArtifact(file, { columns: { label: { values: [] }, vector }, details, provenance });
    await expect(readDirections(file)).rejects.toThrow(/expected a row for the centre, got no rows/);
  });

  test.each<[string, Parameters<typeof writeArtifact>[1]["columns"], RegExp]>([
    ["text that is no JSON", { ...point, "metric:undefined": text("{") }, /metric:undefined: expected/],
    [
      "JSON that is no list of names",
      { ...point, "metric:undefined": text("[1]") },
      /a list of names, got \[1\]/,
    ],
    [
      "numbers for texts",
      { ...point, "metric:undefined": float64(1) },
      /a column of texts, got another type/,
    ],
    ["texts for numbers", { ...point, index: text("4") }, /index: expected a column of int32/],
  ])("a tile with %s", async (_what, columns, message) => {
    const file = join(await temporaryFolder(), "s.arrow");
    await writeArtifact(join(file, "..", ".s.arrow.tiles", "000000.arrow"), {
      columns,
      details: tile,
      provenance,
    });
    await expect(readInterrupted(file, curvePointTiles)).rejects.toThrow(FormatError);
    await expect(readInterrupted(file, curvePointTiles)).rejects.toThrow(message);
  });
});

describe("results", () => {
  const artifact = {
    columns: { x: { values: Float64Array.of(1.5, -2) }, n: { values: Int32Array.of(7, 8) } },
    details: { a: "b" },
    provenance: { ...sampleProvenance(), chosen: { engine: "onnx" } },
  };

  test("facts that are read without the columns are whole too", async () => {
    const file = join(await temporaryFolder(), "r.arrow");
    await writeArtifact(file, artifact);
    const whole = await readFile(file);
    const at = whole.lastIndexOf(`{"a":"b"}`) + 6;
    expect(at).toBeGreaterThan(6);
    whole[at] = "c".charCodeAt(0);
    await writeFile(file, whole);
    await expect(readArtifactFacts(file)).rejects.toThrow(/facts with the digest beside them/);
  });

  test("any byte changed: never a crash, never another value, detail or origin", async () => {
    const folder = await temporaryFolder();
    const file = join(folder, "r.arrow");
    await writeArtifact(file, artifact);
    const whole = await readFile(file);
    for (let at = 0; at < whole.length; at++) {
      for (const flip of [0x01, 0x80]) {
        const damaged = Buffer.from(whole);
        damaged[at] = (damaged[at] as number) ^ flip;
        await writeFile(file, damaged);
        const result = await readArtifact(file).catch((error: unknown) => error);
        if (result instanceof FormatError) continue;
        if (result instanceof Error) expect.fail(`byte ${at}: ${result.stack}`);
        expect(result).toEqual(artifact);
      }
    }
  });
});
