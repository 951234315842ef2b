// True against corrupted training labels (Zhang et al. 2017; Horoi et al. 2022): what a network that memorizes looks like.
// `npx tfjs-landscape sweep examples/studies/corrupted-labels.ts --compare --out runs/corrupted-labels`; see docs/studies.md.
import { defineSweep } from "tfjs-landscape/sweep";
import { createLeNet } from "../models/lenet.js";
import { imageShape, loadStudyData, loadStudyTestData, trainStudy } from "./study.js";

export { loadStudyData as loadData, loadStudyTestData as loadTestData };

export default defineSweep({
  grid: {
    corrupted: [0, 0.25, 0.5],
    optimizer: ["adam" as "sgd" | "adam"],
    learningRate: [0.002],
    batchSize: [32],
    data: ["fashion-mnist"],
    images: [1000],
    half: [true],
    epochs: [40],
    seed: [1],
  },
  train(settings, task) {
    const model = createLeNet({ shape: imageShape(settings), seed: settings.seed });
    return trainStudy(model, settings, task);
  },
});
