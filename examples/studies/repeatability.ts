// One network from ten seeds of weights and order, and ten random directions around the first (Li et al. 2018, figure 14):
// what differs by chance alone.
// `npx tfjs-landscape sweep examples/studies/repeatability.ts --compare --best 10 --out runs/repeatability`.
import { analyzeLine } from "tfjs-landscape";
import { type CreateSweepFigures, defineSweep } from "tfjs-landscape/sweep";
import { createLeNet } from "../models/lenet.js";
import { imageShape, loadStudyData, loadStudyTestData, type StudySettings, trainStudy } from "./study.js";
import { openNetwork, type StudyNetworks } from "./sweep-figures.js";

export { loadStudyData as loadData, loadStudyTestData as loadTestData };

interface Settings extends StudySettings {
  readonly weightDecay: number;
}

const networks: StudyNetworks<Settings> = {
  create: (settings) => createLeNet({ ...settings, shape: imageShape(settings), batchNorm: true }),
  nameOf: ({ seed }) => `seed ${seed}`,
};

export default defineSweep({
  grid: {
    seed: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    optimizer: ["sgd" as "sgd" | "adam"],
    learningRate: [0.1],
    batchSize: [32],
    weightDecay: [5e-4],
    data: ["fashion-mnist"],
    images: [1000],
    half: [true],
    epochs: [20],
  },
  train(settings, task) {
    return trainStudy(networks.create(settings), settings, task);
  },
});

/** Ten filter-normalized random directions around the first network. */
export const createFigures: CreateSweepFigures = async ([first], { signal }) => {
  if (first === undefined) return [];
  const { name, point, sets, dispose } = await openNetwork(first, networks);
  const seeds = Array.from({ length: 10 }, (_, seed) => seed);
  const title = `Ten random directions around ${name}`;
  const line = { sets, grid: "-1:1:41", signal, figure: { title, accuracyAs: "error" } } as const;
  const { figure } = await analyzeLine([point], { kind: "random", seeds }, line);
  dispose();
  return [{ name: "ten-directions", figure }];
};
