import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import * as tf from "@tensorflow/tfjs";
import { Queue } from "bullmq";
import { Redis as IORedis } from "ioredis";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { mapConvexity } from "../../src/curvature/convexity-map.js";
import { createCurvature } from "../../src/curvature/create-curvature.js";
import { type CurvatureWorkerOptions, openCurvatureWorkers } from "../../src/curvature/curvature-workers.js";
import { createLossEvaluator } from "../../src/loss/create-loss-evaluator.js";
import type { LossEvaluatorOptions } from "../../src/loss/loss-options.js";
import { readWeights } from "../../src/model/bound-weights.js";
import { layoutOfModel } from "../../src/model/layout-of-model.js";
import {
  createQueueRunner,
  type QueueRunner,
  type QueueRunnerOptions,
} from "../../src/queue/queue-runner.js";
import { tilesName } from "../../src/queue/tile-queue.js";
import { evaluateSurface } from "../../src/surface/evaluate-surface.js";
import type { Surface } from "../../src/surface/surface.js";
import { bitsOf } from "../store/sample-run.js";
import { useTestBackend } from "../support/backend.js";
import { temporaryFolders, tinyData, tinyModel } from "../support/tiny-training.js";
import {
  HAS_REDIS,
  NEEDS_REDIS,
  type RedisServer,
  selfSigned,
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

  test("a convexity map has the bits of worker processes", { timeout: TIMEOUT }, async () => {
    const curvature = await createCurvature(model, data);
    const ends = { matrix: "hessian", tolerance: 0.01, products: 20, seed: 0 } as const;
    const axis = Float64Array.of(-1, 0, 1);
    const mapOf = async (how: CurvatureWorkerOptions) => {
      const workers = await openCurvatureWorkers(curvature, model, data, {}, ends, how);
      open.push(workers);
      const { center, vectors } = plane as { center: Float32Array; vectors: [Float32Array, Float32Array] };
      const { points } = await mapConvexity(axis, axis, {
        thetaAt: (a, b) =>
          center.map((c, i) => c + a * (vectors[0][i] as number) + b * (vectors[1][i] as number)),
        endsAt: (theta, start) => workers.ends(theta, start),
        get concurrency() {
          return workers.concurrency;
        },
        known: [],
        onPoint: () => undefined,
      });
      return points.map(({ smallest, largest }) => bitsOf(Float64Array.of(smallest, largest)));
    };
    const runner = await runnerOf({ redis: redis.url, store });
    expect(await mapOf({ runner })).toEqual(await mapOf({ workers: 1 }));
    curvature.dispose();
  });

  test("what is no tile is an error of its own, and the workers go on", { timeout: TIMEOUT }, async () => {
    const queue = new Queue(tilesName(), { connection: { url: redis.url }, prefix: "tfjs-landscape" });
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

  test("a worker that is frozen for longer than its lock: another one does its tiles, which count once", {
    timeout: TIMEOUT,
  }, async () => {
    const runner = await runnerOf({ redis: redis.url, store, tileSeconds: 0.001 });
    const evaluator = await evaluatorOf(runner);
    const frozen = await startWorker(redis.url, store);
    workers.push(frozen);
    let points = 0;
    const surface = await evaluateSurface(evaluator, plane, grid, {
      onPoint: () => {
        points++;
        if (points === 20) frozen.signal("SIGSTOP");
      },
    }).finally(() => frozen.signal("SIGCONT"));
    expect(points).toBe(grid.alpha.length * grid.beta.length);
    expect(bits(surface)).toEqual(expected);
  });

  test("processes of another version are left out, in words; queues of two names share nothing", {
    timeout: TIMEOUT,
  }, async () => {
    const other = new IORedis(redis.url);
    const queue = "of.someone-else_1";
    const old = { host: "old", pid: 1, processes: 7, kind: "0123456789ab", version: "0.0.1" };
    await other.set(`${queue}:worker:old`, JSON.stringify(old));
    other.disconnect();
    const notices: string[] = [];
    const onNotice = (text: string): void => void notices.push(text);
    const runner = await runnerOf({ redis: redis.url, store, queue, onNotice });
    const abort = new AbortController();
    const opening = evaluatorOf(runner, { signal: abort.signal });
    await expect.poll(() => notices, { timeout: 60_000 }).toHaveLength(1);
    expect(notices[0]).toMatch(
      /^waiting: no worker of version \S+ is there; start some with .*; 7 other processes \(version 0\.0\.1\) get nothing/,
    );
    const reason = new Error("no longer");
    abort.abort(reason);
    await expect(opening).rejects.toBe(reason);
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
    const none = createQueueRunner({ redis: url, store: newFolder() });
    await expect(none).rejects.toThrow(/got NOAUTH.*; the address holds both: redis:\/\/user:password@host/);
    const nowhere = createQueueRunner({ redis: "redis://127.0.0.1:1", store: newFolder() });
    await expect(nowhere).rejects.toThrow(/expected a server that answers, got .*ECONNREFUSED/);
  });
});

describe.skipIf(!HAS_REDIS)(`TLS and users${NEEDS_REDIS}`, () => {
  test("a user with keys of her own, over TLS with an authority of one's own", {
    timeout: TIMEOUT,
  }, async () => {
    const certificate = selfSigned();
    const rights = ["~alice:*", "+@all", "-@admin", "-@dangerous", "+info"];
    const users = ["--user", "default", "off", "--user", "alice", "on", ">p@ss/w:rd%", ...rights];
    const { url } = await startRedis(users, "alice:p%40ss%2Fw%3Ard%25@", certificate);
    const store = newFolder();
    const said = (redis: string, queue?: string) =>
      createQueueRunner({ redis, store, queue }).catch((one: Error) => one.message);
    expect(await said(url)).toMatch(
      /^redis rediss:\/\/alice:\*\*\*@127.*, got self-signed certificate; NODE_EXTRA_CA_CERTS=FILE names/,
    );
    expect(await said(url.replace("rediss:", "redis:"))).toMatch(
      /; a server with TLS has an address .* rediss:\/\/$/,
    );
    const ca = certificate.cert;
    await expect(startWorker(url, store, { ca })).rejects.toThrow(
      /NOPERM.*; its user may not write keys that begin with "tfjs-landscape:"; --queue NAME names others/,
    );
    const worker = await startWorker(url, store, { ca, queue: "alice" });
    const program = fileURLToPath(new URL("submit-process.mjs", import.meta.url));
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: ca };
    const { stdout } = await promisify(execFile)(process.execPath, [program, url, store, "alice"], { env });
    // Both samples are off by 2 and 5.
    expect(stdout).toBe("14.5\n14.5\n");
    expect(worker.said()).not.toContain("p@ss");
    await worker.kill();
  });

  test("a certificate for another name", { timeout: TIMEOUT }, async () => {
    const certificate = selfSigned("DNS:redis.example.org");
    const { url } = await startRedis([], "", certificate);
    const program = fileURLToPath(new URL("submit-process.mjs", import.meta.url));
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: certificate.cert };
    const asked = promisify(execFile)(process.execPath, [program, url, newFolder(), "alice"], { env });
    await expect(asked).rejects.toThrow(
      /altnames.*; its certificate is for other names: give the address by one/s,
    );
  });

  test("a server without TLS, asked with TLS", { timeout: TIMEOUT }, async () => {
    const { url } = await startRedis();
    const asked = createQueueRunner({ redis: url.replace("redis:", "rediss:"), store: newFolder() });
    await expect(asked).rejects.toThrow(/; a server without TLS has an address that begins with redis:\/\/$/);
  });
});

test("names of queues that are none", async () => {
  for (const queue of ["", "a:b", "a b", "*", "x".repeat(65)]) {
    const made = createQueueRunner({ redis: "redis://127.0.0.1:1", store: "/nowhere", queue });
    await expect(made).rejects.toThrow(/^queue: expected a name of letters, digits/);
  }
});

test("addresses that are none are refused without being repeated", async () => {
  for (const redis of ["localhost:6379", "http://user:s3cret@host", ""]) {
    const error = await createQueueRunner({ redis, store: "/nowhere" }).catch((one: Error) => one.message);
    expect(error).toMatch(/^redis: expected redis:\/\//);
    expect(error).not.toContain("s3cret");
  }
});
