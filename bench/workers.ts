import { parseArgs } from "node:util";
import * as tf from "@tensorflow/tfjs";
import type { BackendChoice } from "../src/backend/current-backend.js";
import { selectBackend } from "../src/backend/select-backend.js";
import { parseCount, parsePositive } from "../src/cli/command-options.js";
import { createLossEvaluator } from "../src/loss/create-loss-evaluator.js";
import type { LossEvaluator } from "../src/loss/loss-evaluator.js";
import type { EngineChoice } from "../src/loss/loss-options.js";
import { openSlice } from "../src/loss/slice-loss.js";
import { readWeights } from "../src/model/bound-weights.js";
import { layoutOfModel } from "../src/model/layout-of-model.js";
import { runLanes } from "../src/surface/evaluate-points.js";
import { type BenchOptions, checkNames } from "./bench-options.js";
import { median } from "./capture-statistics.js";
import { surfaceModels } from "./surface-models.js";

/** Seconds per grid point in one and in two worker processes of one thread each, and in the process itself. */
export interface WorkersCase {
  readonly case: string;
  readonly backend: string;
  readonly engine: string;
  readonly batchSize: number;
  /** Medians. */
  readonly one: number;
  readonly two: number;
  /** Median over repetitions of one / two, measured in turn: 2 would be perfect. */
  readonly scaling: number;
  /** The process itself with as many threads as the engine takes. */
  readonly inProcess: number;
  readonly samples: number;
  readonly points: number;
  readonly repetitions: number;
}

/** The report of the bench. */
export interface WorkersReport {
  readonly bench: "workers";
  readonly cases: readonly WorkersCase[];
}

/** Engines by backend: what is to be measured, and where. */
const ENGINES: Readonly<Record<string, readonly [BackendChoice, EngineChoice]>> = {
  native: ["native", "tensorflow"],
  onnx: ["native", "onnx"],
  "native-tfjs": ["native", "tfjs"],
  wasm: ["wasm", "tfjs-fused"],
};

/**
 * Runs the bench: `--cases mlp,lenet --backends native,onnx,wasm --seconds 6 --repetitions 3 --samples 10000`.
 * Each measurement takes as many points as one worker does in about `--seconds`, and 8 at least: of few points,
 * the first and the last, at which a worker is alone, would decide.
 */
export async function runBench({ args, log }: BenchOptions): Promise<WorkersReport> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: "boolean" },
      cases: { type: "string", default: "mlp,lenet" },
      backends: { type: "string", default: "native,onnx,wasm" },
      seconds: { type: "string", default: "6" },
      repetitions: { type: "string", default: "3" },
      samples: { type: "string" },
    },
  });
  const [backends, names] = [values.backends.split(","), values.cases.split(",")];
  checkNames("--backends", backends, Object.keys(ENGINES));
  checkNames("--cases", names, Object.keys(surfaceModels));
  const seconds = parsePositive("--seconds")(values.seconds);
  const repetitions = parseCount("--repetitions")(values.repetitions);
  const asked = values.samples === undefined ? null : parseCount("--samples")(values.samples);
  const cases: WorkersCase[] = [];
  for (const backend of backends) {
    for (const name of names) {
      const settings = { seconds, repetitions, samples: asked ?? surfaceModels[name].samples };
      const result = await measureCase(name, backend, settings);
      log(`${name} on ${backend}: ${JSON.stringify(result)}`);
      cases.push(result);
    }
  }
  return { bench: "workers", cases };
}

interface Settings {
  readonly seconds: number;
  readonly repetitions: number;
  readonly samples: number;
}

async function measureCase(
  name: string,
  backend: string,
  { seconds: least, repetitions, samples }: Settings,
): Promise<WorkersCase> {
  const [choice, engine] = ENGINES[backend];
  await selectBackend({ backend: choice });
  const { shape, make } = surfaceModels[name];
  const model = make();
  model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy", metrics: ["accuracy"] });
  const layout = layoutOfModel(model);
  const center = await readWeights(model, layout);
  const vectors = [1, 2].map((k) =>
    Float32Array.from(center, (_, i) => (i < layout.trainableCount ? 0.02 * Math.sin(k * i + k) : 0)),
  );
  const labels = tf.tensor1d(
    Int32Array.from({ length: samples }, (_, i) => (i * 7) % 10),
    "int32",
  );
  const data = {
    xs: tf.randomNormal([samples, ...shape], 0, 1, "float32", 7),
    ys: tf.oneHot(labels, 10).toFloat(),
  };
  const common = { engine, loss: "logits", dataId: "bench" } as const;
  const open: LossEvaluator[] = [];
  try {
    const first = await createLossEvaluator(model, data, { ...common, workers: 1 });
    open.push(first);
    const { batchSize } = first.facts.engine;
    open.push(await createLossEvaluator(model, data, { ...common, batchSize, workers: 2 }));
    open.push(await createLossEvaluator(model, data, { ...common, batchSize }));
    const runs = await Promise.all(open.map((evaluator) => planeRun(evaluator, { center, vectors })));
    const seconds: number[][] = runs.map(() => []);
    const warm: number[] = [];
    for (const run of runs) warm.push(await run(8));
    const points = Math.max(8, Math.ceil(least / warm[0]));
    for (let repetition = 0; repetition < repetitions; repetition++) {
      for (const [i, run] of runs.entries()) seconds[i].push(await run(points));
    }
    const [one, two, inProcess] = seconds;
    return {
      case: name,
      backend,
      engine: first.facts.engine.name,
      batchSize,
      one: median(one),
      two: median(two),
      scaling: median(one.map((value, i) => value / two[i])),
      inProcess: median(inProcess),
      samples,
      points,
      repetitions,
    };
  } finally {
    for (const evaluator of open) evaluator.dispose();
    tf.dispose([data.xs, data.ys, labels]);
    model.dispose();
  }
}

/** Returns what evaluates points of a plane, as many at once as the evaluator takes: seconds per point. */
async function planeRun(
  evaluator: LossEvaluator,
  vectors: { center: Float32Array; vectors: Float32Array[] },
): Promise<(points: number) => Promise<number>> {
  const plane = await openSlice(evaluator, vectors, { points: 1000 });
  return async (points) => {
    let next = 0;
    const begin = performance.now();
    const pieces = { width: () => evaluator.concurrency ?? 1, left: () => points - next };
    await runLanes(pieces, undefined, async (_stop, goesOn) => {
      while (next < points) {
        const at = next++;
        const [alpha, beta] = [(at % 5) / 5 - 0.4, at / points - 0.5];
        await plane.evaluate(alpha, beta);
        if (!goesOn()) return;
      }
    });
    return (performance.now() - begin) / 1000 / points;
  };
}
