/**
 * Networks of different shape in one picture: a multilayer perceptron, a LeNet and a small ResNet learn the same digits,
 * and their snapshots are placed by what they predict.
 */
import { join } from "node:path";
import { selectBackend } from "tfjs-landscape";
import { trajectoryCallback } from "tfjs-landscape/callbacks";
import { loadSmallDigits } from "../data/small-digits.js";
import { createLeNet } from "../models/lenet.js";
import { createMlp } from "../models/mlp.js";
import { createResNet } from "../models/resnet.js";
import { nesterov, withSeed } from "../training/recipe.js";
import { STUDY_BACKEND, studyOptions } from "./study-options.js";

const { out, quick } = studyOptions("prediction-space");
const [images, epochs] = quick ? [256, 1] : [2000, 6];

const shape = [14, 14, 1] as const;
const networks = {
  MLP: () => createMlp({ shape, seed: 1 }),
  LeNet: () => createLeNet({ shape, seed: 1 }),
  ResNet: () => createResNet({ shape, depth: 8, width: 0.5, seed: 1 }),
};
const rates = { MLP: 0.02, LeNet: 0.02, ResNet: 0.05 };

await selectBackend({ backend: STUDY_BACKEND });
const { xs, ys } = loadSmallDigits("train", images);
for (const name of Object.keys(networks) as (keyof typeof networks)[]) {
  await withSeed(1, async () => {
    const model = networks[name]();
    model.compile({
      optimizer: nesterov(rates[name]),
      loss: "categoricalCrossentropy",
      metrics: ["accuracy"],
    });
    await model.fit(xs, ys, {
      epochs,
      batchSize: 64,
      verbose: 0,
      callbacks: [
        trajectoryCallback({
          directory: join(out, name.toLowerCase()),
          name,
          overwrite: true,
          schedule: { geometric: { ratio: 1.15 } },
        }),
      ],
    });
    model.dispose();
  });
  console.log(`${name} is trained`);
}
