import { performance } from "node:perf_hooks";
import * as tf from "@tensorflow/tfjs";
import { mapConvexity, spectrumEnds } from "../src/curvature/convexity-map.js";
import { createCurvature } from "../src/curvature/create-curvature.js";
import { openCurvatureWorkers } from "../src/curvature/curvature-workers.js";
import { criticalSharpness } from "../src/curvature/stability.js";
import { dot } from "../src/curvature/vectors.js";
import { randomDirections } from "../src/directions/random.js";
import { createLossEvaluator } from "../src/loss/create-loss-evaluator.js";
import type { LossEvaluator } from "../src/loss/loss-evaluator.js";
import { sliceWriters } from "../src/loss/slice-loss.js";
import { readWeights } from "../src/model/bound-weights.js";
import { layoutOfModel } from "../src/model/layout-of-model.js";
import { createCaptureCase } from "./capture-cases.js";

/** What both measure: a LeNet, trained by plain SGD on the first images of MNIST. */
interface TrainedOn {
  readonly samples: number;
  /** Snapshots along the training. */
  readonly snapshots: number;
}

/** Critical sharpness at snapshots of a run, beside their losses. */
export interface PathCase extends TrainedOn {
  readonly case: "path";
  /** Seconds of all critical sharpnesses, of all losses, and of the gradients, which are the updates. */
  readonly ours: number;
  readonly peer: number;
  readonly gradients: number;
  readonly ratio: number;
  /** Losses for each snapshot, beside that at the snapshot. */
  readonly evaluations: number;
  /** Snapshots where it is not known, with a warning. */
  readonly unknown: number;
}

/** A convexity map around the last snapshot. */
export interface MapCase {
  readonly case: "map";
  readonly samples: number;
  /** Points along each axis. */
  readonly size: number;
  readonly workers: number;
  readonly seconds: number;
  readonly products: { readonly mean: number; readonly max: number };
  /** Points that have not converged. */
  readonly open: number;
}

const RATE = 0.05;
const BATCH = 100;

async function trainedLeNet({ samples, snapshots }: TrainedOn) {
  const { model, xs, ys } = await createCaptureCase("lenet", samples);
  model.compile({ optimizer: tf.train.sgd(RATE), loss: "categoricalCrossentropy" });
  const layout = layoutOfModel(model);
  const thetas = [await readWeights(model, layout)];
  const perEpoch = Math.ceil(samples / BATCH);
  // The first snapshot is that of the start.
  const later = Math.max(1, snapshots - 1);
  const every = Math.max(1, Math.floor((20 * perEpoch) / later));
  const epochs = Math.ceil((every * later) / perEpoch);
  let batches = 0;
  const onBatchEnd = async () => {
    if (++batches % every === 0 && thetas.length < snapshots) thetas.push(await readWeights(model, layout));
  };
  await model.fit(xs, ys, { epochs, batchSize: BATCH, verbose: 0, callbacks: { onBatchEnd } });
  return { model, layout, thetas, data: { xs, ys } };
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

/** Measures critical sharpness along a run against evaluating the losses of its snapshots. */
export async function measurePath(on: TrainedOn): Promise<PathCase> {
  const { model, layout, thetas, data } = await trainedLeNet(on);
  const evaluator = await createLossEvaluator(model, data, { layout, dataId: "bench" });
  const curvature = await createCurvature(model, data, { layout, dataId: "bench" });
  let evaluations = 0;
  const counted: LossEvaluator = {
    ...evaluator,
    evaluate(...given) {
      evaluations++;
      return evaluator.evaluate(...given);
    },
  };
  await evaluator.evaluate(thetas[0] as Float32Array);
  let near = RATE;
  let [ours, peer, gradients, unknown] = [0, 0, 0, 0];
  for (const theta of thetas) {
    let loss = Number.NaN;
    peer += await seconds(async () => {
      loss = (await evaluator.evaluate(theta)).loss;
    });
    let gradient = new Float64Array(0);
    gradients += await seconds(async () => {
      const point = await curvature.at(theta);
      gradient = point.gradient.slice();
      point.dispose();
    });
    const update = Float32Array.from(gradient, (value) => -value);
    ours += await seconds(async () => {
      const how = { start: 1.25 * near, loss, slope: -dot(gradient, gradient) };
      const found = await criticalSharpness(counted, theta, update, how);
      if (found.warnings.length > 0) unknown++;
      else near = found.rate;
    });
  }
  curvature.dispose();
  await evaluator.dispose();
  const perSnapshot = evaluations / thetas.length;
  return {
    case: "path",
    samples: on.samples,
    snapshots: thetas.length,
    ours,
    peer,
    gradients,
    ratio: ours / peer,
    evaluations: perSnapshot,
    unknown,
  };
}

/** Measures a convexity map on a random plane around the end of a training. */
export async function measureMap({
  samples,
  size,
  workers,
  log,
}: Pick<MapCase, "samples" | "size" | "workers"> & {
  readonly log: (line: string) => void;
}): Promise<MapCase> {
  const { model, layout, thetas, data } = await trainedLeNet({ samples, snapshots: 2 });
  const ends = { matrix: "hessian", tolerance: 0.01, products: 60, seed: 0 } as const;
  const how = { layout, loss: "logits", dataId: "bench" } as const;
  const curvature = await createCurvature(model, data, how);
  const writer = sliceWriters(
    randomDirections(layout, thetas.at(-1) as Float32Array),
    layout,
    "keep",
  ).create();
  const axis = Float64Array.from({ length: size }, (_, i) => -1 + (2 * i) / Math.max(1, size - 1));
  const pool =
    workers === 0 ? null : await openCurvatureWorkers(curvature, model, data, how, ends, { workers });
  const start = performance.now();
  const { points } = await mapConvexity(axis, axis, {
    thetaAt(alpha, beta) {
      writer.moveTo(alpha, beta);
      return writer.theta.slice();
    },
    endsAt: (theta, from) => pool?.ends(theta, from) ?? spectrumEnds(curvature, theta, from, ends),
    concurrency: pool?.concurrency ?? 1,
    known: [],
    onPoint() {},
    onProgress: (done, total) => {
      if (done % size === 0) log(`map: ${done} of ${total} points`);
    },
  });
  const taken = (performance.now() - start) / 1000;
  pool?.dispose();
  curvature.dispose();
  const products = points.map((point) => point.products);
  return {
    case: "map",
    samples,
    size,
    workers,
    seconds: taken,
    products: { mean: products.reduce((a, b) => a + b, 0) / products.length, max: Math.max(...products) },
    open: points.filter(({ isConverged }) => !isConverged).length,
  };
}
