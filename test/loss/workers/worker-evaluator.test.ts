import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { mixtureMap } from "../../../src/directions/mixture.js";
import { createProcessRunner } from "../../../src/jobs/process-runner.js";
import type { TaskRunner } from "../../../src/jobs/task-runner.js";
import { createLossEvaluator } from "../../../src/loss/create-loss-evaluator.js";
import type { LossEvaluator } from "../../../src/loss/loss-evaluator.js";
import type { LossEvaluatorOptions } from "../../../src/loss/loss-options.js";
import { readWeights } from "../../../src/model/bound-weights.js";
import { layoutOfModel } from "../../../src/model/layout-of-model.js";
import { evaluateSurface } from "../../../src/surface/evaluate-surface.js";
import type { Surface } from "../../../src/surface/surface.js";
import { bitsOf } from "../../store/sample-run.js";
import { useTestBackend } from "../../support/backend.js";
import { temporaryFolders, tinyData, tinyModel } from "../../support/tiny-training.js";

const newFolder = temporaryFolders();
const open: LossEvaluator[] = [];
let model: tf.Sequential;
let data: ReturnType<typeof tinyData>;
let plane: { center: Float32Array; vectors: Float32Array[] };
const grid = {
  alpha: Float64Array.from({ length: 7 }, (_, i) => (i - 2) / 3),
  beta: Float64Array.from({ length: 5 }, (_, i) => (i - 3) / 2),
};

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
});
afterEach(() => {
  for (const evaluator of open.splice(0)) evaluator.dispose();
});
afterAll(() => {
  model.dispose();
  tf.dispose(data);
});

async function workers(
  options: LossEvaluatorOptions,
  given: tf.LayersModel = model,
): Promise<LossEvaluator & { workerIds(): readonly number[] }> {
  const runner = createProcessRunner(Number(options.workers));
  const evaluator = await createLossEvaluator(given, data, { ...options, runner });
  open.push(evaluator, { ...evaluator, dispose: runner.dispose });
  return Object.assign(evaluator, { workerIds: runner.processIds });
}

async function inProcess(options: LossEvaluatorOptions = {}): Promise<LossEvaluator> {
  const evaluator = await createLossEvaluator(model, data, options);
  open.push(evaluator);
  return evaluator;
}

function bits({ loss, metrics, center }: Surface): readonly string[] {
  return [loss, ...Object.values(metrics), Float64Array.of(center.loss)].map(bitsOf);
}

const ENGINES = ["tfjs", "onnx"] as const;

describe("values of worker processes", () => {
  test.each(ENGINES)("are those of this process bit for bit, for 1, 2 and 3 workers (%s)", async (engine) => {
    const options = { engine, batchSize: 5, threads: 1 };
    const own = await evaluateSurface(await inProcess(options), plane, grid);
    for (const count of [1, 2, 3]) {
      const evaluator = await workers({ ...options, workers: count });
      expect(bits(await evaluateSurface(evaluator, plane, grid))).toEqual(bits(own));
      expect(evaluator.facts).toMatchObject({ workers: count, samples: 12, metricNames: ["acc"] });
    }
  });

  test("so are digests and the request, and lines, single points and maps that are no plane", async () => {
    const options = { engine: "tfjs", batchSize: 4 } as const;
    const [own, evaluator] = [await inProcess(options), await workers({ ...options, workers: 2 })];
    const { modelDigest, dataDigest, request } = own.facts;
    expect(evaluator.facts).toMatchObject({ modelDigest, dataDigest, request });
    const line = { alpha: Float64Array.of(-1, 0.5, 1), beta: Float64Array.of(0) };
    expect(bits(await evaluateSurface(evaluator, plane, line))).toEqual(
      bits(await evaluateSurface(own, plane, line)),
    );
    const map = mixtureMap("line", [plane.center, plane.vectors[0] as Float32Array]);
    expect(bits(await evaluateSurface(evaluator, map, line))).toEqual(
      bits(await evaluateSurface(own, map, line)),
    );
    expect(await evaluator.evaluate(plane.center)).toEqual(await own.evaluate(plane.center));
  });

  test("the first worker's choice of engine is that of the others", async () => {
    const evaluator = await workers({ workers: 2 });
    const { loss } = await evaluateSurface(evaluator, plane, grid);
    const { name, batchSize, threads } = evaluator.facts.engine;
    expect(threads).toBeLessThanOrEqual(1);
    const again = await workers({ workers: 1, reuse: { name, batchSize, threads } });
    expect(again.facts.request).toEqual({ engine: "auto", batchSize: null, threads: null });
    expect(bitsOf((await evaluateSurface(again, plane, grid)).loss)).toBe(bitsOf(loss));
  });
});

describe("a worker that dies", () => {
  test("is replaced, and its points are done again: the same bytes", async () => {
    const options = { engine: "tfjs", batchSize: 5 } as const;
    const own = await evaluateSurface(await inProcess(options), plane, grid);
    const evaluator = await workers({ ...options, workers: 2 });
    const before = evaluator.workerIds();
    let points = 0;
    const surface = await evaluateSurface(evaluator, plane, grid, {
      onPoint: () => {
        points++;
        if (points === 8 || points === 20) process.kill(evaluator.workerIds()[0] as number, "SIGKILL");
      },
    });
    expect(bits(surface)).toEqual(bits(own));
    expect(evaluator.workerIds()).not.toEqual(before);
  });

  test("three times at one point is an error that names the point; the next surface works", async () => {
    const { evaluator, slice } = await fatalBeyondOne();
    const line = { alpha: Float64Array.of(-1, 0, 0.5, 2), beta: Float64Array.of(0) };
    await expect(evaluateSurface(evaluator, slice, line)).rejects.toThrow(
      "grid point 3 (column 3, row 0: α = 2, β = 0): expected a loss, got 3 workers that died there, the last by signal SIGKILL",
    );
    const safe = { alpha: Float64Array.of(-1, 0), beta: Float64Array.of(0) };
    expect((await evaluateSurface(evaluator, slice, safe)).nonFinite).toBe(0);
  });

  test("is no matter of the points beside the one at fault, though it had them in the same message", async () => {
    const { evaluator, slice, deaths } = await fatalBeyondOne();
    const line = { alpha: Float64Array.from({ length: 40 }, (_, i) => i / 40 - 1), beta: Float64Array.of(0) };
    await evaluateSurface(evaluator, slice, line);
    const fatal = 7;
    const points = Array.from({ length: 24 }, (_, i) => {
      const alpha = i === fatal ? 2 : -i / 24;
      const at = plane.center.map((value, j) => value + alpha * (slice.vectors[0][j] as number));
      return evaluator.evaluate(at, { name: `point ${i}` });
    });
    const outcomes = await Promise.allSettled(points);
    expect(outcomes.flatMap(({ status }, i) => (status === "rejected" ? [i] : []))).toEqual([fatal]);
    await expect(points[fatal]).rejects.toThrow("point 7: expected a loss, got 3 workers that died there");
    expect(deaths()).toBe(3);
  });

  test("with its parent, which does not leave it behind", async () => {
    const script = `
      import { createLossEvaluator, selectBackend } from ${JSON.stringify(fileURLToPath(new URL("../../../dist/src/index.js", import.meta.url)))};
      import * as tf from "@tensorflow/tfjs";
      await selectBackend({ backend: "js" });
      const model = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [2] })] });
      model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
      const data = { xs: tf.ones([3, 2]), ys: tf.ones([3, 1]) };
      const evaluator = await createLossEvaluator(model, data, { workers: 1, engine: "tfjs" });
      const { execFileSync } = await import("node:child_process");
      console.log(execFileSync("pgrep", ["-P", String(process.pid), "-f", "worker"], { encoding: "utf8" }).trim());
      process.kill(process.pid, "SIGKILL");`;
    let pid = 0;
    try {
      execFileSync(process.execPath, ["--input-type=module", "-e", script], {
        encoding: "utf8",
        stdio: "pipe",
      });
    } catch (error) {
      pid = Number((error as { stdout: string }).stdout);
    }
    expect(pid).toBeGreaterThan(0);
    await expect.poll(() => isAlive(pid), { timeout: 20_000 }).toBe(false);
  });
});

describe("how much a worker has at a time", () => {
  test.each([
    ["two points that take 25 ms each", 25, 4, 4],
    ["more of those that take little", 0, 9, 128],
  ])("is %s", async (_, ms, least, most) => {
    const { evaluator } = await withLoss(
      `export function lossFunction(model, xs, ys) {
         const end = performance.now() + ${ms};
         while (performance.now() < end);
         return model.apply(xs).sub(ys).square().mean();
       }`,
    );
    expect(evaluator.concurrency).toBe(4);
    const warned: string[] = [];
    const onWarning = ({ message }: Error) => void warned.push(message);
    process.on("warning", onWarning);
    const during: number[] = [];
    // The first points of all take longer, and so do those beside other work of the machine.
    for (let i = 0; i < 2 || (i < 10 && Math.max(...during) < least); i++) {
      await evaluateSurface(evaluator, plane, grid, {
        signal: new AbortController().signal,
        onPoint: () => void during.push(evaluator.concurrency ?? 0),
      });
    }
    process.off("warning", onWarning);
    expect(warned).toEqual([]);
    expect(Math.max(...during)).toBeGreaterThanOrEqual(least);
    expect(evaluator.concurrency).toBe(4);
    // Points at which the loss is not defined cost nothing, and tell nothing.
    const undefinedPoint = plane.center.map(() => Number.NaN);
    await Promise.all(
      Array.from({ length: 50 }, async () => {
        await evaluator.evaluate(undefinedPoint);
        during.push(evaluator.concurrency ?? 0);
      }),
    );
    expect(Math.max(...during)).toBeLessThanOrEqual(most);
  });

  test("is two again where points take long after short ones, and where they begin", async () => {
    const { evaluator } = await withLoss(
      `export function lossFunction(model, xs, ys) {
         const bias = model.weights.find(({ name }) => name.includes("bias")).read().dataSync()[0];
         const end = performance.now() + (bias > 1 ? 60 : 0);
         while (performance.now() < end);
         return model.apply(xs).sub(ys).square().mean();
       }`,
    );
    const seen: number[] = [];
    await Promise.all(
      Array.from({ length: 200 }, async () => {
        await evaluator.evaluate(plane.center);
        seen.push(evaluator.concurrency ?? 0);
      }),
    );
    expect(Math.max(...seen)).toBeGreaterThan(8);
    expect(evaluator.concurrency).toBe(4);
    // Every point of it is long, the first one too: nothing is known of it before.
    const { center, vectors } = alongFirstBias();
    const long = { center: center.map((value, i) => value + 2 * (vectors[0][i] as number)), vectors };
    const line = { alpha: Float64Array.from({ length: 10 }, (_, i) => i), beta: Float64Array.of(0) };
    const during: number[] = [];
    const onPoint = () => void during.push(evaluator.concurrency ?? 0);
    await evaluateSurface(evaluator, long, line, { onPoint });
    expect(during).toHaveLength(10);
    expect(Math.max(...during)).toBe(4);
  });
});

describe("a plane that is disposed", () => {
  test("stays for the points that were asked for before, and is refused afterwards", async () => {
    const { evaluator, planes } = await workerWithFolder();
    const expected = await evaluator.evaluate(plane.center);
    for (let i = 0; i < 3; i++) {
      const opened = await openPlane(evaluator);
      const points = [1, 2, 3, 4, 5].map(() => opened.evaluate(0, 0));
      opened.dispose();
      opened.dispose();
      expect(new Set((await Promise.all(points)).map(({ loss }) => loss))).toEqual(new Set([expected.loss]));
      await expect(opened.evaluate(0, 0)).rejects.toThrow("slice: expected one in use");
    }
    await expect.poll(planes).toEqual([]);
  });
});

describe("what stops it", () => {
  test("a signal: the promise rejects with its reason, and the evaluator works on", async () => {
    const evaluator = await workers({ workers: 2, engine: "tfjs" });
    const abort = new AbortController();
    const surface = evaluateSurface(evaluator, plane, grid, {
      signal: abort.signal,
      onProgress: (done) => done === 5 && abort.abort(new Error("enough")),
    });
    await expect(surface).rejects.toThrow("enough");
    expect(Number.isFinite((await evaluator.evaluate(plane.center)).loss)).toBe(true);
    await expect(createLossEvaluator(model, data, { workers: 1, signal: abort.signal })).rejects.toThrow(
      "enough",
    );
  });

  test("a signal in the middle of a point: one more batch runs at most, and nothing of it after the next", async () => {
    const folder = newFolder();
    mkdirSync(folder, { recursive: true });
    const setup = join(folder, "counting.mjs");
    const [batches, go] = [join(folder, "batches"), join(folder, "go")];
    // Each batch is told of, and the third waits until it may go on.
    writeFileSync(
      setup,
      `import { appendFileSync, existsSync, readFileSync } from "node:fs";
       globalThis.tellOfBatch = () => {
         appendFileSync(${JSON.stringify(batches)}, "x");
         while (readFileSync(${JSON.stringify(batches)}).length === 3 && !existsSync(${JSON.stringify(go)}));
       };
       export function lossFunction(model, xs, ys) {
         globalThis.tellOfBatch();
         return model.apply(xs).sub(ys).square().mean();
       }`,
    );
    const { lossFunction } = await import(setup);
    const options = { engine: "tfjs", setup, lossFunction, workers: 1, batchSize: 1, metrics: [] } as const;
    const evaluator = await workers(options);
    const done = () => (existsSync(batches) ? readFileSync(batches).length : 0);
    const abort = new AbortController();
    const points = [1, 2].map(() => evaluator.evaluate(plane.center, { signal: abort.signal }));
    const outcomes = Promise.allSettled(points);
    await expect.poll(done, { timeout: 20_000 }).toBe(3);
    abort.abort(new Error("enough"));
    writeFileSync(go, "");
    expect((await outcomes).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    // The worker is free when it has answered this one, of twelve batches, each of which is looked at first.
    expect(Number.isFinite((await evaluator.evaluate(plane.center)).loss)).toBe(true);
    expect(done()).toBeLessThanOrEqual(4 + 2 * 12);
  });

  test("a signal before a plane is open: the plane leaves no file", async () => {
    const { evaluator, planes } = await workerWithFolder();
    const opened = await openPlane(evaluator);
    expect(planes()).toHaveLength(1);
    opened.dispose();
    await expect.poll(planes).toEqual([]);
    await expect(openPlane(evaluator, AbortSignal.abort(new Error("enough")))).rejects.toThrow("enough");
    expect(planes()).toEqual([]);
    const abort = new AbortController();
    const opening = openPlane(evaluator, abort.signal);
    abort.abort(new Error("later"));
    await expect(opening).rejects.toThrow("later");
    expect(planes()).toEqual([]);
    expect((await evaluateSurface(evaluator, plane, grid)).nonFinite).toBe(0);
  });

  test("dispose ends the workers and removes their files", async () => {
    const evaluator = await workers({ workers: 1, engine: "tfjs" });
    const [pid] = evaluator.workerIds() as [number];
    evaluator.dispose();
    evaluator.dispose();
    await expect(evaluator.evaluate(plane.center)).rejects.toThrow("one that was disposed");
    await expect.poll(() => isAlive(pid), { timeout: 20_000 }).toBe(false);
  });

  test("what cannot be handed to a process is named, with the way out", async () => {
    const custom = tinyModel();
    custom.compile({
      optimizer: "sgd",
      loss: (a: tf.Tensor, b: tf.Tensor) => tf.losses.meanSquaredError(a, b),
    });
    await expect(createLossEvaluator(custom, data, { workers: 1 })).rejects.toThrow(
      /worker processes: loss: expected losses of TensorFlow.js by name, got a function of your own; give `setup`/,
    );
    custom.dispose();
    const lossFunction = () => tf.scalar(0);
    await expect(createLossEvaluator(model, data, { workers: 1, lossFunction })).rejects.toThrow(
      "worker processes: lossFunction: expected `setup`",
    );
    await expect(createLossEvaluator(model, data, { workers: 0 })).rejects.toThrow(
      'workers: expected "auto"',
    );
    await expect(createLossEvaluator(model, data, { workers: 1, setup: "nowhere.mjs" })).rejects.toThrow(
      "module that loads",
    );
  });
});

async function openPlane({ openSlice }: LossEvaluator, signal?: AbortSignal) {
  if (openSlice === undefined) throw new Error("expected slices");
  return openSlice(plane, { points: 100, signal });
}

/** One worker, and the files of planes in its folder. */
async function workerWithFolder() {
  const folder = newFolder();
  mkdirSync(folder, { recursive: true });
  vi.stubEnv("TMPDIR", folder);
  const evaluator = await workers({ workers: 1, engine: "tfjs" });
  vi.unstubAllEnvs();
  const planes = () =>
    readdirSync(folder, { recursive: true }).filter((name) => String(name).includes("slice-"));
  return { evaluator, planes };
}

/** Two workers with a loss of their own, from the text of their set-up module. */
async function withLoss(text: string) {
  const folder = newFolder();
  mkdirSync(folder, { recursive: true });
  const setup = join(folder, "setup.mjs");
  writeFileSync(setup, text);
  const { lossFunction } = await import(setup);
  return { evaluator: await workers({ engine: "tfjs", setup, lossFunction, workers: 2 }), folder };
}

/** The line through θ* along which the first bias moves. */
function alongFirstBias() {
  const bias = layoutOfModel(model).parameters.find(({ name }) => name.includes("bias"));
  const vector = new Float32Array(plane.center.length);
  vector[bias?.offset ?? 0] = 1;
  return { center: plane.center.slice(), vectors: [vector] as const };
}

/** Workers that die where the first bias has been moved beyond 1, along the line. */
async function fatalBeyondOne() {
  const told = join(newFolder(), "deaths");
  mkdirSync(join(told, ".."), { recursive: true });
  const { evaluator } = await withLoss(
    `import { appendFileSync } from "node:fs";
     globalThis.tellAndDie = () => {
       appendFileSync(${JSON.stringify(told)}, "x");
       process.kill(process.pid, "SIGKILL");
     };
     export function lossFunction(model, xs, ys) {
       const bias = model.weights.find(({ name }) => name.includes("bias")).read().dataSync()[0];
       if (bias > 1) globalThis.tellAndDie();
       return model.apply(xs).sub(ys).square().mean();
     }`,
  );
  return {
    evaluator,
    slice: alongFirstBias(),
    deaths: () => (existsSync(told) ? readFileSync(told).length : 0),
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test.each<[string, LossEvaluatorOptions, boolean]>([
  ["wait for the first, which chooses", {}, true],
  ["wait for the batch size of an engine that is named", { engine: "tfjs" }, true],
  ["start with it where engine and batch size are named", { engine: "tfjs", batchSize: 4 }, false],
  [
    "start with it where an earlier choice is taken",
    { reuse: { name: "tfjs", batchSize: 4, threads: 1 } },
    false,
  ],
])("other processes %s", async (_what, options, waits) => {
  const inner = createProcessRunner(2);
  let isSettled: boolean | undefined;
  const runner: TaskRunner = {
    ...inner,
    open(program, order, how) {
      isSettled = how?.settle !== undefined;
      return inner.open(program, order, how);
    },
  };
  const evaluator = await createLossEvaluator(model, data, { ...options, threads: 1, runner });
  open.push(evaluator, { ...evaluator, dispose: inner.dispose });
  expect(isSettled).toBe(waits);
  const here = await inProcess({ ...options, threads: 1, reuse: evaluator.facts.engine });
  const points = Array.from({ length: 6 }, () => evaluator.evaluate(plane.center));
  const expected = await here.evaluate(plane.center);
  for (const value of await Promise.all(points)) expect(value).toEqual(expected);
});
