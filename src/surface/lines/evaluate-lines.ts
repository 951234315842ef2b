import { InvalidOptionError } from "../../base/errors.js";
import { refuseRenamed } from "../../base/option-names.js";
import type { LandscapeWarning } from "../../base/warning.js";
import type { Stoppable } from "../../base/work.js";
import type { Directions } from "../../directions/directions.js";
import { mixtureMap } from "../../directions/mixture.js";
import type { NormalizeOptions } from "../../directions/normalize.js";
import { randomDirections } from "../../directions/random.js";
import type { SlicePoints } from "../../directions/slice-map.js";
import type { LossEvaluator } from "../../loss/loss-evaluator.js";
import type { BatchNormPolicyName } from "../../loss/slice-loss.js";
import { checkSeed } from "../../math/random.js";
import type { ParameterLayout } from "../../model/layout.js";
import { type OnPointProgress, pointProgress, type SurfaceBudget, startBudget } from "../evaluate-points.js";
import { beginSurface, type SurfaceInProgress } from "../evaluate-surface.js";
import { type AxisGrid, axisOfGrid } from "../grid.js";
import type { EvaluatedPoint } from "../surface.js";
import { checkSets } from "./evaluate-sets.js";
import type { EvaluationSet, LineCurve, LineSlice } from "./level-set-width.js";

/** A point of a slice of lines. */
export interface LinePoint extends EvaluatedPoint {
  /** Number of the curve: line by line, and within a line set by set. */
  readonly curve: number;
}

/** Options of every slice of lines. */
export interface LineOptions extends Stoppable {
  /** α from, to (both included) and the number of points; the default depends on the slice. */
  readonly grid?: AxisGrid;
  /** What becomes of batch norm's moving statistics; the default depends on the slice. */
  readonly batchNorm?: BatchNormPolicyName;
  /** Ends early, all lines together, with curves that say which points they have (`partial`). Default no limit. */
  readonly budget?: SurfaceBudget;
  /** Points evaluated earlier, which are not evaluated again. Default none. */
  readonly known?: Iterable<LinePoint>;
  /** Called with each point as it is evaluated; the work waits for its promise. */
  readonly onPoint?: (point: LinePoint) => void | Promise<void>;
  /** Called after each point with the points done, all to do, and the seconds left by the present speed. */
  readonly onProgress?: OnPointProgress;
}

/** One line: where it lies, made when it is needed, since many directions at once would fill memory. */
export interface Line {
  readonly seed: number | null;
  points(): SlicePoints & { readonly warnings?: readonly LandscapeWarning[] };
}

/** Curves of a slice and what the reader should know of them. */
export interface EvaluatedLines {
  /** Set by set, and within a set line by line. */
  readonly curves: readonly LineCurve[];
  readonly warnings: readonly LandscapeWarning[];
}

/** Points of each line in the first round; each further round has so many times as many. */
const [FIRST_ROUND, GROWTH] = [9, 4];

/**
 * Evaluates lines on each evaluation set, from coarse to fine: θ*, the ends, the middle and so on. Several curves
 * take turns, so that every beginning is a picture of all of them; a turn is long enough for what is prepared for
 * a line to be worthwhile.
 *
 * @throws as `evaluateSurface`; {@link InvalidOptionError} for no set, or two of one name; {@link LayoutError} if
 * their models differ in the number of weights.
 */
export async function evaluateLines(
  sets: readonly EvaluationSet[],
  lines: readonly Line[],
  alpha: Float64Array,
  batchNorm: BatchNormPolicyName,
  { budget: limits, known = [], onPoint, signal, onProgress }: LineOptions,
): Promise<EvaluatedLines> {
  checkSets(sets);
  const evaluators = lines.flatMap(() => sets.map(({ evaluator }) => evaluator));
  const grid = { alpha, beta: Float64Array.of(0) };
  const earlier = pointsByCurve(known, evaluators);
  const curves = evaluators.map((evaluator, curve) =>
    beginSurface(evaluator, grid, {
      batchNorm,
      signal,
      known: earlier[curve] ?? [],
      onPoint: (point) => onPoint?.({ ...point, curve }),
    }),
  );
  const budget = startBudget(limits, Math.max(...evaluators.map(({ facts }) => facts.samples)));
  const done = progressOf(curves, onProgress);
  const warnings: (readonly LandscapeWarning[] | undefined)[] = lines.map(() => undefined);
  const evaluateUntil = async (until: number): Promise<string | null> => {
    for (const [l, line] of lines.entries()) {
      const own = curves.slice(l * sets.length, (l + 1) * sets.length);
      const isBehind = own.some(({ total, pending }) => total - pending() < Math.min(until, total));
      if (!isBehind && warnings[l] !== undefined) continue;
      const slice = line.points();
      warnings[l] = slice.warnings ?? [];
      for (const [s, surface] of own.entries()) {
        const { samples } = (sets[s] as EvaluationSet).evaluator.facts;
        const usedUp = await surface.evaluate(slice, until, () => budget.take(samples), done);
        if (usedUp !== null) return usedUp;
      }
    }
    return null;
  };
  let usedUp: string | null = null;
  for (const until of roundsOf(curves)) {
    usedUp = await evaluateUntil(until);
    if (usedUp !== null) break;
  }
  const surfaces = curves.map((surface) => surface.finish(usedUp));
  return {
    curves: sets.flatMap(({ name: set }, s) =>
      lines.map(({ seed }, l) => ({ set, seed, surface: surfaces[l * sets.length + s] })),
    ),
    warnings: [
      ...partialWarning(curves, usedUp),
      ...lines.flatMap((_, l) => [
        ...(warnings[l] ?? []),
        ...surfaces
          .slice(l * sets.length, (l + 1) * sets.length)
          .flatMap((surface) => surface.warnings.filter(({ code }) => code !== "partial-surface")),
      ]),
    ],
  };
}

/** Says once, for all curves together, that not all of their points are evaluated. */
function partialWarning(
  curves: readonly SurfaceInProgress[],
  usedUp: string | null,
): readonly LandscapeWarning[] {
  if (usedUp === null) return [];
  const total = sumOf(curves, (curve) => curve.total);
  const known = total - sumOf(curves, (curve) => curve.pending());
  const message =
    `only ${known} of ${total} points of the lines are evaluated (stopped after ${usedUp}); pictures ` +
    "interpolate between them";
  return [{ code: "partial-line", message }];
}

function sumOf(curves: readonly SurfaceInProgress[], value: (curve: SurfaceInProgress) => number): number {
  return curves.reduce((sum, curve) => sum + value(curve), 0);
}

/** How many points each curve has after each round; one curve alone needs no turns. */
function roundsOf(curves: readonly SurfaceInProgress[]): number[] {
  const total = curves[0]?.total ?? 0;
  const rounds: number[] = [];
  if (curves.length > 1) for (let count = FIRST_ROUND; count < total; count *= GROWTH) rounds.push(count);
  return [...rounds, total];
}

function pointsByCurve(known: Iterable<LinePoint>, evaluators: readonly LossEvaluator[]): EvaluatedPoint[][] {
  const points: EvaluatedPoint[][] = evaluators.map(() => []);
  for (const { curve, ...point } of known) {
    const names = evaluators[curve]?.facts.metricNames ?? [];
    // Curves that are stored together have the metrics of all sets.
    const metrics = Object.fromEntries(names.map((name) => [name, point.value.metrics[name] ?? Number.NaN]));
    points[curve]?.push({ ...point, value: { ...point.value, metrics } });
  }
  return points;
}

function progressOf(
  curves: readonly SurfaceInProgress[],
  onProgress: OnPointProgress | undefined,
): () => void {
  const total = sumOf(curves, (curve) => curve.total);
  const pending = sumOf(curves, (curve) => curve.pending());
  return pointProgress(total - pending, total, onProgress);
}

/**
 * Options of {@link interpolateLine}: by default α from −0.5 to 1.5 with 41 points, and moving statistics that are
 * interpolated, so that the ends are the models.
 */
export interface InterpolateLineOptions extends LineOptions {
  /** What the two models are called. Default "model 1" and "model 2". */
  readonly names?: readonly [string, string];
}

/** α of a line between two models where none is given. */
export const DEFAULT_INTERPOLATION: AxisGrid = { from: -0.5, to: 1.5, size: 41 };

/**
 * Evaluates loss and metrics on the line (1−α)θ₁ + αθ₂ between two models or two snapshots of one.
 *
 * At α = 0 and 1 the values are those of the models themselves, to the last bit, with batch norm
 * "interpolate". A low barrier on this line does not mean that no path between the models is lower still.
 *
 * @param sets - evaluation sets, the training set first.
 * @param models - θ₁ and θ₂ (parameterCount).
 * @throws {@link InvalidOptionError} for a grid upside down, one model given twice, or an unknown policy;
 * {@link InvalidDataError} for weights that are not finite.
 * @see Goodfellow et al. 2015; Li et al. 2018, section 3.
 * @example const slice = await interpolateLine([{ name: "train", evaluator }], [theta1, theta2]);
 */
export async function interpolateLine(
  sets: readonly EvaluationSet[],
  models: readonly [Float32Array, Float32Array],
  options: InterpolateLineOptions = {},
): Promise<LineSlice> {
  refuseRenamed(options, "lines");
  const { names = ["model 1", "model 2"], batchNorm = "interpolate" } = options;
  checkSets(sets);
  const alpha = axisOfGrid("grid", options.grid ?? DEFAULT_INTERPOLATION);
  const map = mixtureMap("line", models, names);
  const line = { seed: null, points: () => map };
  return {
    kind: "models",
    axis: `α: ${names[0]} at 0, ${names[1]} at 1`,
    alpha,
    ...(await evaluateLines(sets, [line], alpha, batchNorm, options)),
    marks: names.map((name, i) => ({ alpha: i, name })),
    batchNorm,
  };
}

/** Options of {@link randomLines}: by default α from −1 to 1 with 51 points, and moving statistics that are kept. */
export interface RandomLinesOptions extends LineOptions, NormalizeOptions {
  /** One seed, or several, each a direction of its own. Default [0]. */
  readonly seeds?: readonly number[];
  /** What the model is called. Default "model". */
  readonly name?: string;
}

/** α of a random line where none is given. */
export const DEFAULT_RANDOM_GRID: AxisGrid = { from: -1, to: 1, size: 51 };

/**
 * Evaluates loss and metrics along random directions through θ*, filter-normalized by default, one line for
 * each seed.
 *
 * With filter normalization α = 1 is a step as long as each filter, so that widths of different networks can
 * be compared.
 *
 * @param theta - θ* (parameterCount).
 * @throws {@link InvalidOptionError} for seeds that are none or given twice, a grid upside down or unknown
 * options; {@link InvalidDataError} for weights that are not finite.
 * @see Li et al. 2018, section 4 and figure 14 (ten seeds).
 * @example const slice = await randomLines([{ name: "train", evaluator }], layout, theta, { seeds: [0, 1, 2] });
 */
export async function randomLines(
  sets: readonly EvaluationSet[],
  layout: ParameterLayout,
  theta: Float32Array,
  options: RandomLinesOptions = {},
): Promise<LineSlice> {
  refuseRenamed(options, "lines");
  const { seeds = [0], batchNorm = "keep", name = "model" } = options;
  checkSets(sets);
  checkSeeds(seeds);
  const alpha = axisOfGrid("grid", options.grid ?? DEFAULT_RANDOM_GRID);
  const lines = seeds.map((seed) => ({
    seed,
    points: () => randomDirections(layout, theta, { ...options, seed, count: 1 }),
  }));
  return {
    kind: "random",
    axis: `α along ${seeds.length === 1 ? "a random direction" : `${seeds.length} random directions`} (${options.normalize ?? "filter"} normalization)`,
    alpha,
    ...(await evaluateLines(sets, lines, alpha, batchNorm, options)),
    marks: [{ alpha: 0, name }],
    batchNorm,
  };
}

function checkSeeds(seeds: readonly number[]): void {
  if (seeds.length === 0) throw new InvalidOptionError("seeds", "at least one seed", "none");
  seeds.forEach((seed, i) => {
    checkSeed(seed);
    if (seeds.indexOf(seed) < i) throw new InvalidOptionError("seeds", "each seed once", `${seed} twice`);
  });
}

/** Options of {@link lineAlong}: by default α from −1 to 1 with 51 points, and moving statistics that are kept. */
export interface LineAlongOptions extends LineOptions {
  /** What the model is called. Default "model". */
  readonly name?: string;
}

/**
 * Evaluates loss and metrics along one given direction through θ*: an eigenvector, the gradient.
 *
 * @param directions - the center θ* and the direction; further ones do not count.
 * @throws {@link InvalidOptionError} for a grid upside down or an unknown policy.
 */
export async function lineAlong(
  sets: readonly EvaluationSet[],
  directions: Directions,
  options: LineAlongOptions = {},
): Promise<LineSlice> {
  const { batchNorm = "keep", name = "model" } = options;
  checkSets(sets);
  const alpha = axisOfGrid("grid", options.grid ?? DEFAULT_RANDOM_GRID);
  const { vectors, labels } = directions;
  const line = { seed: null, points: () => ({ ...directions, vectors: vectors.slice(0, 1) }) };
  return {
    kind: "along",
    axis: `α along ${labels[0] ?? "a direction"}`,
    alpha,
    ...(await evaluateLines(sets, [line], alpha, batchNorm, options)),
    marks: [{ alpha: 0, name }],
    batchNorm,
  };
}
