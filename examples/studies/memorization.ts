// A good optimum against one that has memorized wrong labels, after Horoi et al.: the region around each is
// sampled by jumping and retraining, and embedded with PHATE.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { jumpAndRetrain, selectBackend } from "tfjs-landscape";
import { trajectoryCallback } from "tfjs-landscape/callbacks";
import { corruptLabels, type LabelledImages, loadImages, shuffledBatches } from "./labelled-images.js";
import { createNetwork } from "./network.js";
import { studyOptions } from "./study-options.js";

const { out, quick, workers } = studyOptions("memorization");
await selectBackend();
const IMAGES = quick ? 100 : 1000;
const truth = loadImages("train", IMAGES);
const test = loadImages("test", IMAGES);
const wrong = corruptLabels(truth, 0.5, 1);

async function trainOptimum(name: string, train: LabelledImages, epochs: number): Promise<tf.LayersModel> {
  const model = createNetwork(1);
  model.compile({ optimizer: tf.train.adam(0.002), loss: "categoricalCrossentropy", metrics: ["accuracy"] });
  const recorder = trajectoryCallback({ directory: join(out, name), name, overwrite: true });
  await model.fitDataset(shuffledBatches(train, 32, 2), { epochs, verbose: 0, callbacks: [recorder] });
  const score = (set: LabelledImages) => (model.evaluate(set.xs, set.ys) as tf.Scalar[]).map((t) => t.dataSync()[0]);
  console.log(name, score(train), score(test));
  return model;
}

for (const [name, train, epochs] of [["good", truth, 40], ["memorizing", wrong, 100]] as const) {
  const t0 = Date.now();
  const model = await trainOptimum(name, train, quick ? 2 : epochs);
  const t1 = Date.now();
  const { runs } = await jumpAndRetrain(model, { train, test }, {
    directory: join(out, `${name}-jumps`),
    name,
    workers,
    loss: "logits",
    learningRate: Number(process.env.LR ?? 0.001),
    ...(quick ? { seeds: [0, 1], steps: [0.5], epochs: 3 } : {}),
  });
  console.log((t1 - t0) / 1000, (Date.now() - t1) / 1000);
  for (const { seed, step, states } of runs) {
    const f = (i: number) => Object.entries(states.at(i)?.logs ?? {}).map(([k, v]) => `${k} ${v.toPrecision(3)}`).join(" ");
    console.log(seed, step, f(0), "->", f(-1));
  }
}
