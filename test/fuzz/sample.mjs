// Makes runs with a stored result of every kind, from the build: `node sample.mjs FOLDER`.
import { cpSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs";
import { trajectoryCallback } from "../../dist/callbacks/index.js";
import { main } from "../../dist/src/cli/main.js";
import { loadData } from "../cli/fixtures/tiny-data.js";

const data = fileURLToPath(new URL("../cli/fixtures/tiny-data.js", import.meta.url));
const [folder] = process.argv.slice(2);

/** A classifier with batch normalization: trainable and other weights, two branches, a nested model. */
function tinyModel(seed) {
  const dense = (units, activation, name) =>
    tf.layers.dense({
      units,
      activation,
      name: `${name}${seed}`,
      kernelInitializer: tf.initializers.glorotUniform({ seed }),
    });
  const input = tf.input({ shape: [3], name: `input${seed}` });
  const left = dense(4, "tanh", "left").apply(input);
  const norm = tf.layers.batchNormalization({ name: `norm${seed}` }).apply(left);
  const inner = tf.sequential({
    name: `inner${seed}`,
    layers: [tf.layers.dense({ units: 4, inputShape: [3], activation: "relu", name: `nested${seed}` })],
  });
  const sum = tf.layers.add({ name: `sum${seed}` }).apply([norm, inner.apply(input)]);
  const model = tf.model({ inputs: input, outputs: dense(2, "softmax", "out").apply(sum) });
  model.compile({
    optimizer: tf.train.momentum(0.1, 0.9),
    loss: "categoricalCrossentropy",
    metrics: ["accuracy"],
  });
  return model;
}

async function train(directory, seed, options) {
  const { xs, ys } = loadData();
  const callback = trajectoryCallback({ directory, name: `run ${seed}`, ...options });
  await tinyModel(seed).fit(xs, ys, {
    epochs: 6,
    batchSize: 12,
    shuffle: false,
    verbose: 0,
    callbacks: [callback],
  });
}

async function cli(...args) {
  const status = await main(args);
  if (status !== 0) throw new Error(`${args.join(" ")}: ${status}`);
}

await tf.setBackend("cpu");
const [one, two, half] = ["one", "two", "half"].map((name) => join(folder, name));
await train(one, 1);
await train(two, 2);
await train(half, 3, { dtype: "float16" });
const common = ["--data", data, "--backend", "js", "--engine", "tfjs", "--threads", "1"];
const svg = ["--format", "svg"];
const cut = join(folder, "cut");
cpSync(one, cut, { recursive: true });
await cli("surface", one, ...common, "--size", "5x4");
await cli("surface", one, ...common, "--size", "4", "--plane", "random", ...svg);
await cli("surface", one, ...common, "--size", "9", "--approximate");
await cli("surface", cut, ...common, "--size", "5x4", "--max-points", "8");
await cli("line", one, ...common, "--grid=-1:1:5", "--seeds", "0,1", ...svg);
await cli("interpolate", one, two, ...common, "--grid=-0.5:1.5:5", ...svg);
await cli("weights", one, ...svg);
await cli("embed", one, "--method", "pca", "phate", "--backend", "js", ...svg);
await cli(
  "compare",
  one,
  two,
  ...common,
  "--size",
  "3",
  "--seeds",
  "0",
  "--grid=-1:1:3",
  "--out",
  join(folder, "compared"),
  ...svg,
);
process.stdout.write("made\n");
