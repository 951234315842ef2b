// One network from ten seeds of weights and order, and ten random directions around the first (Li et al. 2018, figures 14
// and 15): what differs by chance alone.
// `npx tfjs-landscape sweep examples/studies/repeatability.ts --out runs/repeatability`; see docs/studies.md.
import { analyzeLine } from "tfjs-landscape";
import { type CreateSweepFigures, defineSweep } from "tfjs-landscape/sweep";
import { createLeNet } from "../models/lenet.js";
import { imageShape, loadStudyData, loadStudyTestData, type StudySettings, trainStudy } from "./study.js";
import { figuresAround, openNetwork, type StudyNetworks, warningsOf } from "./sweep-figures.js";

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
    images: [500],
    half: [true],
    epochs: [20],
  },
  train(settings, task) {
    return trainStudy(networks.create(settings), settings, task);
  },
});

/** Planes and lines around each network, and ten filter-normalized random directions around the first. */
export const createFigures: CreateSweepFigures = async (runs, task) => {
  const around = await figuresAround(runs, networks, { ...task, size: 11 });
  const [first] = runs;
  if (first === undefined) return around;
  const { name, point, sets, dispose } = await openNetwork(first, networks);
  const seeds = Array.from({ length: 10 }, (_, seed) => seed);
  const title = `Ten random directions around ${name}`;
  const { signal } = task;
  const line = { sets, grid: "-1:1:41", signal, figure: { title, accuracyAs: "error" } } as const;
  const { figure, warnings } = await analyzeLine([point], { kind: "random", seeds }, line);
  dispose();
  return {
    figures: [...around.figures, { name: "ten-directions", figure }],
    warnings: [...around.warnings, ...warningsOf(name, warnings)],
  };
};
