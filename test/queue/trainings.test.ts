import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { importModule } from "../../src/base/import-module.js";
import { openFolderStore } from "../../src/queue/content-store.js";
import { packFolder, unpackFolder } from "../../src/queue/folder-parcel.js";
import { createQueueRunner, type QueueRunner } from "../../src/queue/queue-runner.js";
import { answerSchema } from "../../src/queue/tile-queue.js";
import { openRun } from "../../src/store/run/open-run.js";
import { lockRun } from "../../src/store/run/run-lock.js";
import { jumpAndRetrain } from "../../src/training/jump-and-retrain.js";
import { runSweep } from "../../src/training/run-sweep.js";
import { useTestBackend } from "../support/backend.js";
import { temporaryFolders, tinyData, tinyModel } from "../support/tiny-training.js";
import { startWorker, type WorkerProcess } from "./redis-server.js";

const newFolder = temporaryFolders();
const module = fileURLToPath(new URL("./own-module.mjs", import.meta.url));
const TIMEOUT = 240_000;

describe("jumps and sweeps in workers of a queue", () => {
  const spool = newFolder();
  const runners: QueueRunner[] = [];
  let worker: WorkerProcess;
  beforeAll(async () => {
    await useTestBackend();
    worker = await startWorker("", "", { module, options: { spool } });
  }, TIMEOUT);
  afterEach(() => {
    for (const runner of runners.splice(0)) runner.dispose();
  });
  afterAll(() => worker.kill());

  async function runnerOf(queue?: string): Promise<QueueRunner> {
    const runner = await createQueueRunner({ spool, queue });
    runners.push(runner);
    return runner;
  }

  test("a sweep: runs come here, with the bits of this machine's; one that fails is reported", {
    timeout: TIMEOUT,
  }, async () => {
    const outcome = async (options: object) => {
      const study = await runSweep(module, { directory: newFolder(), ...options });
      return Promise.all(
        study.runs.map(async ({ directory, status, error, name, figures, snapshots }) => {
          const digest = status === "failed" ? null : await (await openRun(directory)).digest();
          const said = error?.replace(/on \S+: |process: /, "");
          return { name, status, said, figures, snapshots, digest, hasFolder: existsSync(directory) };
        }),
      );
    };
    const there = await outcome({ runner: await runnerOf() });
    expect(there.map(({ status }) => status)).toEqual(["made", "made", "made", "failed"]);
    expect(there[3]).toMatchObject({ hasFolder: false, said: expect.stringMatching(/worker no such luck$/) });
    // Each had a process of its own.
    expect(there.slice(0, 3).map(({ figures }) => figures.layer)).toEqual([1, 1, 1]);
    expect(there).toEqual(await outcome({ workers: 1 }));
  });

  test("jumps whose loss is a function of the module: the bits of this process", {
    timeout: TIMEOUT,
  }, async () => {
    const { loadModel, loadData } = (await importModule(module)) as {
      loadModel: () => tf.LayersModel;
      loadData: () => { xs: tf.Tensor; ys: tf.Tensor };
    };
    const [model, data] = [loadModel(), loadData()];
    const jumps = async (options: object) => {
      const recipe = {
        directory: newFolder(),
        seeds: [0, 1],
        distances: [0.5],
        epochs: 3,
        learningRate: 0.05,
      };
      const { runs } = await jumpAndRetrain(model, { train: data }, { ...recipe, ...options });
      return Promise.all(
        runs.map(async ({ directory, states, status }) => ({
          status,
          digest: await (await openRun(directory)).digest(),
          logs: states.map(({ logs }) => logs),
          beside: readdirSync(join(directory, "..")).length,
        })),
      );
    };
    const there = await jumps({ runner: await runnerOf(), setup: module });
    expect(there.map(({ beside }) => beside)).toEqual([2, 2]);
    expect(there).toEqual(await jumps({}));
    const unsent = { directory: newFolder(), runner: await runnerOf() };
    await expect(jumpAndRetrain(model, { train: data }, unsent)).rejects.toThrow(
      /^runner: expected none with a loss .* function of your own, .*; or `setup`: a module/,
    );
    model.dispose();
    tf.dispose(data);
  });

  test("another text of the module is refused, and nothing is trained", { timeout: TIMEOUT }, async () => {
    const changed = join(newFolder(), "changed.mjs");
    mkdirSync(join(changed, ".."), { recursive: true });
    writeFileSync(changed, "export const grid = { rate: [1] };\nexport async function train() {}\n");
    const directory = newFolder();
    const work = runSweep(changed, { directory, runner: await runnerOf() });
    await expect(work).rejects.toThrow(
      /workers: expected to start, got job set: expected a worker started with the module [0-9a-f]{12}, got another one/,
    );
    expect(existsSync(join(directory, "runs"))).toBe(false);
  });
});

test("a folder travels whole: what was there stays until all of it is here", async () => {
  const [store, from, to] = [await openFolderStore(newFolder()), newFolder(), newFolder()];
  mkdirSync(join(from, "deep"), { recursive: true });
  writeFileSync(join(from, "run.json"), "{}");
  writeFileSync(join(from, "deep", "0.arrow"), "weights");
  writeFileSync(join(from, ".run.json.tmp"), "left behind");
  const files = await packFolder(from, store);
  expect(files.map(({ path }) => path).sort()).toEqual(["deep/0.arrow", "run.json"]);
  await unpackFolder(files, to, store);
  expect(readdirSync(to).sort()).toEqual(["deep", "run.json"]);
  const lost = [...files, { path: "lost", digest: "0".repeat(64), bytes: 1 }];
  await expect(unpackFolder(lost, to, store)).rejects.toThrow(/expected its content, got none/);
  expect(readdirSync(to).sort()).toEqual(["deep", "run.json"]);
  expect(existsSync(`${to}.part`)).toBe(false);
  expect(await packFolder(join(from, "none"), store)).toEqual([]);
});

test("a jump that comes back replaces the run of its folder, and nothing else there", async () => {
  const [store, from, to] = [await openFolderStore(newFolder()), newFolder(), newFolder()];
  const write = (...parts: string[]): void => {
    mkdirSync(join(...parts, ".."), { recursive: true });
    writeFileSync(join(...parts), parts.at(-1) as string);
  };
  for (const name of ["run.json", "snapshots/000000.arrow"]) write(from, name);
  for (const name of ["run.json", "snapshots/000009.arrow", "optimizer/000009.arrow"]) write(to, name);
  for (const name of ["results/surface.arrow", "jumps/seed-0_step-1/run.json"]) write(to, name);
  const files = await packFolder(from, store);
  await unpackFolder(files, to, store, true);
  expect(readdirSync(to).sort()).toEqual(["jumps", "results", "run.json", "snapshots"]);
  expect(readdirSync(join(to, "snapshots"))).toEqual(["000000.arrow"]);
  expect(existsSync(join(to, "jumps", "seed-0_step-1", "run.json"))).toBe(true);
  expect(existsSync(`${to}.part`)).toBe(false);
  // A folder that is not there yet.
  await unpackFolder(files, join(to, "new"), store, true);
  expect(readdirSync(join(to, "new")).sort()).toEqual(["run.json", "snapshots"]);
});

test("a file whose name not every machine can have is named where it was made", async () => {
  const [store, from] = [await openFolderStore(newFolder()), newFolder()];
  mkdirSync(from, { recursive: true });
  writeFileSync(join(from, "at 12\nh.json"), "{}");
  await expect(packFolder(from, store)).rejects.toThrow(
    /^a file of the folder: expected a name without : .*, got at 12/,
  );
});

test("a jump whose run somebody writes is not sent away to be replaced", async () => {
  await useTestBackend();
  const directory = newFolder();
  const folder = join(directory, "seed-0_step-0.5");
  mkdirSync(folder, { recursive: true });
  const lock = await lockRun(folder);
  let sent = 0;
  const session = { facts: null, concurrency: 1, run: async () => void sent++, forget() {}, dispose() {} };
  const runner = { processes: 1, open: async () => session, processIds: () => [], dispose() {} };
  const [model, data] = [tinyModel(), tinyData()];
  const work = jumpAndRetrain(
    model,
    { train: data },
    { directory, seeds: [0], distances: [0.5], epochs: 1, runner: runner as never },
  );
  await expect(work).rejects.toThrow(/seed-0_step-0.5: expected a run that nobody writes, got one in use/);
  expect(sent).toBe(0);
  await lock.release();
  model.dispose();
  tf.dispose(data);
});

test("an answer can write into its folder only", () => {
  const answer = (path: string) =>
    answerSchema.safeParse({
      ...{ seconds: 0, overhead: 0, starts: 1, host: "h", kind: "k", opened: null },
      answers: [{ output: null, files: [{ path, digest: "0".repeat(64), bytes: 1 }] }],
    }).success;
  for (const path of ["run.json", "a/b/c.arrow", "..a/b..", "a b"]) expect(answer(path), path).toBe(true);
  for (const path of ["", "..", "../x", "a/../b", "a/..", "/etc", "a//b", "a\\b", "C:x", "a\0", "./a", "a/"])
    expect(answer(path), path).toBe(false);
});
