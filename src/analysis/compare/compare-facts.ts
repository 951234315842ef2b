import { join } from "node:path";
import type * as tf from "@tensorflow/tfjs";
import pick from "lodash/pick.js";
import type { Provenance } from "../../base/provenance.js";
import type { Stoppable } from "../../base/work.js";
import { type SolutionDistances, solutionDistances } from "../../directions/between-models.js";
import { type NormalizeOptions, resolveNormalizeOptions } from "../../directions/normalize.js";
import { randomDirections } from "../../directions/random.js";
import type { ComparedFacts } from "../../figure/make/create-comparison-table.js";
import { shareOfThreshold } from "../../figure/make/create-stability-figure.js";
import { readSharpness, writeSharpness } from "../../store/kinds/line-file.js";
import type { StabilityPath } from "../../store/kinds/stability-file.js";
import { memo } from "../../store/results/memo.js";
import { type EpsilonSharpness, epsilonSharpness } from "../../surface/lines/epsilon-sharpness.js";
import {
  commonRise,
  type EvaluationSet,
  type LineSlice,
  levelSetWidths,
  meanLossRise,
} from "../../surface/lines/level-set-width.js";
import { analyzeLine, sliceProvenance } from "../analyze-line.js";
import { analyzeStability } from "../analyze-stability.js";
import type { ModelPoint } from "../model-point.js";
import { isStillTrue } from "../stored-values.js";
import { statisticsStage } from "../weights-stage.js";
import type { OpenedRun, ResolvedCompareOptions } from "./compare-options.js";
import type { RunPlane } from "./compare-planes.js";

/** Options of {@link sharpnessStage}. */
export interface SharpnessOptions extends NormalizeOptions, Stoppable {
  readonly directory: string;
  /** ε, the size of the box. */
  readonly epsilon: number;
  /** Seed of the plane. */
  readonly seed: number;
  readonly force?: boolean | undefined;
}

/** Points along each side of the box. */
const POINTS = 11;

/**
 * Evaluates, or reads where it is up to date, the ε-sharpness of a model in a random plane through it, on one
 * evaluation set; stored as `sharpness/….arrow`.
 */
export async function sharpnessStage(
  point: ModelPoint,
  set: EvaluationSet,
  options: SharpnessOptions,
): Promise<EpsilonSharpness> {
  const { directory, epsilon, seed, signal } = options;
  const normalization = resolveNormalizeOptions(options);
  const given = { ...normalization, ignore: [...normalization.ignore], epsilon, points: POINTS };
  const provenance = sliceProvenance("epsilon-sharpness", given, seed, [point], [set]);
  const file = join(directory, "sharpness", `epsilon-${point.digest.slice(0, 8)}.arrow`);
  const directions = randomDirections(point.run.layout, point.theta, { ...normalization, seed });
  const read = async (from: string, expected: Provenance): Promise<EpsilonSharpness | null> => {
    const stored = await readSharpness(from, expected);
    if (stored === null) return null;
    // What a loss closes over may have changed, which no digest sees.
    const [alpha, beta] = stored.at;
    const value = { alpha, beta, value: { loss: stored.maximum, metrics: {} } };
    const isTrue = await isStillTrue(set.evaluator, directions, undefined, [value], signal);
    return isTrue ? stored : null;
  };
  return memo({ file, provenance, read, write: writeSharpness, force: options.force }, () => {
    const settings = { epsilon, points: POINTS, signal };
    return epsilonSharpness(set.evaluator, directions, settings);
  });
}

/** Evaluates, or reads where they are up to date, random lines around each solution on each of its sets. */
export async function linesAround(
  runs: readonly OpenedRun[],
  options: ResolvedCompareOptions,
): Promise<LineSlice[]> {
  const lines: LineSlice[] = [];
  for (const [index, { point, sets }] of runs.entries()) {
    const line = {
      kind: "random",
      ...pick(options, ["seeds", "normalize", "ignore", "oneDimensional"]),
    } as const;
    const { slice } = await analyzeLine([point], line, {
      ...pick(options, ["batchNorm", "directory", "force", "signal"]),
      sets,
      grid: options.grid ?? "-1:1:41",
      onProgress: (_, done, total) =>
        options.onProgress?.("lines", index * total + done, runs.length * total),
    });
    lines.push(slice);
  }
  return lines;
}

/** Computes, or reads where it is up to date, how sharp the loss is along each run; none where it was not asked for. */
export async function stabilityOf(
  runs: readonly OpenedRun[],
  options: ResolvedCompareOptions,
): Promise<StabilityPath[]> {
  const { stability: snapshots, data, directory, force, signal, onProgress } = options;
  if (snapshots === undefined) return [];
  const found: StabilityPath[] = [];
  for (const [index, { run, model }] of runs.entries()) {
    const { stability } = await analyzeStability(run, model as tf.LayersModel, data, {
      snapshots,
      traceProducts: 0,
      evaluation: pick(options, ["loss", "classWeight", "batchSize"]),
      ...{ directory, force, signal, engine: options.engine },
      onProgress: (_, done, total) => onProgress?.("stability", index * total + done, runs.length * total),
    });
    found.push(stability);
  }
  return found;
}

/** Computes, or reads where it is up to date, what is compared of each run. */
export async function comparedFacts(
  runs: readonly OpenedRun[],
  planes: readonly RunPlane[],
  lines: readonly LineSlice[],
  stability: readonly StabilityPath[],
  options: ResolvedCompareOptions,
): Promise<ComparedFacts[]> {
  const rise = options.rise ?? commonRise(lines, "train");
  const { onProgress, seeds, radius } = options;
  const facts: ComparedFacts[] = [];
  for (const [index, { run, name, point, sets }] of runs.entries()) {
    const slice = lines[index] as LineSlice;
    const { directions } = planes[index] as RunPlane;
    const epsilonSharpness = await sharpnessStage(point, sets[0], {
      ...pick(options, ["directory", "epsilon", "normalize", "ignore", "oneDimensional", "force", "signal"]),
      seed: seeds[0] ?? 0,
    });
    onProgress?.("sharpness", index + 1, runs.length);
    const statistics = await statisticsStage(run, {
      ...pick(options, ["force", "signal"]),
      onProgress: (done, total) => onProgress?.("weights", done, total),
    });
    const last = run.snapshots.length - 1;
    const at = (values: Float64Array) => values[last] as number;
    facts.push({
      name,
      optimizer: run.manifest.optimizer?.className ?? null,
      epochs: run.snapshots[last]?.epoch ?? 0,
      iterations: run.snapshots[last]?.iteration ?? 0,
      snapshots: run.snapshots.length,
      trainableCount: run.layout.trainableCount,
      scores: scoresOf(slice),
      width: rise === null ? null : levelSetWidths(slice, "train", rise),
      rise: meanLossRise(slice, "train", radius),
      epsilonSharpness,
      stability: lastStability(stability[index]),
      norm: at(statistics.norm),
      distance: at(statistics.distance),
      pathLength: at(statistics.pathLength),
      straightness: at(statistics.distance) / at(statistics.pathLength),
      explainedVarianceRatio: directions.explainedVarianceRatio,
      randomWalkBaseline: directions.randomWalkBaseline,
    });
  }
  return facts;
}

function lastStability(path: StabilityPath | undefined): ComparedFacts["stability"] {
  const last = path?.points.at(-1);
  if (path === undefined || last === undefined) return null;
  return { sharpness: last.sharpness, share: shareOfThreshold(path)(last) };
}

/** Loss and metrics at the solution itself: every line has them at its centre. */
function scoresOf({ curves }: LineSlice): ComparedFacts["scores"] {
  const [first] = curves;
  return curves
    .filter(({ seed }) => seed === first?.seed)
    .map(({ set, surface: { center } }) => ({ set, loss: center.loss, metrics: center.metrics }));
}

/** Distances and cosines of the final weights among the runs of each layout; NaN between layouts. */
export function comparedPairs(runs: readonly OpenedRun[]): SolutionDistances {
  const count = runs.length;
  const distance = new Float64Array(count * count).fill(Number.NaN);
  const cosine = new Float64Array(count * count).fill(Number.NaN);
  for (const digest of new Set(runs.map(({ run }) => run.layout.digest))) {
    const group = [...runs.entries()].filter(([, { run }]) => run.layout.digest === digest);
    const [[, { run }]] = group as [[number, OpenedRun]];
    const thetas = group.map(([, { point }]) => point.theta);
    const found = solutionDistances(run.layout, thetas);
    group.forEach(([i], a) => {
      group.forEach(([j], b) => {
        distance[i * count + j] = found.distance[a * group.length + b] as number;
        cosine[i * count + j] = found.cosine[a * group.length + b] as number;
      });
    });
  }
  return { distance, cosine };
}
