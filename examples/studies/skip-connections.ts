// ResNets with and without skip connections at three depths (Li et al. 2018, figures 1 and 5, table 2):
// `npx tfjs-landscape sweep examples/studies/skip-connections.ts --out runs/skip-connections`; see docs/studies.md.
// The paper's: `--set depth=20,56,110 --set width=1 --set batchSize=128 --set data=FOLDER --set half=false --set images=50000
// --set epochs=300`.
import { type CreateSweepFigures, defineSweep } from "tfjs-landscape/sweep";
import { createResNet } from "../models/resnet.js";
import { imageShape, loadStudyData, loadStudyTestData, type StudyData, trainStudy } from "./study.js";
import { figuresAround, type StudyNetworks } from "./sweep-figures.js";

export { loadStudyData as loadData, loadStudyTestData as loadTestData };

interface Settings extends StudyData {
  readonly depth: number;
  readonly width: number;
  readonly skip: boolean;
  readonly weightDecay: number;
  readonly seed: number;
}

const networks: StudyNetworks<Settings> = {
  create: (settings) => createResNet({ ...settings, shape: imageShape(settings) }),
  nameOf: ({ depth, skip }) => `ResNet-${depth}${skip ? "" : " without skips"}`,
};

export default defineSweep({
  grid: {
    skip: [true, false],
    depth: [8, 14, 20],
    width: [0.25],
    weightDecay: [5e-4],
    batchSize: [32],
    data: ["fashion-mnist"],
    images: [800],
    half: [true],
    epochs: [10],
    seed: [1],
  },
  train(settings, task) {
    return trainStudy(networks.create(settings), { ...settings, optimizer: "sgd", learningRate: 0.1 }, task);
  },
});

/** Networks with skips in the first row, those without in the second. */
export const createFigures: CreateSweepFigures = (runs, task) => {
  const rows = [true, false].flatMap((skip) => runs.filter(({ settings }) => settings.skip === skip));
  return figuresAround(rows, networks, { ...task, size: 11 });
};
