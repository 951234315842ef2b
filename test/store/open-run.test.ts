import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FormatError, InvalidOptionError, RunStateError } from "../../src/base/errors.js";
import { openRun } from "../../src/store/run/open-run.js";
import { createRunWriter } from "../../src/store/run/run-writer.js";
import { snapshotPath } from "../../src/store/run/snapshot-schema.js";
import { snapshotBytes } from "../support/file-bytes.js";
import {
  anyFloat32Vector,
  bitsOf,
  sampleDescription,
  sampleSnapshot,
  temporaryFolder,
  vectorLayout,
  writeSampleRun,
} from "./sample-run.js";

async function editManifest(directory: string, edit: (manifest: Record<string, never>) => unknown) {
  const file = join(directory, "run.json");
  const manifest = JSON.parse(await readFile(file, "utf8")) as Record<string, never>;
  await writeFile(file, JSON.stringify(edit(manifest) ?? manifest));
}

describe("reading", () => {
  test("facts, manifest and weights are those that were written", async () => {
    const directory = await temporaryFolder();
    await writeSampleRun(directory, 3, 4);
    const run = await openRun(directory);
    expect(run.snapshots).toEqual([0, 1, 2].map((step) => without(sampleSnapshot(step, 4))));
    expect(run.manifest).toMatchObject({ ...sampleDescription(4), format: "tfjs-landscape-run" });
    expect(run.layout).toEqual(vectorLayout(4));
    expect([...(await run.readTheta(2))]).toEqual([20, 21, 22, 23]);
    await run.close();
    expect([...(await run.readTheta(1))]).toEqual([10, 11, 12, 13]);
    await run.close();
  });

  test("a file where the snapshots' folder should be is named", async () => {
    const directory = await temporaryFolder();
    await writeSampleRun(directory, 1, 4);
    await rm(join(directory, "snapshots"), { recursive: true });
    await writeFile(join(directory, "snapshots"), "");
    await expect(openRun(directory)).rejects.toThrow(/snapshots: expected a folder, got a file/);
  });

  test.each(["float32", "float16"] as const)("any part of θ equals the whole there (%s)", async (dtype) => {
    await fc.assert(
      fc.asyncProperty(anyFloat32Vector(1, 60), fc.nat(), fc.nat(), async (values, a, b) => {
        const theta = dtype === "float16" ? values.map((x) => Math.max(-6e4, Math.min(6e4, x))) : values;
        const directory = await temporaryFolder();
        const writer = await createRunWriter(directory, sampleDescription(theta.length, { dtype }));
        await writer.writeSnapshot({ ...sampleSnapshot(0, 1), theta });
        await writer.close();
        const run = await openRun(directory);
        const whole = await run.readTheta(0);
        if (dtype === "float32") expect(bitsOf(whole)).toBe(bitsOf(theta));
        const start = a % theta.length;
        const part = new Float32Array(1 + (b % (theta.length - start)));
        await run.readThetaInto(0, start, part);
        expect(bitsOf(part)).toBe(bitsOf(whole.subarray(start, start + part.length)));
        await run.close();
      }),
      { numRuns: 40 },
    );
  });

  test("parts may go into the middle of a larger buffer, many at the same time", async () => {
    const directory = await temporaryFolder();
    await writeSampleRun(directory, 6, 8);
    const run = await openRun(directory);
    const block = new Float32Array(6 * 3);
    await Promise.all(run.snapshots.map((_, i) => run.readThetaInto(i, 2, block.subarray(3 * i, 3 * i + 3))));
    expect([...block]).toEqual(run.snapshots.flatMap((_, i) => [10 * i + 2, 10 * i + 3, 10 * i + 4]));
    await run.close();
  });

  test("positions outside are refused", async () => {
    const directory = await temporaryFolder();
    await writeSampleRun(directory, 1, 4);
    const run = await openRun(directory);
    await expect(run.readThetaInto(0, 3, new Float32Array(2))).rejects.toThrow(InvalidOptionError);
    await expect(run.readTheta(1)).rejects.toThrow(/index: expected a snapshot from 0 to 0, got 1/);
  });

  test("the digest follows weights and their number, not names or logs", async () => {
    const digests = await Promise.all(
      [
        { count: 2, name: "a", size: 4 },
        { count: 2, name: "b", size: 4 },
        { count: 3, name: "a", size: 4 },
      ].map(async ({ count, name, size }) => {
        const directory = await temporaryFolder();
        await writeSampleRun(directory, count, size, { name });
        return (await openRun(directory)).digest();
      }),
    );
    expect(digests[0]).toBe(digests[1]);
    expect(digests[0]).not.toBe(digests[2]);
  });
});

describe("what a killed training leaves", () => {
  test("unfinished files, in any state, are not seen", async () => {
    const directory = await temporaryFolder();
    await writeSampleRun(directory, 2, 4);
    const next = snapshotBytes(sampleSnapshot(2, 4), vectorLayout(4).digest, "float32");
    for (const length of [0, 10, next.length - 1, next.length]) {
      const name = `.000002.arrow.99999-${length}.tmp`;
      await writeFile(join(directory, "snapshots", name), next.subarray(0, length));
      expect((await openRun(directory)).snapshots).toHaveLength(2);
    }
  });

  test("a run killed before its first snapshot is a run without snapshots", async () => {
    const directory = await temporaryFolder();
    await writeSampleRun(directory, 0, 4);
    expect((await openRun(directory)).snapshots).toEqual([]);
  });
});

describe("refusals name the file, what was expected and what was found", () => {
  const cases: [string, (directory: string) => Promise<unknown>, RegExp][] = [
    [
      "a gap",
      (d) => rm(snapshotPath(d, 1)),
      /000001.arrow: expected a snapshot, got a gap before 000002.arrow/,
    ],
    [
      "a number twice",
      (d) => copyFile(snapshotPath(d, 1), join(d, "snapshots", "1.arrow")),
      /snapshots.1.arrow: expected only files named NNNNNN.arrow/,
    ],
    [
      "a stray file",
      (d) => writeFile(join(d, "snapshots", "notes.txt"), "x"),
      /notes.txt: expected only files named NNNNNN.arrow in this folder, got "notes.txt"/,
    ],
    [
      "a truncated snapshot",
      async (d) => writeFile(snapshotPath(d, 1), (await readFile(snapshotPath(d, 1))).subarray(0, -1)),
      /000001.arrow: expected a complete Arrow IPC file, got one cut off/,
    ],
    [
      "a snapshot under another number",
      (d) => copyFile(snapshotPath(d, 1), snapshotPath(d, 0)),
      /000000.arrow: expected step 0, got 1/,
    ],
    [
      "a snapshot of another length",
      (d) =>
        writeFile(snapshotPath(d, 1), snapshotBytes(sampleSnapshot(1, 5), vectorLayout(4).digest, "float32")),
      /000001.arrow: expected theta of length 4, got 5/,
    ],
    [
      "a snapshot of another type",
      (d) =>
        writeFile(snapshotPath(d, 1), snapshotBytes(sampleSnapshot(1, 4), vectorLayout(4).digest, "float16")),
      /000001.arrow: expected theta of type float32, got float16/,
    ],
    [
      "a snapshot of another layout",
      (d) => writeFile(snapshotPath(d, 1), snapshotBytes(sampleSnapshot(1, 4), "other", "float32")),
      /000001.arrow: expected the run's layout a+, got other/,
    ],
    [
      "a newer run",
      (d) => editManifest(d, (manifest) => ({ ...manifest, formatVersion: 2 })),
      /run.json: expected format version 1 or older, got 2; a newer tfjs-landscape wrote it/,
    ],
    [
      "a foreign run.json",
      (d) => editManifest(d, (manifest) => ({ ...manifest, format: "jogging" })),
      /run.json: expected format "tfjs-landscape-run", got "jogging"/,
    ],
    [
      "a truncated run.json",
      async (d) => writeFile(join(d, "run.json"), (await readFile(join(d, "run.json"))).subarray(0, 100)),
      /run.json: expected a JSON object, got text that is none/,
    ],
    [
      "a field of the wrong type",
      (d) => editManifest(d, (manifest) => ({ ...manifest, dtype: "float64" })),
      /run.json: expected a run's manifest, got dtype: /,
    ],
    [
      "a layout that does not add up",
      (d) => editManifest(d, (m) => ({ ...m, layout: { ...vectorLayout(4), parameterCount: 5 } })),
      /run.json: .*layout: 5 parameters, not 4/,
    ],
  ];

  test.each(cases)("%s", async (_, damage, message) => {
    const directory = await temporaryFolder();
    await writeSampleRun(directory, 3, 4);
    await damage(directory);
    await expect(openRun(directory)).rejects.toThrow(FormatError);
    await expect(openRun(directory)).rejects.toThrow(message);
  });

  test("no run at all", async () => {
    const directory = await temporaryFolder();
    await mkdir(join(directory, "snapshots"));
    await expect(openRun(directory)).rejects.toThrow(RunStateError);
    await expect(openRun(join(directory, "missing"))).rejects.toThrow(
      /missing: expected a run directory, got no run.json there; name the folder/,
    );
  });

  test("weights changed behind our back, a file shortened after opening", async () => {
    const directory = await temporaryFolder();
    await writeSampleRun(directory, 1, 400);
    const file = snapshotPath(directory, 0);
    const run = await openRun(directory);
    const bytes = await readFile(file);
    const at = bytes.indexOf(Buffer.from(Float32Array.of(200, 201).buffer));
    bytes[at] = 1;
    await writeFile(file, bytes);
    await expect(run.readTheta(0)).rejects.toThrow(/000000.arrow: theta: expected sha-256 [0-9a-f]{64}, got/);
    await writeFile(file, bytes.subarray(0, at));
    await expect(run.readThetaInto(0, 190, new Float32Array(20))).rejects.toThrow(FormatError);
    await run.close();
  });
});

function without({ theta: _, ...info }: ReturnType<typeof sampleSnapshot>) {
  return info;
}
