import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { InvalidDataError, InvalidOptionError, LayoutError, RunStateError } from "../../src/base/errors.js";
import { openRun } from "../../src/store/run/open-run.js";
import { createRunWriter } from "../../src/store/run/run-writer.js";
import {
  sampleDescription,
  sampleSnapshot,
  temporaryFolder,
  vectorLayout,
  writeSampleRun,
} from "./sample-run.js";

const names = async (directory: string) => (await readdir(directory)).sort();

describe("a new run", () => {
  test("is made with its parents; nothing but run.json and snapshots is left", async () => {
    const directory = join(await temporaryFolder(), "a", "b");
    await writeSampleRun(directory, 2, 4);
    expect(await names(directory)).toEqual(["run.json", "snapshots"]);
    expect(await names(join(directory, "snapshots"))).toEqual(["000000.arrow", "000001.arrow"]);
  });

  test("opens while it is being written", async () => {
    const directory = await temporaryFolder();
    const writer = await createRunWriter(directory, sampleDescription(4));
    expect((await openRun(directory)).snapshots).toEqual([]);
    await writer.writeSnapshot(sampleSnapshot(0, 4));
    expect((await openRun(directory)).snapshots).toHaveLength(1);
    expect(writer.nextStep).toBe(1);
    expect(writer.resumedFrom).toBeNull();
    await writer.close();
  });

  test("starts over where an earlier start was killed before run.json", async () => {
    const directory = await temporaryFolder();
    await mkdir(join(directory, "snapshots"));
    await writeFile(join(directory, ".run.json.1-1.tmp"), "{");
    await writeSampleRun(directory, 1, 4);
    expect(await names(directory)).toEqual(["run.json", "snapshots"]);
  });

  test("non-finite numbers are written as strings", async () => {
    const directory = await temporaryFolder();
    const config = { clip: Number.POSITIVE_INFINITY, momentum: Number.NaN };
    await writeSampleRun(directory, 0, 4, { optimizer: { className: "SGD", config } });
    const text = await readFile(join(directory, "run.json"), "utf8");
    expect(JSON.parse(text)).toMatchObject({ optimizer: { config: { clip: "Infinity", momentum: "NaN" } } });
    expect((await openRun(directory)).manifest.optimizer?.config).toEqual({
      clip: "Infinity",
      momentum: "NaN",
    });
  });
});

describe("snapshots", () => {
  test("calls are worked off in order without being awaited one by one; close waits", async () => {
    const directory = await temporaryFolder();
    const writer = await createRunWriter(directory, sampleDescription(4));
    const writing = [0, 1, 2].map((step) => writer.writeSnapshot(sampleSnapshot(step, 4)));
    await writer.close();
    expect((await openRun(directory)).snapshots.map(({ step }) => step)).toEqual([0, 1, 2]);
    await Promise.all(writing);
  });

  test("a large snapshot on disk, though its array is filled anew meanwhile", async () => {
    const theta = Float32Array.from({ length: 40_000 }, (_, i) => Math.fround(i / 7));
    const wanted = theta.slice();
    const writer = await createRunWriter(await temporaryFolder(), sampleDescription(40_000));
    const writing = writer.writeSnapshot({ ...sampleSnapshot(0, 1), theta });
    theta.fill(0);
    await writing;
    await writer.close();
    const run = await openRun(writer.directory);
    expect(await run.readTheta(0)).toEqual(wanted);
  });

  test("a wrong step or length is refused, writes nothing, and the right one goes on", async () => {
    const directory = await temporaryFolder();
    const writer = await createRunWriter(directory, sampleDescription(4));
    await expect(writer.writeSnapshot(sampleSnapshot(1, 4))).rejects.toThrow(
      /expected snapshot 0 next, got snapshot 1/,
    );
    await expect(writer.writeSnapshot(sampleSnapshot(0, 3))).rejects.toThrow(InvalidDataError);
    const fraction = { ...sampleSnapshot(0, 4), epoch: 0.5 };
    await expect(writer.writeSnapshot(fraction)).rejects.toThrow(InvalidDataError);
    expect(await names(join(directory, "snapshots"))).toEqual([]);
    await writer.writeSnapshot(sampleSnapshot(0, 4));
    await writer.close();
    await writer.close();
    await expect(writer.writeSnapshot(sampleSnapshot(1, 4))).rejects.toThrow(
      /expected an open writer, got a closed one/,
    );
    expect((await openRun(directory)).snapshots).toHaveLength(1);
  });

  test("a failing disk leaves no leftover and no half file", async () => {
    const directory = await temporaryFolder();
    const writer = await createRunWriter(directory, sampleDescription(4));
    await writer.writeSnapshot(sampleSnapshot(0, 4));
    await mkdir(join(directory, "snapshots", "000001.arrow", "in-the-way"), { recursive: true });
    await expect(writer.writeSnapshot(sampleSnapshot(1, 4))).rejects.toThrow();
    expect(await names(join(directory, "snapshots"))).toEqual(["000000.arrow", "000001.arrow"]);
    expect(writer.nextStep).toBe(1);
    await writer.close();
  });

  test("updateManifest changes what it is told and nothing else", async () => {
    const directory = await temporaryFolder();
    const writer = await createRunWriter(directory, sampleDescription(4));
    const before = writer.manifest;
    await writer.updateManifest({ fit: { epochs: 9 } });
    await writer.close();
    expect((await openRun(directory)).manifest).toEqual({ ...before, fit: { epochs: 9 } });
  });
});

describe("an existing run", () => {
  test("is not touched unless asked", async () => {
    const directory = await temporaryFolder();
    await writeSampleRun(directory, 2, 4);
    const again = createRunWriter(directory, sampleDescription(4, { name: "other" }));
    await expect(again).rejects.toThrow(RunStateError);
    await expect(again).rejects.toThrow(
      /an existing run; pass overwrite: true to replace it or resume: true/,
    );
    const both = createRunWriter(directory, sampleDescription(4), { overwrite: true, resume: true });
    await expect(both).rejects.toThrow(InvalidOptionError);
    const run = await openRun(directory);
    expect([run.manifest.name, run.snapshots.length]).toEqual(["sample", 2]);
  });

  test("overwrite replaces manifest and snapshots and leaves other files", async () => {
    const directory = await temporaryFolder();
    await writeSampleRun(directory, 3, 4);
    await writeFile(join(directory, "notes.txt"), "mine");
    const description = sampleDescription(6, { name: "new" });
    const writer = await createRunWriter(directory, description, { overwrite: true });
    await writer.writeSnapshot(sampleSnapshot(0, 6));
    await writer.close();
    const run = await openRun(directory);
    expect([run.manifest.name, run.snapshots.length, run.layout.parameterCount]).toEqual(["new", 1, 6]);
    expect(await names(directory)).toEqual(["notes.txt", "run.json", "snapshots"]);
  });

  test("resume appends, notes itself and clears leftovers", async () => {
    const directory = await temporaryFolder();
    await writeSampleRun(directory, 2, 4);
    await writeFile(join(directory, "snapshots", ".000002.arrow.1-0.tmp"), "half");
    const writer = await createRunWriter(
      directory,
      sampleDescription(4, { name: "later", fit: { epochs: 7 } }),
      {
        resume: true,
      },
    );
    expect(writer.nextStep).toBe(2);
    expect(writer.resumedFrom).toMatchObject({ step: 1, iteration: 5, logs: { loss: 1, acc: 0.5 } });
    await writer.writeSnapshot(sampleSnapshot(2, 4));
    await writer.close();
    const run = await openRun(directory);
    expect(run.snapshots.map(({ step }) => step)).toEqual([0, 1, 2]);
    expect(run.manifest.name).toBe("sample");
    expect(run.manifest.resumes).toMatchObject([{ step: 2, fit: { epochs: 7 } }]);
    expect(await names(join(directory, "snapshots"))).toEqual([
      "000000.arrow",
      "000001.arrow",
      "000002.arrow",
    ]);
  });

  test("resume starts a run where there is none", async () => {
    const directory = join(await temporaryFolder(), "new");
    const writer = await createRunWriter(directory, sampleDescription(4), { resume: true });
    expect(writer.nextStep).toBe(0);
    expect(writer.manifest.resumes).toBeUndefined();
    await writer.close();
  });

  test("resume refuses another layout or type and changes nothing", async () => {
    const directory = await temporaryFolder();
    await writeSampleRun(directory, 2, 4);
    const before = await readFile(join(directory, "run.json"), "utf8");
    const resume = (changes: object, size = 4) =>
      createRunWriter(directory, sampleDescription(size, changes), { resume: true });
    const other = resume({ layout: vectorLayout(5, "b".repeat(64)) });
    await expect(other).rejects.toThrow(LayoutError);
    await expect(other).rejects.toThrow(/resume: w: expected \[4\] .*, got w \[5\]/);
    await expect(resume({ dtype: "float16" })).rejects.toThrow(/resume: expected dtype float32, got float16/);
    expect(await readFile(join(directory, "run.json"), "utf8")).toBe(before);
    expect(await names(directory)).toEqual(["run.json", "snapshots"]);
  });
});

describe("a directory with other files", () => {
  test.each([{}, { overwrite: true }, { resume: true }])("is refused with %j", async (options) => {
    const directory = await temporaryFolder();
    await writeFile(join(directory, "thesis.tex"), "years of work");
    const writer = createRunWriter(directory, sampleDescription(4), options);
    await expect(writer).rejects.toThrow(
      /expected an empty directory or a run, got other files \(thesis.tex\)/,
    );
    expect(await names(directory)).toEqual(["thesis.tex"]);
  });

  test("a run.json of somebody else is refused with overwrite", async () => {
    const directory = await temporaryFolder();
    for (const text of ['{"format":"jogging"}', "no JSON"]) {
      await writeFile(join(directory, "run.json"), text);
      const writer = createRunWriter(directory, sampleDescription(4), { overwrite: true });
      await expect(writer).rejects.toThrow(RunStateError);
      expect(await readFile(join(directory, "run.json"), "utf8")).toBe(text);
    }
  });

  test("a file in the directory's place is refused", async () => {
    const file = join(await temporaryFolder(), "file");
    await writeFile(file, "x");
    await expect(createRunWriter(file, sampleDescription(4))).rejects.toThrow(
      /expected a directory, got a part of the path is a file/,
    );
  });
});

describe("two writers", () => {
  const lockOf = (directory: string) => join(directory, ".writer.lock");

  test("a run that a living process writes is left alone", async () => {
    const directory = await temporaryFolder();
    await writeSampleRun(directory, 1, 4);
    await writeFile(lockOf(directory), JSON.stringify({ pid: process.ppid, host: hostname() }));
    const writer = createRunWriter(directory, sampleDescription(4), { resume: true });
    await expect(writer).rejects.toThrow(
      new RegExp(`one in use by process ${process.ppid}; end it, or delete`),
    );
  });

  test.each([
    ["a dead process", JSON.stringify({ pid: 2 ** 22 + 1, host: hostname() })],
    ["another host", JSON.stringify({ pid: process.ppid, host: "elsewhere" })],
    ["a write cut off", '{"pid":'],
  ])("the lock of %s is void", async (_, text) => {
    const directory = await temporaryFolder();
    await writeSampleRun(directory, 1, 4);
    await writeFile(lockOf(directory), text);
    const writer = await createRunWriter(directory, sampleDescription(4), { resume: true });
    await writer.close();
    expect(await names(directory)).toEqual(["run.json", "snapshots"]);
  });

  test("in one process the newer writer takes over: a training that threw never closed its own", async () => {
    const directory = await temporaryFolder();
    const older = await createRunWriter(directory, sampleDescription(4));
    await older.writeSnapshot(sampleSnapshot(0, 4));
    const newer = await createRunWriter(directory, sampleDescription(4), { resume: true });
    await expect(older.writeSnapshot(sampleSnapshot(1, 4))).rejects.toThrow(
      /a newer one that has taken over/,
    );
    await newer.writeSnapshot(sampleSnapshot(1, 4));
    await older.close();
    await newer.writeSnapshot(sampleSnapshot(2, 4));
    await newer.close();
    expect((await openRun(directory)).snapshots).toHaveLength(3);
  });
});
