import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { Queue } from "bullmq";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createLossEvaluator } from "../../src/loss/create-loss-evaluator.js";
import type { LossEvaluatorOptions } from "../../src/loss/loss-options.js";
import { readWeights } from "../../src/model/bound-weights.js";
import { layoutOfModel } from "../../src/model/layout-of-model.js";
import { PREFIX, queueName } from "../../src/queue/queue-connection.js";
import {
  createQueueRunner,
  type QueueRunner,
  type QueueRunnerOptions,
} from "../../src/queue/queue-runner.js";
import { evaluateSurface } from "../../src/surface/evaluate-surface.js";
import type { Surface } from "../../src/surface/surface.js";
import { bitsOf } from "../store/sample-run.js";
import { useTestBackend } from "../support/backend.js";
import { temporaryFolders, tinyData, tinyModel } from "../support/tiny-training.js";
import {
  HAS_REDIS,
  NEEDS_REDIS,
  type RedisServer,
  startRedis,
  startWorker,
  type WorkerProcess,
} from "./redis-server.js";

const newFolder = temporaryFolders();
const TIMEOUT = 240_000;
const axis = (points: number, from: number) =>
  Float64Array.from({ length: points }, (_, i) => (i - from) / 3);
const grid = { alpha: axis(13, 5), beta: axis(11, 4) };

let model: tf.Sequential;
let data: ReturnType<typeof tinyData>;
let plane: { center: Float32Array; vectors: Float32Array[] };
let expected: readonly string[];
const open: { dispose(): void }[] = [];

beforeAll(async () => {
  await useTestBackend();
  model = tinyModel();
  data = tinyData();
  const layout = layoutOfModel(model);
  const center = await readWeights(model, layout);
  const vectors = [1, 2].map((k) =>
    Float32Array.from(center, (_, i) => (i < layout.trainableCount ? Math.sin(k * i + k) : 0)),
  );
  plane = { center, vectors };
  const evaluator = await createLossEvaluator(model, data, OPTIONS);
  expected = bits(await evaluateSurface(evaluator, plane, grid));
  evaluator.dispose();
});
afterEach(() => {
  for (const one of open.splice(0).reverse()) one.dispose();
});
afterAll(() => {
  model.dispose();
  tf.dispose(data);
});

const OPTIONS = { engine: "tfjs", batchSize: 5 } satisfies LossEvaluatorOptions;

function bits({ loss, metrics, center }: Surface): readonly string[] {
  return [loss, ...Object.values(metrics), Float64Array.of(center.loss)].map(bitsOf);
}

async function runnerOf(options: QueueRunnerOptions): Promise<QueueRunner> {
  const runner = await createQueueRunner(options);
  open.push(runner);
  return runner;
}

async function evaluatorOf(runner: QueueRunner, options: LossEvaluatorOptions = {}) {
  const evaluator = await createLossEvaluator(model, data, { ...OPTIONS, ...options, runner });
  open.push(evaluator);
  return evaluator;
}

describe.skipIf(!HAS_REDIS)(`workers of a queue${NEEDS_REDIS}`, () => {
  let redis: RedisServer;
  let store: string;
  const workers: WorkerProcess[] = [];
  beforeAll(async () => {
    redis = await startRedis();
    store = newFolder();
    workers.push(await startWorker(redis.url, store), await startWorker(redis.url, store));
  }, TIMEOUT);

  test("values are those of this process, bit for bit, from two job sets at once", {
    timeout: TIMEOUT,
  }, async () => {
    const runners = [
      await runnerOf({ redis: redis.url, store }),
      await runnerOf({ redis: redis.url, store }),
    ];
    expect(runners.map(({ processes }) => processes)).toEqual([2, 2]);
    const surfaces = runners.map(async (runner) => evaluateSurface(await evaluatorOf(runner), plane, grid));
    for (const surface of await Promise.all(surfaces)) expect(bits(surface)).toEqual(expected);
    const [{ counts }] = runners as [QueueRunner];
    // 143 points and the centre: weights and directions travel through the store, never through Redis.
    expect(counts.again).toBe(0);
    expect(counts.bytes / 144).toBeLessThan(2000);
  });

  test("what is no tile is an error of its own, and the workers go on", { timeout: TIMEOUT }, async () => {
    const queue = new Queue(queueName(), { connection: { url: redis.url }, prefix: PREFIX });
    const hostile = [
      null,
      "text",
      { submission: "../../etc", jobSet: { digest: "a".repeat(64), bytes: 1 }, tasks: [] },
      { submission: "0".repeat(16), jobSet: { digest: "../../../etc/passwd", bytes: 1 }, tasks: [] },
      { submission: "0".repeat(16), jobSet: { digest: "f".repeat(64), bytes: -1 }, tasks: [] },
      {
        submission: "0".repeat(16),
        jobSet: { digest: "f".repeat(64), bytes: 9 },
        tasks: Array(20_000).fill(0),
      },
    ];
    for (const [i, message] of hostile.entries()) await queue.add("tile", message, { jobId: `hostile-${i}` });
    const finished = async () =>
      (await queue.getJobs(["failed"])).filter(({ id }) => id?.startsWith("hostile"));
    await expect.poll(async () => (await finished()).length, { timeout: 60_000 }).toBe(hostile.length);
    for (const { failedReason } of await finished())
      expect(failedReason).toContain("a message that is no tile");
    await queue.close();
    const evaluator = await evaluatorOf(await runnerOf({ redis: redis.url, store }));
    expect((await evaluator.evaluate(plane.center)).loss).toBe(
      (await (await createLossEvaluator(model, data, OPTIONS)).evaluate(plane.center)).loss,
    );
  });

  test("a module travels by digest only: a worker that was not started with it refuses", {
    timeout: TIMEOUT,
  }, async () => {
    const folder = newFolder();
    mkdirSync(folder);
    const setup = join(folder, "own-module.mjs");
    writeFileSync(setup, "export const registered = true;\n");
    const runner = await runnerOf({ redis: redis.url, store });
    await expect(evaluatorOf(runner, { setup })).rejects.toThrow(
      /workers: expected to start, got job set: expected a worker started with the module [0-9a-f]{12}, got none/,
    );
  });

  test("a store that the workers do not share is named", { timeout: TIMEOUT }, async () => {
    const runner = await runnerOf({ redis: redis.url, store: newFolder() });
    await expect(evaluatorOf(runner)).rejects.toThrow(
      /workers: expected to start, got store .*: [0-9a-f]{12}: expected its content, got none \(3 tries\)/,
    );
  });

  test("workers and the server are killed: complete, and the same bits", { timeout: TIMEOUT }, async () => {
    const runner = await runnerOf({ redis: redis.url, store, tileSeconds: 0.001 });
    const evaluator = await evaluatorOf(runner);
    const kills: Promise<unknown>[] = [];
    let points = 0;
    const surface = await evaluateSurface(evaluator, plane, grid, {
      onPoint: () => {
        points++;
        if (points === 20) kills.push((workers.shift() as WorkerProcess).kill());
        if (points === 50) kills.push(redis.kill().then(() => redis.start()));
        if (points === 90) {
          const other = workers.shift() as WorkerProcess;
          kills.push(
            startWorker(redis.url, store)
              .then((next) => workers.push(next))
              .then(() => other.kill()),
          );
        }
      },
    });
    await Promise.all(kills);
    expect(kills.length).toBe(3);
    expect(bits(surface)).toEqual(expected);
  });

  test("an abort rejects with its reason, and takes back what waits", { timeout: TIMEOUT }, async () => {
    const runner = await runnerOf({ redis: redis.url, store, tileSeconds: 0.001 });
    const evaluator = await evaluatorOf(runner);
    const abort = new AbortController();
    const reason = new Error("enough");
    const work = evaluateSurface(evaluator, plane, grid, {
      signal: abort.signal,
      onPoint: () => abort.abort(reason),
    });
    await expect(work).rejects.toBe(reason);
    expect((await evaluator.evaluate(plane.center)).loss).toBeGreaterThan(0);
  });
});

describe.skipIf(!HAS_REDIS)(`connections${NEEDS_REDIS}`, () => {
  test("a wrong password and no server: in words, without the password", { timeout: TIMEOUT }, async () => {
    const { url } = await startRedis(["--requirepass", "right"]);
    const wrong = url.replace("redis://", "redis://user:s3cret@");
    const error = await createQueueRunner({ redis: wrong, store: newFolder() }).catch(
      (one: Error) => one.message,
    );
    expect(error).toMatch(
      /^redis redis:\/\/user:\*\*\*@127\.0\.0\.1:\d+: expected a server that answers, got .*WRONGPASS/,
    );
    const nowhere = createQueueRunner({ redis: "redis://127.0.0.1:1", store: newFolder() });
    await expect(nowhere).rejects.toThrow(/expected a server that answers, got .*ECONNREFUSED/);
  });
});

test("addresses that are none are refused without being repeated", async () => {
  for (const redis of ["localhost:6379", "http://user:s3cret@host", ""]) {
    const error = await createQueueRunner({ redis, store: "/nowhere" }).catch((one: Error) => one.message);
    expect(error).toMatch(/^redis: expected redis:\/\//);
    expect(error).not.toContain("s3cret");
  }
});
