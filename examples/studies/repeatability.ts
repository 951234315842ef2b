// One network from ten seeds of weights and order (Li et al. 2018, figure 14 has ten random directions): what differs by
// chance alone. `npx tfjs-landscape sweep examples/studies/repeatability.ts --compare --out runs/repeatability`.
import { defineSweep } from "tfjs-landscape/sweep";
import { createLeNet } from "../models/lenet.js";
import { imageShape, loadStudyData, loadStudyTestData, trainStudy } from "./study.js";

export { loadStudyData as loadData, loadStudyTestData as loadTestData };

export default defineSweep({
  grid: {
    seed: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    optimizer: ["sgd" as "sgd" | "adam"],
    learningRate: [0.1],
    batchSize: [32],
    weightDecay: [5e-4],
    data: ["fashion-mnist"],
    images: [3000],
    half: [true],
    epochs: [12],
  },
  train(settings, task) {
    const { seed, weightDecay } = settings;
    const model = createLeNet({ shape: imageShape(settings), seed, weightDecay, batchNorm: true });
    return trainStudy(model, settings, task);
  },
});
