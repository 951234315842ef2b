import type { LossEvaluator } from "../model/loss-evaluator.js";
import type { ParameterLayout } from "../params/layout.js";
import type { AxisRange } from "../surface/axis.js";
import {
  type BatchNormPolicyName,
  createBatchNormPolicy,
  type Recalibrator,
} from "../surface/batch-norm-policy.js";
import { type SurfaceBudget, startBudget } from "../surface/budget.js";
import type { EvaluatedPoint } from "../surface/evaluated-point.js";
import { type OnPointProgress, pointProgress } from "../surface/point-progress.js";
import type { SlicePoints } from "../surface/slice-map.js";
import { beginSurface, type SurfaceInProgress } from "../surface/surface-in-progress.js";
import type { LandscapeWarning } from "../warning.js";
import { checkSets } from "./evaluate-sets.js";
import type { EvaluationSet, LineCurve } from "./line-slice.js";

/** A point of a slice of lines. */
export interface LinePoint extends EvaluatedPoint {
  /** Number of the curve: line by line, and within a line set by set. */
  readonly curve: number;
}

/** Options of every slice of lines. */
export interface LineOptions {
  /** α from, to (both included) and the number of points; the default depends on the slice. */
  readonly range?: AxisRange;
  /** What becomes of batch norm's moving statistics; the default depends on the slice. */
  readonly batchNorm?: BatchNormPolicyName;
  /** Needed by "recalibrate"; see `createRecalibrator`. */
  readonly recalibrator?: Recalibrator;
  /** Ends early, all lines together, with curves that say which points they have (`partial`). Default no limit. */
  readonly budget?: SurfaceBudget;
  /** Points evaluated earlier, which are not evaluated again. Default none. */
  readonly known?: Iterable<LinePoint>;
  /** Called with each point as it is evaluated; the work waits for its promise. */
  readonly onPoint?: (point: LinePoint) => void | Promise<void>;
  /** Stops the work within a batch; the promise rejects with the signal's reason. Default none. */
  readonly signal?: AbortSignal;
  /** Called after each point with the points done, all to do, and the seconds left by the present speed. */
  readonly onProgress?: OnPointProgress;
}

/** One line: where it lies, made when it is needed, since many directions at once would fill memory. */
export interface Line {
  readonly seed: number | null;
  points(): SlicePoints & { readonly warnings?: readonly LandscapeWarning[] };
}

/** What lines are evaluated with beside the options. */
export interface LineParts {
  readonly layout: ParameterLayout;
  /** θ (parameterCount) whose moving statistics "keep" keeps. */
  readonly center: Float32Array;
  /** The directions, where they are known to move no statistics or some. */
  readonly vectors?: readonly Float32Array[];
  readonly batchNorm: BatchNormPolicyName;
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
  { layout, center, vectors, batchNorm }: LineParts,
  { recalibrator, budget: limits, known = [], onPoint, signal, onProgress }: LineOptions,
): Promise<EvaluatedLines> {
  checkSets(sets);
  const policy = createBatchNormPolicy(batchNorm, {
    layout,
    center,
    ...(vectors === undefined ? {} : { vectors }),
    ...(recalibrator === undefined ? {} : { recalibrator }),
  });
  const evaluators = lines.flatMap(() => sets.map(({ evaluator }) => evaluator));
  const grid = { alpha, beta: Float64Array.of(0) };
  const earlier = pointsByCurve(known, evaluators);
  const curves = evaluators.map((evaluator, curve) =>
    beginSurface(evaluator, grid, {
      policy,
      ...(signal === undefined ? {} : { signal }),
      known: earlier[curve] ?? [],
      onPoint: (point) => onPoint?.({ ...point, curve }),
    }),
  );
  const budget = startBudget(limits, Math.max(...evaluators.map(({ samples }) => samples)));
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
        const { samples } = (sets[s] as EvaluationSet).evaluator;
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
    const names = evaluators[curve]?.metricNames ?? [];
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
