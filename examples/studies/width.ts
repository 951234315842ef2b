// ResNets of several widths, with and without skip connections (Li et al. 2018, figure 6):
// `npx tfjs-landscape sweep examples/studies/width.ts --compare --out runs/width`; see docs/studies.md.
import { defineSweep } from "tfjs-landscape/sweep";
import { createResNet } from "../models/resnet.js";
import { imageShape, loadStudyData, loadStudyTestData, trainStudy } from "./study.js";

export { loadStudyData as loadData, loadStudyTestData as loadTestData };

export default defineSweep({
  grid: {
    width: [0.25, 0.5, 1],
    skip: [true, false],
    depth: [14],
    weightDecay: [5e-4],
    batchSize: [64],
    data: ["fashion-mnist"],
    images: [2000],
    half: [true],
    epochs: [8],
    seed: [1],
  },
  train(settings, task) {
    const model = createResNet({ ...settings, shape: imageShape(settings) });
    return trainStudy(model, { ...settings, optimizer: "sgd", learningRate: 0.1 }, task);
  },
});
