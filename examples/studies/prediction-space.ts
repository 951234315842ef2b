/**
 * Networks of different shape in one picture: a multilayer perceptron, a LeNet and a small ResNet learn the same digits,
 * and their snapshots are placed by what they predict.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { openRun, selectBackend, writeReport } from "tfjs-landscape";
import { trajectoryCallback } from "tfjs-landscape/callbacks";
import { createEmbeddingFigure } from "tfjs-landscape/figures";
import { embedPredictions } from "tfjs-landscape/path";
import { createLeNet } from "../models/lenet.js";
import { createMlp } from "../models/mlp.js";
import { createResNet } from "../models/resnet.js";
import { nesterov, withSeed } from "../training/recipe.js";
import { imageShape, loadImages } from "./study.js";
import { studyOptions } from "./study-options.js";

const defaults = { data: "mnist", images: 2000 } as const;
const { out, quick, backend, epochs: asked = 6, ...size } = studyOptions("prediction-space", defaults);
const [images, epochs] = quick ? [256, 1] : [size.images, asked];

const shape = imageShape(size);
const networks = {
  MLP: () => createMlp({ shape, seed: 1 }),
  LeNet: () => createLeNet({ shape, seed: 1 }),
  ResNet: () => createResNet({ shape, depth: 8, width: 0.5, seed: 1 }),
};
const rates = { MLP: 0.02, LeNet: 0.02, ResNet: 0.05 };

await selectBackend({ backend });
const { xs, ys } = loadImages(size, "train", images);
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

const runs = [];
for (const name of Object.keys(networks)) runs.push(await openRun(join(out, name.toLowerCase())));
const probe = loadImages(size, "test", quick ? 100 : 1000);
const figures = [];
const lines: string[] = [];
for (const method of ["inpca", "phate"] as const) {
  const embedding = await embedPredictions(runs, probe, {
    method,
    set: "test",
    calibration: { xs, ys },
    directory: out,
  });
  const title = "What an MLP, a LeNet and a ResNet predict";
  figures.push({ name: method, figure: createEmbeddingFigure(embedding, { color: "run", title }) });
  const { explainedStress, normalizedStress } = embedding.facts;
  const { trustworthiness, pathContinuity } = embedding.quality;
  lines.push(
    `${method}: ${explainedStress === undefined ? `normalized stress ${normalizedStress}` : `explained stress ${explainedStress}`}, trustworthiness ${trustworthiness}, path continuity ${pathContinuity}`,
  );
}
const files = await writeReport(out, figures, { page: "report.html" });
writeFileSync(join(out, "results.txt"), `${lines.join("\n")}\n`);
console.log([...lines, ...files].join("\n"));
