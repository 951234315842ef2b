// ResNets with and without skip connections at three depths (Li et al. 2018, figures 1 and 5, table 2):
// `npx tfjs-landscape sweep examples/studies/skip-connections.ts --compare --out runs/skip-connections`; see docs/studies.md.
// The paper's: `--set depth=20,56,110 --set width=1 --set data=FOLDER --set half=false --set images=50000 --set epochs=300`.
import { defineSweep } from "tfjs-landscape/sweep";
import { createResNet } from "../models/resnet.js";
import { imageShape, loadStudyData, loadStudyTestData, trainStudy } from "./study.js";

export { loadStudyData as loadData, loadStudyTestData as loadTestData };

export default defineSweep({
  grid: {
    skip: [true, false],
    depth: [8, 14, 20],
    width: [0.5],
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
