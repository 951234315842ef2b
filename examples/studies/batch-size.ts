// Small against large batches, with and without weight decay, by SGD and by Adam (Li et al. 2018, figures 2 to 5, table 1):
// `npx tfjs-landscape sweep examples/studies/batch-size.ts --compare --out runs/batch-size`; see docs/studies.md.
// The paper's: `--set network=vgg9 --set batchSize=128,8192 --set weightDecay=0,0.0005 --set data=FOLDER --set half=false
// --set images=50000 --set epochs=300`.
import {
  analyzeLine,
  analyzeWeights,
  type LandscapeWarning,
  type NamedFigure,
  openRun,
} from "tfjs-landscape";
import { type CreateSweepFigures, defineSweep, type SweepRun } from "tfjs-landscape/sweep";
import { imageShape, loadStudyData, loadStudyTestData, type StudySettings, trainStudy } from "./study.js";
import { createStudyNetwork, type StudyNetwork } from "./study-network.js";
import { figuresAround, openNetwork, type StudyNetworks, warningsOf } from "./sweep-figures.js";

export { loadStudyData as loadData, loadStudyTestData as loadTestData };

interface Settings extends Omit<StudySettings, "learningRate"> {
  /** "mlp" takes rows, not images. */
  readonly network: Exclude<StudyNetwork, "mlp">;
  readonly weightDecay: number;
}

const networks: StudyNetworks<Settings> = {
  create(settings) {
    const { network, weightDecay, seed } = settings;
    return createStudyNetwork(network, { shape: imageShape(settings), seed, weightDecay });
  },
  nameOf: ({ optimizer, batchSize, weightDecay }) =>
    `${optimizer === "sgd" ? "SGD" : "Adam"}, batch ${batchSize}, decay ${weightDecay}`,
};

export default defineSweep({
  grid: {
    optimizer: ["sgd", "adam"],
    // The paper has 128 and 8192 of 50,000 images.
    batchSize: [32, 256],
    // The paper's 5e-4 acts over 117,000 updates, this one over 1,920.
    weightDecay: [0, 5e-3],
    network: ["lenet" as Settings["network"]],
    data: ["fashion-mnist"],
    images: [1000],
    half: [true],
    epochs: [60],
    seed: [1],
  },
  train(settings, task) {
    // The paper's rates.
    const learningRate = settings.optimizer === "sgd" ? 0.1 : 0.001;
    return trainStudy(networks.create(settings), { ...settings, learningRate }, task);
  },
});

/** Each optimizer's networks: planes and lines around them, what lies between small and large batches, and their weights. */
export const createFigures: CreateSweepFigures = async (runs, task) => {
  const figures: NamedFigure[] = [];
  const warnings: LandscapeWarning[] = [];
  for (const optimizer of ["sgd", "adam"]) {
    const some = runs.filter(({ settings }) => settings.optimizer === optimizer);
    if (some.length === 0) continue;
    const whose = optimizer === "sgd" ? "SGD" : "Adam";
    const named = ({ name, figure }: NamedFigure) => ({ name: `${optimizer}-${name}`, figure });
    const titled = ({ name, figure }: NamedFigure) => ({
      name,
      figure: { ...figure, title: `${whose}: ${figure.title}` },
    });
    const around = await figuresAround(some, networks, { ...task, prefix: `${optimizer}-` });
    figures.push(...around.figures.map(titled));
    warnings.push(...around.warnings);
    for (const decay of new Set(some.map(({ settings }) => settings.weightDecay))) {
      const pair = some.filter(({ settings }) => settings.weightDecay === decay);
      const between = await betweenBatches(pair, task.signal);
      if (between === null) continue;
      const name = `interpolation-${decay}`;
      figures.push(named({ name, figure: between.figure }));
      warnings.push(...warningsOf(`${optimizer}-${name}`, between.warnings));
    }
    const opened = await Promise.all(some.map(openNamed));
    const weights = await analyzeWeights(opened, { directory: task.directory });
    warnings.push(...weights.warnings);
    figures.push(
      ...weights.figures
        .filter(({ name }) => name !== "training")
        .map(named)
        .map(titled),
    );
  }
  return { figures, warnings };
};

/** A run under a short name. */
async function openNamed({ directory, settings }: SweepRun) {
  const run = await openRun(directory);
  const name = networks.nameOf(settings as unknown as Settings);
  return { ...run, manifest: { ...run.manifest, name } };
}

/**
 * The line from the smallest batch to the largest; null where there are not two networks. Beyond them interpolated
 * variances would be negative: batch norm is recalibrated.
 */
async function betweenBatches(pair: readonly SweepRun[], signal: AbortSignal) {
  const batchOf = ({ settings }: SweepRun) => Number(settings.batchSize);
  const [first, ...others] = [...pair].sort((a, b) => batchOf(a) - batchOf(b));
  const last = others.at(-1);
  if (first === undefined || last === undefined) return null;
  const [small, large] = [await openNetwork(first, networks), await openNetwork(last, networks)];
  const { optimizer, weightDecay } = first.settings;
  const title = `${optimizer === "sgd" ? "SGD" : "Adam"}, decay ${weightDecay}: from small to large batches`;
  const points = [
    { ...small.point, name: `batch ${batchOf(first)}` },
    { ...large.point, name: `batch ${batchOf(last)}` },
  ];
  const { figure, warnings } = await analyzeLine(
    points,
    { kind: "models" },
    { sets: small.sets, batchNorm: "recalibrate", signal, figure: { title, accuracyAs: "error" } },
  );
  small.dispose();
  large.dispose();
  return { figure, warnings };
}
