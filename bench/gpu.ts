import { parseArgs } from "node:util";
import * as tf from "@tensorflow/tfjs";
import { createLeNet } from "../examples/models/lenet.js";
import { createResNet } from "../examples/models/resnet.js";
import { BACKEND_CHOICES } from "../src/backend/current-backend.js";
import { parseCount } from "../src/cli/command-options.js";
import { randomDirections } from "../src/directions/random.js";
import { createLossEvaluator, selectBackend } from "../src/index.js";
import type { DeviceChoice } from "../src/loss/loss-options.js";
import { openSlice } from "../src/loss/slice-loss.js";
import { readWeights } from "../src/model/bound-weights.js";
import { layoutOfModel } from "../src/model/layout-of-model.js";
import { type BenchOptions, checkNames } from "./bench-options.js";

/** One network on one device. */
export interface GpuCase {
  readonly case: string;
  readonly device: string;
  /** Engine and library; the reason where the device is missing or refused. */
  readonly engine: string;
  readonly batchSize: number | null;
  /** Seconds a point, median. */
  readonly seconds: number | null;
  /** Minutes of the whole grid at that speed. */
  readonly minutes: number | null;
  /** Largest difference of the losses from those of the processor at the same points, relative. */
  readonly difference: number | null;
  readonly points: number;
  readonly samples: number;
}

/** The report of the bench. */
export interface GpuReport {
  readonly bench: "gpu";
  readonly cases: readonly GpuCase[];
}

const shape = [32, 32, 3] as const;
/** A small γ on each branch keeps the activations of an untrained ResNet of any depth in range. */
const branchScale = 0.3;
const networks: Readonly<Record<string, () => tf.LayersModel>> = {
  lenet: () => createLeNet({ shape }),
  resnet20: () => createResNet({ depth: 20, branchScale }),
  resnet56: () => createResNet({ depth: 56, branchScale }),
};

const DEVICES = ["cpu", "webgpu", "cuda"];

/**
 * Measures a surface of filter-normalized random directions on each device: the processor, WebGPU and CUDA. A device that
 * is missing has a line that says what it lacks.
 *
 * Li et al. 2018 report an hour for ResNet-56, 51 × 51 points and 50,000 images, on four cards of their time.
 *
 * Arguments: `--case lenet|resnet20|resnet56` (default all), `--device cpu|webgpu|cuda` (default all), `--size 51`,
 * `--samples 50000`, `--points n` (points that are measured, default 5: the rest of the grid takes the same time each),
 * `--backend NAME` of TensorFlow.js (default the best that works).
 */
export async function runBench({ args, log }: BenchOptions): Promise<GpuReport> {
  const { values } = parseArgs({
    args: args.filter((arg) => arg !== "--json"),
    options: {
      case: { type: "string", multiple: true, default: Object.keys(networks) },
      device: { type: "string", multiple: true, default: DEVICES },
      size: { type: "string", default: "51" },
      samples: { type: "string", default: "50000" },
      points: { type: "string", default: "5" },
      backend: { type: "string", default: "auto" },
    },
  });
  checkNames("--case", values.case, Object.keys(networks));
  checkNames("--backend", [values.backend], BACKEND_CHOICES);
  checkNames("--device", values.device, DEVICES);
  const [size, samples, points] = (["size", "samples", "points"] as const).map((name) =>
    parseCount(`--${name}`)(values[name]),
  );
  await selectBackend({ backend: values.backend as "auto" });
  const xs = tf.randomNormal([samples, ...shape], 0, 1, "float32", 7);
  const ys = tf.tidy(() =>
    tf.oneHot(tf.range(0, samples, 1, "int32").mod(tf.scalar(10, "int32")), 10).toFloat(),
  );
  const cases: GpuCase[] = [];
  for (const name of values.case) {
    const model = networks[name]();
    model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy", metrics: ["accuracy"] });
    const onProcessor: number[] = [];
    for (const device of values.device) {
      const measured = await measure(model, { xs, ys }, device as DeviceChoice, points).catch(
        (error: Error) => error,
      );
      if (measured instanceof Error) {
        const engine = measured.message;
        cases.push({
          case: name,
          device,
          engine,
          batchSize: null,
          seconds: null,
          minutes: null,
          difference: null,
          points: 0,
          samples,
        });
      } else {
        const { losses, seconds, engine, batchSize } = measured;
        if (device === "cpu") onProcessor.push(...losses);
        const gaps = losses.map((loss, i) => Math.abs(loss / (onProcessor[i] ?? Number.NaN) - 1));
        const difference = onProcessor.length === 0 ? null : Math.max(...gaps);
        const minutes = (seconds * size * size) / 60;
        cases.push({ case: name, device, engine, batchSize, seconds, minutes, difference, points, samples });
      }
      log(lineOf(cases.at(-1) as GpuCase, size));
    }
    model.dispose();
  }
  return { bench: "gpu", cases };
}

async function measure(
  model: tf.LayersModel,
  data: { xs: tf.Tensor; ys: tf.Tensor },
  device: DeviceChoice,
  points: number,
) {
  const layout = layoutOfModel(model);
  const evaluator = await createLossEvaluator(model, data, { device, loss: "logits", dataId: "bench" });
  try {
    const center = await readWeights(model, layout);
    const { vectors } = randomDirections(layout, center, { seed: 0 });
    const slice = await openSlice(evaluator, { center, vectors }, { points: 1000 });
    const losses: number[] = [];
    const times: number[] = [];
    // The first point opens sessions and compiles shaders.
    for (let i = -1; i < points; i++) {
      const angle = (2 * Math.PI * i) / points;
      const begin = performance.now();
      const { loss } = await slice.evaluate(0.5 * Math.cos(angle), 0.5 * Math.sin(angle));
      if (i < 0) continue;
      times.push((performance.now() - begin) / 1000);
      losses.push(loss);
    }
    slice.dispose();
    const { name, backend, batchSize } = evaluator.facts.engine;
    const seconds = times.sort((a, b) => a - b)[times.length >> 1] as number;
    return { losses, seconds, engine: `${name} (${backend})`, batchSize };
  } finally {
    evaluator.dispose();
  }
}

function lineOf(
  { case: name, device, engine, batchSize, seconds, minutes, difference }: GpuCase,
  size: number,
): string {
  const what = `${name.padEnd(9)} ${device.padEnd(7)}`;
  if (seconds === null) return `${what} ${engine}`;
  const apart = difference === null ? "" : `, ${difference.toExponential(1)} from the processor`;
  return `${what} ${seconds.toFixed(3)} s a point, ${(minutes ?? 0).toFixed(1)} min for ${size} × ${size}${apart}; ${engine}, batches of ${batchSize}`;
}
