// True against corrupted training labels (Zhang et al. 2017; Horoi et al. 2022): what a network that memorizes looks like.
// `npx tfjs-landscape sweep examples/studies/corrupted-labels.ts --compare --out runs/corrupted-labels`; see docs/studies.md.
// Other sizes: `--set network=wide-resnet --set data=FOLDER --set half=false --set images=50000 --set epochs=200`.
import { defineSweep } from "tfjs-landscape/sweep";
import { imageShape, loadStudyData, loadStudyTestData, trainStudy } from "./study.js";
import { createStudyNetwork, type StudyNetwork } from "./study-network.js";

export { loadStudyData as loadData, loadStudyTestData as loadTestData };

export default defineSweep({
  grid: {
    corrupted: [0, 0.25, 0.5],
    // "mlp" takes rows, not images.
    network: ["lenet" as Exclude<StudyNetwork, "mlp">],
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
    const { network, seed } = settings;
    const model = createStudyNetwork(network, { shape: imageShape(settings), seed, batchNorm: false });
    return trainStudy(model, settings, task);
  },
});
