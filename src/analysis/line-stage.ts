import { join } from "node:path";
import pick from "lodash/pick.js";
import uniq from "lodash/uniq.js";
import type { JsonValue, Provenance } from "../base/provenance.js";
import { type NormalizeOptions, resolveNormalizeOptions } from "../directions/normalize.js";
import { readLineSlice, writeLineSlice } from "../store/kinds/line-file.js";
import { curvePointTiles } from "../store/kinds/surface-journal.js";
import { memoResumably } from "../store/results/memo.js";
import type { AxisRange } from "../surface/grid.js";
import type { LineOptions } from "../surface/lines/evaluate-lines.js";
import {
  DEFAULT_INTERPOLATION,
  DEFAULT_RANDOM_RANGE,
  interpolateLine,
  randomLines,
} from "../surface/lines/evaluate-lines.js";
import type { EvaluationSet, LineSlice } from "../surface/lines/level-set-width.js";
import { type ModelPoint, namesOfModels } from "./model-point.js";
import { fileName, type SliceOptions, sliceProvenance } from "./slice-options.js";

/** Options of {@link interpolateModels}. */
export interface InterpolateModelsOptions extends SliceOptions {
  /** α from, to and the number of points. Default −0.5 to 1.5 with 41 points. */
  readonly range?: AxisRange;
}

/** Options of {@link sliceRandomLines}. */
export interface SliceRandomLinesOptions extends SliceOptions, NormalizeOptions {
  /** One seed, or several. Default [0]. */
  readonly seeds?: readonly number[];
  /** α from, to and the number of points. Default −1 to 1 with 51 points. */
  readonly range?: AxisRange;
}

/**
 * Computes, or reads where it is up to date, the line between two models or snapshots on each evaluation
 * set, and stores it as `lines/interpolate-….arrow`. One that is interrupted, or ends early, goes on later with
 * the same bits.
 *
 * @throws as `interpolateLine`; `LayoutError` if the models differ in their parameters.
 */
export async function interpolateModels(
  points: readonly [ModelPoint, ModelPoint],
  sets: readonly EvaluationSet[],
  options: InterpolateModelsOptions = {},
): Promise<LineSlice> {
  const [a, b] = points;
  const [first = "", second = ""] = namesOfModels(points);
  const { range = DEFAULT_INTERPOLATION, batchNorm = "interpolate" } = options;
  const given = { range: { ...range }, batchNorm, names: [first, second] };
  const name = interpolationName(points);
  return stored(name, "line-between-models", given, null, points, sets, options, (resumed) =>
    interpolateLine(sets, [a.theta, b.theta], {
      ...common(options),
      ...resumed,
      range,
      batchNorm,
      names: [first, second],
    }),
  );
}

/**
 * Computes, or reads where they are up to date, lines along random directions from a model on each
 * evaluation set, and stores them as `lines/random-….arrow`. They go on as `interpolateModels` does.
 *
 * @throws as `randomLines`.
 */
export async function sliceRandomLines(
  point: ModelPoint,
  sets: readonly EvaluationSet[],
  options: SliceRandomLinesOptions = {},
): Promise<LineSlice> {
  const { seeds = [0], range = DEFAULT_RANDOM_RANGE, batchNorm = "keep" } = options;
  const normalization = resolveNormalizeOptions(options);
  const given = { ...normalization, seeds, range: { ...range }, batchNorm, name: point.name };
  const name = randomLinesName(point);
  const seed = seeds[0] ?? null;
  return stored(name, "random-lines", given, seed, [point], sets, options, (resumed) =>
    randomLines(sets, point.run.layout, point.theta, {
      ...common(options),
      ...resumed,
      ...normalization,
      seeds,
      range,
      batchNorm,
      name: point.name,
    }),
  );
}

function common(options: SliceOptions) {
  return pick(options, ["signal", "budget", "onProgress"]);
}

/** Name of the file of the line between two models. */
export function interpolationName([a, b]: readonly [ModelPoint, ModelPoint]): string {
  return `interpolate-${a.digest.slice(0, 8)}-${b.digest.slice(0, 8)}`;
}

/** Name of the file of random lines from a model. */
export function randomLinesName({ digest }: ModelPoint): string {
  return `random-${digest.slice(0, 8)}`;
}

/** Where lines of that name are stored. */
export function lineFile(directory: string, name: string): string {
  return join(directory, "lines", `${fileName(name)}.arrow`);
}

async function stored(
  name: string,
  kind: string,
  given: { readonly [key: string]: JsonValue },
  seed: number | null,
  points: readonly ModelPoint[],
  sets: readonly EvaluationSet[],
  options: SliceOptions,
  compute: (resumed: Required<Pick<LineOptions, "known" | "onPoint">>) => Promise<LineSlice>,
): Promise<LineSlice> {
  const directory = options.directory ?? (points[0] as ModelPoint).run.directory;
  const file = lineFile(directory, name);
  const provenance: Provenance = sliceProvenance(kind, given, seed, points, sets, options.batchNorm);
  return memoResumably(
    {
      what: "line",
      file,
      provenance,
      read: readLineSlice,
      write: writeLineSlice,
      engines: sets.map(({ evaluator }) => evaluator.facts.engine),
      metrics: uniq(sets.flatMap(({ evaluator }) => evaluator.facts.metricNames)),
      tiles: curvePointTiles,
      isPartial,
      ...pick(options, ["force", "resume"]),
    },
    compute,
  );
}

function isPartial({ curves }: LineSlice): boolean {
  return curves.some(({ surface }) => surface.partial !== undefined);
}
