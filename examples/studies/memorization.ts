// A good optimum against one that has memorized wrong labels, after Horoi et al.: the region around each is
// sampled by jumping and retraining, and embedded with PHATE. Run it with
// `npx jiti examples/studies/memorization.ts [--quick] [--workers 2] [--out DIR]`; see docs/studies.md.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import {
  createLossEvaluator,
  type JumpRun,
  jumpAndRetrain,
  layoutOfModel,
  type NamedFigure,
  openRun,
  type Run,
  readWeights,
  selectBackend,
  writeReport,
} from "tfjs-landscape";
import { trajectoryCallback } from "tfjs-landscape/callbacks";
import { embedStudy } from "./embed-study.js";
import { corruptLabels, type LabelledImages, loadImages, shuffledBatches } from "./labelled-images.js";
import { createNetwork } from "./network.js";
import { studyOptions } from "./study-options.js";

const { out, quick, workers } = studyOptions("memorization");
await selectBackend();
const images = quick ? 100 : 500;
const truth = loadImages("train", images);
const test = loadImages("test", 2 * images);
const wrong = corruptLabels(truth, 0.5, 1);
const losses = [
  { name: "training loss", source: { lossLog: "loss" } },
  { name: "test loss", source: { lossLog: "test_loss" } },
];
const optima = [
  { name: "good", train: truth, epochs: quick ? 5 : 40 },
  { name: "memorizing", train: wrong, epochs: quick ? 5 : 150 },
];
const PENALTY = 3e-4;
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
  const model = createNetwork(1, PENALTY);
  const compiled = { loss: "categoricalCrossentropy", metrics: ["accuracy"] };
  model.compile({ ...compiled, optimizer: tf.train.adam(0.002) });
  await model.fitDataset(shuffledBatches(train, 32, 2), { epochs, verbose: 0 });
  model.compile({ ...compiled, optimizer: tf.train.momentum(learningRate, 0.9) });
  const recorder = trajectoryCallback({ directory: join(out, name), name, overwrite: true });
  await model.fitDataset(shuffledBatches(train, batchSize, 3), {
    epochs: epochsAfter,
    verbose: 0,
    callbacks: [recorder],
  });
  return model;
}

async function scoreLine(
  name: string,
  model: tf.LayersModel,
  train: LabelledImages,
  theta: Float32Array,
): Promise<string> {
  const parts: string[] = [];
  for (const [set, data] of Object.entries({ train, test })) {
    const evaluator = await createLossEvaluator(model, data, { loss: "logits" });
    const { loss, metrics } = await evaluator.evaluate(theta);
    parts.push(
      `${set} loss ${loss.toPrecision(3)}, ${set} accuracy ${(metrics.acc ?? Number.NaN).toFixed(3)}`,
    );
    evaluator.dispose();
  }
  return `${name}, the optimum: ${parts.join(", ")}`;
}

/** Means over the seeds, by the size of the jump: just after it, and after retraining. */
async function jumpLines(name: string, runs: readonly JumpRun[], theta: Float32Array): Promise<string[]> {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const lines: string[] = [];
  for (const step of new Set(runs.map((run) => run.step))) {
    const some = runs.filter((run) => run.step === step);
    const parts = ["loss", "test_loss", "test_acc"].map((log) => {
      const [first, last] = [0, -1].map((state) =>
        mean(some.map(({ states }) => states.at(state)?.logs[log] ?? Number.NaN)).toPrecision(3),
      );
      return `${log} ${first} to ${last}`;
    });
    const away = mean(await Promise.all(some.map((run) => distanceLeft(run, theta))));
    const left = `${(100 * away).toFixed(0)} % of the distance to the optimum left`;
    lines.push(`${name}, jumps of ${step}, then retrained: ${[...parts, left].join(", ")}`);
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
for (const { name, train, epochs } of optima) {
  const model = await trainOptimum(name, train, epochs);
  const theta = await readWeights(model, layoutOfModel(model));
  lines.push(await scoreLine(name, model, train, theta));
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
      ...(quick ? { seeds: [0, 1], steps: [0.5], epochs: epochsAfter } : {}),
    },
  );
  lines.push(...(await jumpLines(name, study.runs, theta)));
  const runs = await Promise.all(study.runs.map(({ directory }) => openRun(directory)));
  const embedded = await embedStudy({ runs, directory: study.directory, name, losses, knn: NEIGHBOURS });
  figures.push(...embedded.figures);
  lines.push(...embedded.lines);
  all.push(...runs);
}
const joint = await embedStudy({ runs: all, directory: out, name: "both", losses, knn: NEIGHBOURS });
figures.push(...joint.figures);
lines.push(...joint.lines);

mkdirSync(out, { recursive: true });
writeFileSync(join(out, "results.txt"), `${lines.join("\n")}\n`);
const files = await writeReport(out, figures, { title: "A good optimum and a memorizing one" });
console.log([...lines, ...files].join("\n"));
