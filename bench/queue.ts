import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import * as tf from "@tensorflow/tfjs";
import { selectBackend } from "../src/backend/select-backend.js";
import { parseCount, parsePositive } from "../src/cli/command-options.js";
import { createLossEvaluator } from "../src/loss/create-loss-evaluator.js";
import type { LossEvaluator } from "../src/loss/loss-evaluator.js";
import type { LossEvaluatorOptions } from "../src/loss/loss-options.js";
import { openSlice } from "../src/loss/slice-loss.js";
import { readWeights } from "../src/model/bound-weights.js";
import { layoutOfModel } from "../src/model/layout-of-model.js";
import { loadQueuePackages } from "../src/queue/queue-connection.js";
import { createQueueRunner, type QueueRunner } from "../src/queue/queue-runner.js";
import { runLanes } from "../src/surface/evaluate-points.js";
import { type BenchOptions, checkNames } from "./bench-options.js";
import { type QueueCosts, simulateQueue } from "./queue-model.js";
import { surfaceModels } from "./surface-models.js";

/** One measurement: numbers by name, in seconds and bytes. */
export type QueueCase = Readonly<Record<string, number | string>>;

/** The report of the bench. */
export interface QueueReport {
  readonly bench: "queue";
  readonly cases: readonly QueueCase[];
}

const root = fileURLToPath(new URL("../..", import.meta.url));
/** A tiny model's data, with a loss that takes LANDSCAPE_PACE milliseconds and no processor. */
const PACED = join(root, "test/faults/paced-data.mjs");
const BIN = join(root, "bin/tfjs-landscape.js");
const PARTS = ["costs", "paced", "efficiency", "recovery"];

/**
 * Runs the bench, which starts a `redis-server` and workers of its own:
 * `--parts costs,paced,efficiency,recovery --seconds 20 --repetitions 3 --model mlp --samples 10000`.
 */
export async function runBench({ args, log }: BenchOptions): Promise<QueueReport> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: "boolean" },
      parts: { type: "string", default: PARTS.join(",") },
      seconds: { type: "string", default: "20" },
      repetitions: { type: "string", default: "3" },
      model: { type: "string", default: "mlp" },
      samples: { type: "string", default: "10000" },
    },
  });
  const parts = values.parts.split(",");
  checkNames("--parts", parts, PARTS);
  checkNames("--model", [values.model], Object.keys(surfaceModels));
  const seconds = parsePositive("--seconds")(values.seconds);
  const [samples, repetitions] = (["samples", "repetitions"] as const).map((name) =>
    parseCount(`--${name}`)(values[name]),
  );
  await selectBackend();
  const place = await openPlace();
  const cases: QueueCase[] = [];
  const tell = (result: QueueCase): void => {
    log(JSON.stringify(result));
    cases.push(result);
  };
  try {
    const costs = parts.some((part) => part === "costs" || part === "paced")
      ? await measureCosts(place, seconds)
      : null;
    if (costs !== null) tell({ case: "costs", ...costs });
    if (costs !== null && parts.includes("paced")) {
      for (const workers of [1, 2, 4]) tell(await measurePaced(place, costs, workers, seconds));
    }
    if (parts.includes("efficiency")) {
      tell(await measureEfficiency(place, values.model, samples, seconds, repetitions));
    }
    if (parts.includes("recovery")) tell(await measureRecovery(place));
  } finally {
    await place.close();
  }
  return { bench: "queue", cases };
}

/** A server, a store, and what starts workers. */
interface Place {
  readonly url: string;
  readonly store: string;
  /** Processor seconds, bytes and commands of the server since it started. */
  used(): Promise<{ readonly cpu: number; readonly bytes: number; readonly commands: number }>;
  /** Starts workers of one process each, and returns what ends them. */
  workers(
    count: number,
    env?: Readonly<Record<string, string>>,
  ): Promise<{ kill(index: number): void; stop(): Promise<void> }>;
  close(): Promise<void>;
}

async function openPlace(): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), "landscape-bench-queue-"));
  const store = join(folder, "store");
  mkdirSync(join(folder, "redis"));
  const port = await freePort();
  const files = [
    "--dir",
    join(folder, "redis"),
    "--save",
    "",
    "--appendonly",
    "yes",
    "--appendfsync",
    "everysec",
  ];
  const server = spawn("redis-server", ["--port", String(port), "--bind", "127.0.0.1", ...files], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  let said = "";
  for await (const part of server.stdout as AsyncIterable<Buffer>) {
    said += part;
    if (said.includes("Ready to accept connections")) break;
  }
  server.stdout.resume();
  const url = `redis://127.0.0.1:${port}`;
  const connection = new (loadQueuePackages().ioredis.Redis)(url);
  const children = new Set<ChildProcess>();
  const end = (): void => {
    for (const child of [...children, server]) child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  };
  // `bench all` ends what takes too long: no server and no worker stays behind.
  const endAll = (): void => {
    end();
    process.exit(143);
  };
  process.once("SIGTERM", endAll);
  return {
    url,
    store,
    async used() {
      const text = await connection.info();
      const number = (name: string): number => Number(new RegExp(`^${name}:([\\d.]+)`, "m").exec(text)?.[1]);
      return {
        cpu: number("used_cpu_sys") + number("used_cpu_user"),
        bytes: number("total_net_input_bytes") + number("total_net_output_bytes"),
        commands: number("total_commands_processed"),
      };
    },
    async workers(count, env = {}) {
      const own = await Promise.all(
        Array.from({ length: count }, () => startWorker(url, store, env, children)),
      );
      return {
        kill: (index) => void own[index]?.kill("SIGKILL"),
        async stop() {
          await Promise.all(
            own.map(async (child) => {
              if (child.exitCode !== null || child.signalCode !== null) return;
              const end = once(child, "exit");
              child.kill("SIGTERM");
              await end;
            }),
          );
        },
      };
    },
    async close() {
      connection.disconnect();
      process.removeListener("SIGTERM", endAll);
      end();
    },
  };
}

async function startWorker(
  url: string,
  store: string,
  env: Readonly<Record<string, string>>,
  children: Set<ChildProcess>,
): Promise<ChildProcess> {
  const options = ["--redis", url, "--store", store, "--processes", "1", "--module", PACED];
  const child = spawn(process.execPath, [BIN, "worker", ...options], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  children.add(child);
  let said = "";
  for await (const part of child.stderr as AsyncIterable<Buffer>) {
    said += part;
    if (said.includes("waiting for work")) break;
  }
  child.stderr?.resume();
  return child;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** A model, its data, and how losses are computed. */
interface Subject {
  readonly model: tf.LayersModel;
  readonly data: { readonly xs: tf.Tensor; readonly ys: tf.Tensor };
  readonly options: LossEvaluatorOptions;
}

async function pacedSubject(): Promise<Subject> {
  const { loadData, loadLoss } = (await import(PACED)) as {
    loadData(): Subject["data"];
    loadLoss(): NonNullable<LossEvaluatorOptions["lossFunction"]>;
  };
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ units: 4, inputShape: [3], activation: "tanh" }),
      tf.layers.dense({ units: 2, activation: "softmax" }),
    ],
  });
  model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy" });
  const options = { engine: "tfjs", batchSize: 24, setup: PACED, lossFunction: loadLoss() } as const;
  return { model, data: loadData(), options };
}

function computingSubject(name: string, samples: number): Subject {
  const { shape, make } = surfaceModels[name];
  const model = make();
  model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy", metrics: ["accuracy"] });
  const labels = Int32Array.from({ length: samples }, (_, i) => (i * 7) % 10);
  const data = {
    xs: tf.randomNormal([samples, ...shape], 0, 1, "float32", 7),
    ys: tf.tidy(() => tf.oneHot(tf.tensor1d(labels, "int32"), 10).toFloat()),
  };
  return { model, data, options: { loss: "logits", dataId: "bench", batchSize: 256 } };
}

/** What evaluates points of a plane, as many at once as the evaluator takes; `onPoint` is told of each. */
async function openPoints(evaluator: LossEvaluator, { model }: Subject) {
  const layout = layoutOfModel(model);
  const center = await readWeights(model, layout);
  const vectors = [1, 2].map((k) =>
    Float32Array.from(center, (_, i) => (i < layout.trainableCount ? 0.02 * Math.sin(k * i + k) : 0)),
  );
  const plane = await openSlice(evaluator, { center, vectors }, { points: 1000 });
  return async (points: number, onPoint: (begun: number) => void = () => undefined): Promise<number> => {
    let next = 0;
    const begin = performance.now();
    const work = { width: () => evaluator.concurrency ?? 1, left: () => points - next };
    await runLanes(work, undefined, async (_stop, goesOn) => {
      while (next < points) {
        const at = next++;
        const begun = performance.now();
        await plane.evaluate((at % 5) / 5 - 0.4, at / points - 0.5);
        onPoint(begun);
        if (!goesOn()) return;
      }
    });
    return (performance.now() - begin) / 1000;
  };
}

/** Evaluates over the queue: opens a runner and an evaluator, does something with its points, and ends both. */
async function overQueue<T>(
  { url, store }: Place,
  subject: Subject,
  tileSeconds: number,
  act: (points: Awaited<ReturnType<typeof openPoints>>, runner: QueueRunner, opened: number) => Promise<T>,
): Promise<T> {
  const begin = performance.now();
  const runner = await createQueueRunner({ redis: url, store, tileSeconds });
  try {
    const evaluator = await createLossEvaluator(subject.model, subject.data, { ...subject.options, runner });
    try {
      const points = await openPoints(evaluator, subject);
      return await act(points, runner, (performance.now() - begin) / 1000);
    } finally {
      evaluator.dispose();
    }
  } finally {
    runner.dispose();
  }
}

/** What tiles and points cost the server, the submitter and a worker: from tiles of one point, and of many. */
async function measureCosts(
  place: Place,
  seconds: number,
): Promise<QueueCosts & { readonly pointSeconds: number } & Record<string, number>> {
  const subject = await pacedSubject();
  const here = await createLossEvaluator(subject.model, subject.data, { ...subject.options, workers: 1 });
  const alone = await openPoints(here, subject);
  await alone(50);
  const pointSeconds = (await alone(500)) / 500;
  here.dispose();
  const stretch = Math.min(10, seconds);
  const idle = async (): Promise<number> => {
    const before = await place.used();
    await sleep(1000 * stretch);
    return ((await place.used()).cpu - before.cpu) / stretch;
  };
  // A server has something to do when nobody is there.
  const serverSecond = await idle();
  const workers = await place.workers(1);
  const others = await place.workers(3);
  const perWorker = Math.max(0, (await idle()) - serverSecond) / 4;
  await others.stop();
  const measure = (tileSeconds: number) =>
    overQueue(place, subject, tileSeconds, async (points, { counts }, opened) => {
      await points(50);
      const count = 1000;
      const [start, cpu, own, tiles] = [
        performance.now(),
        await place.used(),
        process.cpuUsage(),
        counts.tiles,
      ];
      const wall = await points(count);
      const [server, ours] = [await place.used(), process.cpuUsage(own)];
      const took = (performance.now() - start) / 1000;
      return {
        points: count,
        opened,
        wall,
        tiles: counts.tiles - tiles,
        server: server.cpu - cpu.cpu - took * (serverSecond + perWorker),
        bytes: server.bytes - cpu.bytes,
        commands: server.commands - cpu.commands,
        submitter: (ours.user + ours.system) / 1e6,
      };
    });
  const single = await measure(1e-9);
  const many = await measure(50 * pointSeconds);
  await workers.stop();
  /** What each tile and each point takes of something, from two measurements. */
  const split = (of: (one: typeof single) => number): readonly [number, number] => {
    const tile = Math.max(0, (of(single) - of(many)) / (single.tiles - many.tiles));
    return [tile, Math.max(0, (of(single) - tile * single.tiles) / single.points)];
  };
  const [submitterTile, submitterPoint] = split(({ submitter }) => submitter);
  const [bytesTile, bytesPoint] = split(({ bytes }) => bytes);
  const [wallTile, wallPoint] = split(({ wall }) => wall);
  return {
    serverTile: single.server / single.tiles,
    serverWorkerSecond: perWorker,
    serverSecond,
    submitterTile,
    submitterPoint,
    workerTile: wallTile,
    open: single.opened,
    contentBytes: sizeOf(place.store),
    pointSeconds,
    workerPoint: Math.max(0, wallPoint - pointSeconds),
    tilesOfOne: single.tiles,
    tilesOfMany: many.tiles,
    commandsTile: single.commands / single.tiles,
    bytesTile,
    bytesPoint,
    bytesPerPointInOnes: single.bytes / single.points,
    bytesPerPointInTiles: many.bytes / many.points,
  };
}

function sizeOf(folder: string): number {
  const names = readdirSync(folder, { recursive: true }).map(String);
  return names.reduce((sum, name) => {
    const found = statSync(join(folder, name));
    return sum + (found.isFile() ? found.size : 0);
  }, 0);
}

/** Points that take a tenth of a second and no processor, in tiles of one second, beside what the model predicts. */
async function measurePaced(
  place: Place,
  costs: QueueCosts & { readonly pointSeconds: number },
  workers: number,
  seconds: number,
): Promise<QueueCase> {
  const pace = 50;
  const running = await place.workers(workers, { LANDSCAPE_PACE: String(pace) });
  const subject = await pacedSubject();
  // The loss is called twice a point, and the model computes.
  const pointSeconds = (2 * pace) / 1000 + costs.pointSeconds;
  const points = Math.round((workers * seconds) / pointSeconds);
  const result = await overQueue(place, subject, 1, async (evaluate, { counts }) => {
    // Each worker opens the job set, and the time of a point becomes known.
    await evaluate(20 * workers);
    const tiles = counts.tiles;
    return { measured: await evaluate(points), tiles: counts.tiles - tiles };
  });
  await running.stop();
  const work = { workers, points, pointSeconds, tileSeconds: 1, storeBytesPerSecond: 1e9 };
  const predicted = simulateQueue({ ...costs, open: 0, contentBytes: 0 }, work);
  const ideal = (points * pointSeconds) / workers;
  return {
    case: "paced",
    workers,
    points,
    ...result,
    predicted: predicted.seconds,
    predictedTiles: predicted.tiles,
    ratio: result.measured / predicted.seconds,
    efficiency: ideal / result.measured,
  };
}

/** Two workers of a queue beside two processes of the pool, in turn: the same points, computed in full. */
async function measureEfficiency(
  place: Place,
  name: string,
  samples: number,
  seconds: number,
  repetitions: number,
): Promise<QueueCase> {
  const subject = computingSubject(name, samples);
  const pool = await createLossEvaluator(subject.model, subject.data, { ...subject.options, workers: 2 });
  const inPool = await openPoints(pool, subject);
  await inPool(8);
  const points = Math.ceil(seconds / ((await inPool(20)) / 20));
  const running = await place.workers(2);
  const engine = { engine: pool.facts.engine.name } as LossEvaluatorOptions;
  const times = await overQueue(
    place,
    { ...subject, options: { ...subject.options, ...engine } },
    1,
    async (overWorkers, { counts }) => {
      await overWorkers(20);
      const before = counts.tiles;
      const found: { pool: number; queue: number }[] = [];
      for (let i = 0; i < repetitions; i++) {
        found.push({ pool: await inPool(points), queue: await overWorkers(points) });
      }
      return { found, tiles: (counts.tiles - before) / repetitions };
    },
  );
  await running.stop();
  pool.dispose();
  const middle = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1];
  return {
    case: "efficiency",
    model: name,
    engine: pool.facts.engine.name,
    samples,
    points,
    tiles: times.tiles,
    pool: middle(times.found.map((one) => one.pool)),
    queue: middle(times.found.map((one) => one.queue)),
    efficiency: middle(times.found.map((one) => one.pool / one.queue)),
    least: Math.min(...times.found.map((one) => one.pool / one.queue)),
    most: Math.max(...times.found.map((one) => one.pool / one.queue)),
    repetitions,
  };
}

/** One of two workers is killed: seconds until the last value of what it had is there. */
async function measureRecovery(place: Place): Promise<QueueCase> {
  const running = await place.workers(2, { LANDSCAPE_PACE: "50" });
  const subject = await pacedSubject();
  const result = await overQueue(place, subject, 1, async (evaluate, { counts }) => {
    await evaluate(40);
    let killed = 0;
    let recovered = 0;
    const begin = performance.now();
    await evaluate(600, (begun) => {
      const now = performance.now();
      if (killed === 0 && now - begin > 3000) {
        killed = now;
        running.kill(0);
      }
      if (killed > 0 && begun <= killed) recovered = now;
    });
    return { seconds: (recovered - killed) / 1000, begunAgain: counts.repeats, sentAgain: counts.again };
  });
  await running.stop();
  return { case: "recovery", ...result };
}
