import { parseArgs } from "node:util";
import * as tf from "@tensorflow/tfjs";
import { createResNet } from "../examples/models/resnet.js";
import type { BackendChoice } from "../src/backend/current-backend.js";
import { selectBackend } from "../src/backend/select-backend.js";
import { parseCount } from "../src/cli/command-options.js";
import { createLossEvaluator } from "../src/loss/create-loss-evaluator.js";
import type { EngineChoice } from "../src/loss/loss-options.js";
import type { BatchNormPolicyName } from "../src/loss/slice-loss.js";
import { readWeights } from "../src/model/bound-weights.js";
import { layoutOfModel } from "../src/model/layout-of-model.js";
import { type BenchOptions, checkNames } from "./bench-options.js";

/** Milliseconds of processor time per point with statistics kept and recalibrated, one thread. */
export interface BatchNormCase {
  readonly case: string;
  readonly backend: string;
  readonly engine: string;
  readonly samples: number;
  readonly calibrationSamples: number;
  /** Least of the points. */
  readonly keep: number;
  readonly recalibrate: number;
  readonly ratio: number;
  readonly points: number;
}

/** The report of the bench. */
export interface BatchNormReport {
  readonly bench: "batch-norm";
  readonly cases: readonly BatchNormCase[];
}

/** Engines by name: what is to be measured, and where. */
const ENGINES: Readonly<Record<string, readonly [BackendChoice, EngineChoice]>> = {
  tensorflow: ["native", "tensorflow"],
  onnx: ["native", "onnx"],
  "tfjs-fused": ["wasm", "tfjs-fused"],
};

/** Networks with batch normalization, with the samples that a point is evaluated on and calibrated on. */
const NETWORKS: Readonly<
  Record<string, { readonly shape: number[]; readonly samples: number; make(): tf.LayersModel }>
> = {
  lenet: { shape: [28, 28, 1], samples: 1024, make: lenetWithBatchNorm },
  resnet20: { shape: [32, 32, 3], samples: 256, make: () => createResNet({ depth: 20 }) },
};

/** LeNet with batch normalization behind each convolution and the first dense layer. */
function lenetWithBatchNorm(): tf.LayersModel {
  const { layers } = tf;
  const conv = (filters: number, more = {}) =>
    layers.conv2d({ filters, kernelSize: 5, padding: "same", useBias: false, ...more });
  const block = () => [layers.batchNormalization(), layers.activation({ activation: "relu" })];
  const pool = () => layers.maxPooling2d({ poolSize: 2 });
  const model = tf.sequential({
    layers: [
      ...[conv(6, { inputShape: [28, 28, 1] }), ...block(), pool(), conv(16), ...block(), pool()],
      ...[layers.flatten(), layers.dense({ units: 120, useBias: false }), ...block()],
      layers.dense({ units: 10, activation: "softmax" }),
    ],
  });
  return model;
}

/**
 * Runs the bench: `--cases lenet,resnet20 --engines onnx,tensorflow,tfjs-fused --points 5`. Points with kept and with
 * recalibrated statistics take turns; the calibration set is the evaluation set.
 */
export async function runBench({ args, log }: BenchOptions): Promise<BatchNormReport> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: "boolean" },
      cases: { type: "string", default: "lenet,resnet20" },
      engines: { type: "string", default: "onnx,tensorflow,tfjs-fused" },
      points: { type: "string", default: "5" },
    },
  });
  const points = parseCount("--points")(values.points);
  const [engines, names] = [values.engines.split(","), values.cases.split(",")];
  checkNames("--engines", engines, Object.keys(ENGINES));
  checkNames("--cases", names, Object.keys(NETWORKS));
  const cases: BatchNormCase[] = [];
  for (const engine of engines) {
    for (const name of names) {
      const result = await measureCase(name, engine, points);
      log(`${name} on ${engine}: ${JSON.stringify(result)}`);
      cases.push(result);
    }
  }
  return { bench: "batch-norm", cases };
}

async function measureCase(name: string, engineName: string, points: number): Promise<BatchNormCase> {
  const [network, [backend, engine]] = [NETWORKS[name], ENGINES[engineName]];
  await selectBackend({ backend });
  const { samples, shape } = network;
  const model = network.make();
  model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy" });
  const xs = tf.randomUniform([samples, ...shape], 0, 1, "float32", 1);
  const labels = tf.randomUniform([samples], 0, 10, "int32", 2);
  const ys = tf.oneHot(labels, 10).cast("float32");
  const layout = layoutOfModel(model);
  const evaluator = await createLossEvaluator(
    model,
    { xs, ys },
    { engine, threads: 1, layout, calibration: {} },
  );
  const theta = await readWeights(model, layout);
  const measure = async (batchNorm: BatchNormPolicyName, point: number): Promise<number> => {
    const at = theta.map((value, i) => value * (1 + 1e-3 * Math.sin(i + point)));
    const before = process.cpuUsage();
    await evaluator.evaluate(at, { batchNorm });
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  };
  // The first points pay for what is prepared once.
  for (const policy of ["keep", "recalibrate"] as const) await measure(policy, -1);
  const found = { keep: Number.POSITIVE_INFINITY, recalibrate: Number.POSITIVE_INFINITY };
  for (let point = 0; point < points; point++) {
    for (const policy of ["keep", "recalibrate"] as const) {
      found[policy] = Math.min(found[policy], await measure(policy, point));
    }
  }
  const { facts } = evaluator;
  evaluator.dispose();
  tf.dispose([xs, ys, labels]);
  model.dispose();
  return {
    case: name,
    backend: facts.engine.backend,
    engine: facts.engine.name,
    samples,
    calibrationSamples: facts.calibration?.samples ?? 0,
    ...found,
    ratio: found.recalibrate / found.keep,
    points,
  };
}
