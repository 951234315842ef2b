// Several initialisations, each trained with SGD and with Adam, in one embedding. Run it with
// `npx jiti examples/studies/initialisations.ts [--quick] [--out DIR]`; see docs/studies.md. Other sizes:
// `--network wide-resnet --data FOLDER --full --images 50000 --epochs 200 --backend native`.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { createLossEvaluator, openRun, selectBackend, writeReport } from "tfjs-landscape";
import { trajectoryCallback } from "tfjs-landscape/callbacks";
import { shuffledBatches } from "../data/images.js";
import { embedStudy } from "./embed-study.js";
import { imageShape } from "./study.js";
import { createStudyNetwork, loadNetworkImages } from "./study-network.js";
import { studyOptions } from "./study-options.js";

const defaults = { network: "mlp", data: "mnist", images: 1000 } as const;
const { out, quick, backend, epochs: asked = 40, ...size } = studyOptions("initialisations", defaults);
await selectBackend({ backend });
const images = quick ? 100 : size.images;
const train = loadNetworkImages(size, "train", images);
const test = loadNetworkImages(size, "test", Math.min(10_000, images));
const seeds = quick ? [1, 2] : [1, 2, 3, 4];
const epochs = quick ? 6 : asked;
const optimizers = { SGD: () => tf.train.momentum(0.01, 0.9), Adam: () => tf.train.adam(0.001) };

function createFrom(seed: number): tf.LayersModel {
  return createStudyNetwork(size.network, { shape: imageShape(size), seed });
}

/** Trains from one initialisation and records every epoch. */
async function trainFrom(name: string, seed: number, optimizer: tf.Optimizer): Promise<tf.LayersModel> {
  const model = createFrom(seed);
  model.compile({ optimizer, loss: "categoricalCrossentropy", metrics: ["accuracy"] });
  const recorder = trajectoryCallback({ directory: join(out, fileName(name)), name, seed, overwrite: true });
  await model.fitDataset(shuffledBatches(train, { batchSize: 32, seed }), {
    epochs,
    verbose: 0,
    callbacks: [recorder],
  });
  return model;
}

function fileName(name: string): string {
  return name.toLowerCase().replace(/\W+/g, "-");
}

const lines: string[] = [];
const names: string[] = [];
let model = createFrom(0);
for (const seed of seeds) {
  for (const [kind, createOptimizer] of Object.entries(optimizers)) {
    names.push(`${kind}, initialisation ${seed}`);
    model = await trainFrom(names.at(-1) as string, seed, createOptimizer());
  }
}

const runs = await Promise.all(names.map((name) => openRun(join(out, fileName(name)))));
const [onTrain, onTest] = [
  await createLossEvaluator(model, train, { engine: "tfjs", loss: "logits" }),
  await createLossEvaluator(model, test, { engine: "tfjs", loss: "logits" }),
];
for (const run of runs) {
  const theta = await run.readTheta(run.snapshots.length - 1);
  const [own, held] = [await onTrain.evaluate(theta), await onTest.evaluate(theta)];
  const accuracy = (held.metrics.acc ?? Number.NaN).toFixed(3);
  const { name } = run.manifest;
  lines.push(
    `${name}: train loss ${own.loss.toPrecision(3)}, test loss ${held.loss.toPrecision(3)}, test accuracy ${accuracy}`,
  );
}
const losses = [
  { name: "training loss", source: { evaluator: onTrain } },
  { name: "test loss", source: { evaluator: onTest } },
];
const embedded = await embedStudy({ runs, directory: out, name: "initialisations", losses });
lines.push(...embedded.lines);

mkdirSync(out, { recursive: true });
writeFileSync(join(out, "results.txt"), `${lines.join("\n")}\n`);
const title = "Four initialisations, SGD and Adam";
const files = await writeReport(out, embedded.figures, { title });
console.log([...lines, ...files].join("\n"));
