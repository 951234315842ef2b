// Small against large batches, with and without weight decay, by SGD and by Adam (Li et al. 2018, figures 2 to 5, table 1):
// `npx tfjs-landscape sweep examples/studies/batch-size.ts --compare --out runs/batch-size`; see docs/studies.md.
import { defineSweep } from "tfjs-landscape/sweep";
import { createLeNet } from "../models/lenet.js";
import { createVgg9 } from "../models/vgg9.js";
import { imageShape, loadStudyData, loadStudyTestData, trainStudy } from "./study.js";

export { loadStudyData as loadData, loadStudyTestData as loadTestData };

export default defineSweep({
  grid: {
    optimizer: ["sgd", "adam"],
    // The paper has 128 and 8192 of 50,000 images.
    batchSize: [32, 512],
    weightDecay: [0, 5e-4],
    network: ["lenet" as "lenet" | "vgg9"],
    data: ["fashion-mnist"],
    images: [3000],
    half: [true],
    epochs: [12],
    seed: [1],
  },
  train(settings, task) {
    const { optimizer, network, weightDecay, seed } = settings;
    const options = { shape: imageShape(settings), seed, weightDecay };
    const model = network === "vgg9" ? createVgg9(options) : createLeNet({ ...options, batchNorm: true });
    // The paper's rates.
    const learningRate = optimizer === "sgd" ? 0.1 : 0.001;
    return trainStudy(model, { ...settings, learningRate }, task);
  },
});
