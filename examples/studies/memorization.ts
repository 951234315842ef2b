// A good optimum against one that has memorized wrong labels, after Horoi et al.: the region around each is
// sampled by jumping and retraining, and embedded with PHATE. Run it with
// `npx jiti examples/studies/memorization.ts [--quick] [--workers 2] [--out DIR]`; see docs/studies.md. Other sizes:
// `--network wide-resnet --data FOLDER --full --images 50000 --epochs 200 --backend native`.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import {
  createLossEvaluator,
  embedRuns,
  type JumpRun,
  jumpAndRetrain,
  type LossEvaluator,
  type NamedFigure,
  openRun,
  type Run,
  selectBackend,
  writeReport,
} from "tfjs-landscape";
import { trajectoryCallback } from "tfjs-landscape/callbacks";
import { createEmbeddingFigure } from "tfjs-landscape/figures";
import { layoutOfModel, readWeights } from "tfjs-landscape/surface";
import { corruptLabels, shuffledBatches } from "../data/images.js";
import { embedStudy } from "./embed-study.js";
import { imageShape } from "./study.js";
import { createStudyNetwork, type LabelledImages, loadNetworkImages } from "./study-network.js";
import { studyOptions } from "./study-options.js";

const defaults = { network: "mlp", data: "mnist", images: 500 } as const;
const { out, quick, workers, backend, epochs: asked, ...size } = studyOptions("memorization", defaults);
await selectBackend({ backend });
const images = quick ? 100 : size.images;
const truth = loadNetworkImages(size, "train", images);
const test = loadNetworkImages(size, "test", Math.min(10_000, 2 * images));
const wrong = corruptLabels(truth, 0.5, 1);
const optima = [
  { name: "good", train: truth, epochs: quick ? 5 : (asked ?? 40) },
  { name: "memorizing", train: wrong, epochs: quick ? 5 : (asked ?? 150) },
];
/** Twice the factor of the squared weights. */
const PENALTY = 6e-4;
const batchSize = 16;
const learningRate = 0.05;
const epochsAfter = quick ? 8 : 40;
// More than the states of a path: with fewer neighbours the graph falls apart into the paths.
const NEIGHBOURS = quick ? 9 : 60;

/**
 * Trains the same network from the same start; only labels and epochs differ. Adam finds the optimum; SGD, with
 * which the jumps are retrained, then brings it to rest and is recorded.
 */
async function trainOptimum(name: string, train: LabelledImages, epochs: number): Promise<tf.LayersModel> {
  const model = createStudyNetwork(size.network, { shape: imageShape(size), seed: 1, weightDecay: PENALTY });
  const compiled = { loss: "categoricalCrossentropy", metrics: ["accuracy"] };
  model.compile({ ...compiled, optimizer: tf.train.adam(0.002) });
  await model.fitDataset(shuffledBatches(train, { batchSize: 32, seed: 2 }), { epochs, verbose: 0 });
  model.compile({ ...compiled, optimizer: tf.train.momentum(learningRate, 0.9) });
  const recorder = trajectoryCallback({ directory: join(out, name), name, overwrite: true });
  await model.fitDataset(shuffledBatches(train, { batchSize, seed: 3 }), {
    epochs: epochsAfter,
    verbose: 0,
    callbacks: [recorder],
  });
  return model;
}

/** A loss and what computes it. */
interface ExactLoss {
  readonly name: string;
  readonly source: { readonly evaluator: LossEvaluator };
}

/** Exact losses of the whole sets; the runs' own logs would do for the jumps, but not for the optimum's way. */
async function createLosses(model: tf.LayersModel, train: LabelledImages): Promise<readonly ExactLoss[]> {
  const open = (data: LabelledImages) => createLossEvaluator(model, data, { engine: "tfjs", loss: "logits" });
  return [
    { name: "training loss", source: { evaluator: await open(train) } },
    { name: "test loss", source: { evaluator: await open(test) } },
  ];
}

async function scoreLine(name: string, losses: readonly ExactLoss[], theta: Float32Array): Promise<string> {
  const parts = losses.map(async ({ name: what, source }) => {
    const { loss, metrics } = await source.evaluator.evaluate(theta);
    return `${what} ${loss.toPrecision(3)} (accuracy ${(metrics.acc ?? Number.NaN).toFixed(3)})`;
  });
  return `${name}, the optimum: ${(await Promise.all(parts)).join(", ")}`;
}

/** Means over the seeds, by the size of the jump: just after it, and after retraining. */
async function jumpLines(name: string, runs: readonly JumpRun[], theta: Float32Array): Promise<string[]> {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const lines: string[] = [];
  for (const distance of new Set(runs.map((run) => run.distance))) {
    const some = runs.filter((run) => run.distance === distance);
    const parts = ["loss", "test_loss", "test_acc"].map((log) => {
      const [first, last] = [0, -1].map((state) =>
        mean(some.map(({ states }) => states.at(state)?.logs[log] ?? Number.NaN)).toPrecision(3),
      );
      return `${log} ${first} to ${last}`;
    });
    const away = mean(await Promise.all(some.map((run) => distanceLeft(run, theta))));
    const left = `${(100 * away).toFixed(0)} % of the distance to the optimum left`;
    lines.push(`${name}, jumps of ${distance}, then retrained: ${[...parts, left].join(", ")}`);
  }
  return lines;
}

/** Distance from the optimum after retraining, as a share of that after the jump. */
async function distanceLeft({ directory, states }: JumpRun, theta: Float32Array): Promise<number> {
  const run = await openRun(directory);
  const [start, end] = [await run.readTheta(0), await run.readTheta(states.length - 1)];
  const away = (point: Float32Array) => Math.hypot(...point.map((value, i) => value - (theta[i] as number)));
  return away(end) / away(start);
}

const lines: string[] = [];
const figures: NamedFigure[] = [];
const all: Run[] = [];
let testLoss: ExactLoss | undefined;
for (const { name, train, epochs } of optima) {
  const model = await trainOptimum(name, train, epochs);
  const theta = await readWeights(model, layoutOfModel(model));
  const losses = await createLosses(model, train);
  lines.push(await scoreLine(name, losses, theta));
  const study = await jumpAndRetrain(
    model,
    { train, test },
    {
      directory: join(out, `${name}-jumps`),
      name,
      workers,
      loss: "logits",
      learningRate,
      batchSize,
      weightDecay: 0, // the network has a penalty of its own
      ...(quick ? { seeds: [0, 1], distances: [0.5], epochs: epochsAfter } : {}),
    },
  );
  lines.push(...(await jumpLines(name, study.runs, theta)));
  // Beside the jumps, the way of the optimum itself while it comes to rest: it marks the middle.
  const folders = [...study.runs.map(({ directory }) => directory), join(out, name)];
  const runs = await Promise.all(folders.map((folder) => openRun(folder)));
  const embedded = await embedStudy({ runs, directory: study.directory, name, losses, knn: NEIGHBOURS });
  figures.push(...embedded.figures);
  lines.push(...embedded.lines);
  all.push(...runs);
  testLoss = losses.at(-1);
}
// Both together by PCA: no snapshot has neighbours around the other optimum, so that PHATE could not tell how far
// apart they are.
const joint = await embedRuns(all, { method: "pca", ...testLoss?.source, directory: join(out, "test-loss") });
const title = "both: PCA, test loss";
const [first] = joint.facts.explainedVarianceRatio as readonly number[];
lines.push(`both, pca: the first axis holds ${(100 * (first as number)).toFixed(1)} % of the variance`);
figures.push({ name: "both-pca-test-loss", figure: createEmbeddingFigure(joint, { title }) });

mkdirSync(out, { recursive: true });
writeFileSync(join(out, "results.txt"), `${lines.join("\n")}\n`);
const files = await writeReport(out, figures, { title: "A good optimum and a memorizing one" });
console.log([...lines, ...files].join("\n"));
