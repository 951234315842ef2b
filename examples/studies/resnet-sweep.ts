// What the sweeps of residual networks share: how a network is made, trained and drawn (Li et al. 2018, section 5).
import { type CreateSweepFigures, defineSweep } from "tfjs-landscape/sweep";
import { createResNet } from "../models/resnet.js";
import { imageShape, type StudyData, trainStudy } from "./study.js";
import { figuresAround, type StudyNetworks } from "./sweep-figures.js";

/** Settings of one network. */
interface ResNetSettings extends StudyData {
  readonly depth: number;
  readonly width: number;
  readonly skip: boolean;
  readonly weightDecay: number;
  readonly learningRate: number;
  readonly seed: number;
}

/** What each of these studies varies. */
interface ResNetGrid {
  readonly depth: readonly number[];
  readonly width: readonly number[];
  readonly skip: readonly boolean[];
}

/**
 * Makes a sweep of residual networks and the figures of its page: networks with skips in the first row, those without in
 * the second.
 */
export function resNetSweep(grid: ResNetGrid, nameOf: StudyNetworks<ResNetSettings>["nameOf"]) {
  const networks: StudyNetworks<ResNetSettings> = {
    create: (settings) => createResNet({ ...settings, shape: imageShape(settings) }),
    nameOf,
  };
  const sweep = defineSweep({
    grid: {
      ...grid,
      weightDecay: [5e-4],
      // The paper has 0.01 as well, for deep networks without skips.
      learningRate: [0.1],
      batchSize: [32],
      data: ["fashion-mnist"],
      images: [800],
      half: [true],
      epochs: [10],
      seed: [1],
    },
    train(settings, task) {
      return trainStudy(networks.create(settings), { ...settings, optimizer: "sgd" }, task);
    },
  });
  const createFigures: CreateSweepFigures = (runs, task) => {
    const rows = [true, false].map((skip) => runs.filter(({ settings }) => settings.skip === skip));
    const columns = Math.max(...rows.map(({ length }) => length));
    return figuresAround(rows.flat(), networks, { ...task, size: 11, columns });
  };
  return { sweep, createFigures };
}
