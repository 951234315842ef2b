import pick from "lodash/pick.js";
import type { ComparedFacts } from "../report/create-comparison-table.js";
import { commonRise, levelSetWidths } from "../slices/level-set-widths.js";
import type { LineSlice } from "../slices/line-slice.js";
import { meanLossRise } from "../slices/mean-loss-rise.js";
import { type SolutionDistances, solutionDistances } from "../weights/solution-distances.js";
import type { OpenedRun } from "./compare-evaluators.js";
import type { ResolvedCompareOptions } from "./compare-options.js";
import type { RunPlane } from "./compare-planes.js";
import { sliceRandomLines } from "./line-stage.js";
import { sharpnessStage } from "./sharpness-stage.js";
import { statisticsStage } from "./statistics-stage.js";

/** Evaluates, or reads where they are up to date, random lines around each solution on each of its sets. */
export async function linesAround(
  runs: readonly OpenedRun[],
  options: ResolvedCompareOptions,
): Promise<LineSlice[]> {
  const lines: LineSlice[] = [];
  for (const [index, { point, sets }] of runs.entries()) {
    const settings = pick(options, [
      "seeds",
      "range",
      "normalize",
      "ignore",
      "oneDimensional",
      "directory",
      "force",
      "signal",
    ]);
    const onProgress = (done: number, total: number) =>
      options.onProgress?.("lines", index * total + done, runs.length * total);
    lines.push(await sliceRandomLines(point, sets, { ...settings, onProgress }));
  }
  return lines;
}

/** Computes, or reads where it is up to date, what is compared of each run. */
export async function comparedFacts(
  runs: readonly OpenedRun[],
  planes: readonly RunPlane[],
  lines: readonly LineSlice[],
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
