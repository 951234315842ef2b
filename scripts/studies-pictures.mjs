/**
 * Makes the pictures of docs/studies.md from sweeps that were run as that page says, and prints the numbers beside them:
 * `node scripts/studies-pictures.mjs --runs DIR [--only NAME …] [--out DIR]`, where DIR holds the folders `batch-size`,
 * `skip-connections`, `width`, `repeatability` and `corrupted-labels`. A study that is not there is left out by name.
 *
 * Losses are those of 256 training images, errors those of 500 held-out ones; networks with batch norm get their
 * statistics anew at every point, since those of short trainings lag behind.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import * as tf from "@tensorflow/tfjs";
import { createMapsFigure } from "../dist/src/doors/figures.js";
import { levelSetWidth, meanLossRise } from "../dist/src/doors/surface.js";
import {
  analyzeLine,
  analyzePlane,
  analyzeWeights,
  createLossEvaluator,
  openModelPoint,
  openRun,
  selectBackend,
  writeReport,
} from "../dist/src/index.js";
import { modelFromManifest } from "../dist/src/model/model-from-manifest.js";
import { loadFashionMnist } from "../examples/data/fashion-mnist.js";
import { root } from "./prepare-checkout.mjs";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "runs" },
    only: { type: "string", multiple: true },
    out: { type: "string", default: join(root, "docs", "images", "studies") },
  },
});
const say = (line) => process.stdout.write(`${line}\n`);
await selectBackend();

const half = ({ xs, ys }) => ({ xs: tf.avgPool(xs, 2, 2, "valid"), ys });
const training = half(loadFashionMnist({ count: 256 }));
const held = half(loadFashionMnist({ split: "test", count: 500 }));
const names = { data: "Fashion-MNIST 14 × 14, 256 training and 500 test images" };

/** Complete runs of a sweep, with their settings and figures. */
function runsOf(study) {
  const folder = join(values.runs, study);
  if (!existsSync(join(folder, "results"))) return [];
  return readdirSync(join(folder, "results")).flatMap((file) => {
    const record = JSON.parse(readFileSync(join(folder, "results", file), "utf8"));
    if (record.status !== "complete") return [];
    return [{ ...record, directory: join(folder, "runs", file.replace(/\.json$/, "")) }];
  });
}

/** A run with what evaluates it. */
async function opened({ directory }) {
  const run = await openRun(directory);
  const model = await modelFromManifest(run.manifest);
  const options = { layout: run.layout, loss: "logits" };
  const onTraining = await createLossEvaluator(model, training, options);
  const sets = [
    { name: "train", evaluator: onTraining },
    { name: "test", evaluator: await onTraining.withData(held) },
  ];
  const dispose = () => {
    for (const { evaluator } of sets) evaluator.dispose();
    model.dispose();
  };
  return { run, sets, dispose, point: await openModelPoint(directory) };
}

const draw = async (name, figure) => {
  const files = await writeReport(values.out, [{ name, figure }], { formats: ["png"], scale: 1 });
  for (const file of files) say(file);
};

/** Test error, width and rise of three filter-normalized lines, batch norm recalibrated. */
async function sharpness(one) {
  const { sets, point, dispose } = await opened(one);
  const how = { sets, grid: "-1:1:11", batchNorm: "recalibrate" };
  const { slice } = await analyzeLine([point], { kind: "random", seeds: [0, 1, 2] }, how);
  dispose();
  const [first] = slice.curves.filter(({ set }) => set === "train");
  const [other] = slice.curves.filter(({ set }) => set === "test");
  const middle = first.surface.alpha.length >> 1;
  const rise = meanLossRise(slice, "train", 0.5);
  const widths = slice.curves
    .filter(({ set }) => set === "train")
    .map(({ surface }) => levelSetWidth(surface.alpha, surface.loss, 1).width);
  const width = widths.reduce((sum, value) => sum + value, 0) / widths.length;
  const accuracy = other.surface.metrics.acc[middle];
  return {
    ...{
      loss: first.surface.loss[middle],
      error: 1 - accuracy,
      rise: rise.mean,
      low: rise.low,
      high: rise.high,
    },
    width: widths.some((value) => value === null || !Number.isFinite(value)) ? null : width,
    seconds: one.seconds,
  };
}

/** The loss on a plane of two filter-normalized random directions, batch norm recalibrated. */
async function surfaceOf(one, size, reach) {
  const { sets, point, dispose } = await opened(one);
  const options = {
    sets: sets.slice(0, 1),
    grid: `${-reach}:${reach}:${size},${-reach}:${reach}:${size}`,
    batchNorm: "recalibrate",
  };
  const { surfaces } = await analyzePlane([point], { kind: "random", seed: 1 }, options);
  dispose();
  return surfaces[0].surface;
}

async function report(study, runs, nameOf) {
  for (const one of runs) {
    const found = await sharpness(one);
    say(`${study} | ${nameOf(one.settings)} | ${JSON.stringify(found)} | ${JSON.stringify(one.figures)}`);
  }
}

/** Up to four networks on planes of two random directions with common levels. */
async function drawSurfaces(study, runs, nameOf, title) {
  const place = ({ settings: { depth, width, skip } }) => [depth, width, Number(!skip)];
  const order = (a, b) => place(a).reduce((found, value, i) => found || value - place(b)[i], 0);
  const surfaces = [];
  for (const one of [...runs].sort(order).slice(-4)) {
    surfaces.push({ set: nameOf(one.settings), surface: await surfaceOf(one, 11, 1) });
  }
  if (surfaces.length < 2) return;
  const facts = { labels: ["random direction 1", "random direction 2"], dataName: names.data };
  await draw(
    study,
    createMapsFigure({ title, surfaces, ...facts, batchNorm: "recalibrate", difference: false }),
  );
}

const studies = {
  async "skip-connections"(runs) {
    const nameOf = ({ depth, skip }) => `ResNet-${depth}${skip ? "" : " without skips"}`;
    await report("skip-connections", runs, nameOf);
    await drawSurfaces("skip-connections", runs, nameOf, "With and without skip connections");
  },
  async width(runs) {
    const nameOf = ({ width, skip }) => `width ${width}${skip ? "" : " without skips"}`;
    await report("width", runs, nameOf);
    await drawSurfaces("width", runs, nameOf, "Narrow and wide, with and without skip connections");
  },
  async repeatability(runs) {
    await report("repeatability", runs, ({ seed }) => `seed ${seed}`);
  },
  async "corrupted-labels"(runs) {
    await report("corrupted-labels", runs, ({ corrupted }) => `corrupted ${corrupted}`);
  },
  async "batch-size"(runs) {
    await report(
      "batch-size",
      runs,
      ({ optimizer, batchSize, weightDecay }) => `${optimizer} ${batchSize} ${weightDecay}`,
    );
    // Figures 2 and 4: from the small batch to the large one, without decay and with it; weights and their norms.
    for (const [index, decay] of [...new Set(runs.map(({ settings }) => settings.weightDecay))].entries()) {
      const pair = runs
        .filter(({ settings }) => settings.weightDecay === decay && settings.optimizer === "sgd")
        .sort((a, b) => a.settings.batchSize - b.settings.batchSize);
      if (pair.length !== 2) continue;
      const [small, large] = [await opened(pair[0]), await opened(pair[1])];
      const title = `From batch ${pair[0].settings.batchSize} to ${pair[1].settings.batchSize}, weight decay ${decay}`;
      const { figure, slice } = await analyzeLine(
        [small.point, large.point],
        { kind: "models" },
        {
          sets: small.sets,
          grid: "-0.5:1.5:41",
          batchNorm: "recalibrate",
          figure: { title, names, accuracyAs: "error" },
        },
      );
      await draw(`batch-size-line-${index}`, figure);
      const [{ surface }] = slice.curves;
      const at = (alpha) => surface.loss[surface.alpha.findIndex((value) => Math.abs(value - alpha) < 1e-9)];
      const near = [-0.25, 0, 0.25, 0.75, 1, 1.25].map((alpha) => `${alpha}: ${at(alpha)?.toPrecision(3)}`);
      say(`batch-size | line, decay ${decay} | ${near.join(", ")}`);
      const { figures } = await analyzeWeights([small.run, large.run]);
      for (const name of ["histogram", "norms"]) {
        const found = figures.find((one) => one.name === name)?.figure;
        if (found !== undefined) await draw(`batch-size-${name}-${index}`, found);
      }
      small.dispose();
      large.dispose();
    }
  },
};
for (const [name, make] of Object.entries(studies)) {
  if (values.only !== undefined && !values.only.includes(name)) continue;
  const runs = runsOf(name);
  if (runs.length === 0) say(`${name}: no complete runs in ${join(values.runs, name)}`);
  else await make(runs);
}
