import type { LossEvaluator, LossValue } from "../model/loss-evaluator.js";
import type { SampleEvaluator } from "../model/sample-evaluator.js";
import type { PlanePoint } from "../surface/plane-point.js";
import { createUndefinedCount, type PointPolicy, type UndefinedCount } from "../surface/point-policy.js";
import type { Grid } from "../surface/surface.js";
import { EXACT, type PointData, SAMPLED } from "./point-data.js";

/** Evaluates grid points, and counts what that takes. */
export interface PointEvaluator {
  /** Samples evaluated so far. */
  spent(): number;
  /** Samples that a point takes to become EXACT (on all samples and on the subsample), or SAMPLED. */
  costOf(point: number, state: number): number;
  /** Evaluates a point on all samples, and on the subsample if that has not been done. */
  evaluateExact(point: number): Promise<LossValue>;
  /** Evaluates a point on the subsample. */
  evaluateSample(point: number): Promise<void>;
  /** Evaluates θ* itself, which is a point of the grid or not. */
  evaluateCenter(origin: number): Promise<LossValue>;
  /** Largest shares of clipped and capped samples at exact points. */
  shares(): { readonly clippedShare: number | null; readonly cappedShare: number | null };
  readonly undefinedCount: UndefinedCount;
}

/** What points are evaluated with. */
export interface PointEvaluatorParts {
  readonly evaluator: LossEvaluator;
  /** The subsample, or null where every evaluation is exact. */
  readonly subset: SampleEvaluator | null;
  readonly place: PlanePoint;
  readonly grid: Grid;
  readonly data: PointData;
  readonly policy: PointPolicy | undefined;
  readonly signal: AbortSignal | undefined;
  /** Samples evaluated before. */
  readonly before: number;
}

/** Creates what evaluates points and writes what comes into the data. */
export function createPointEvaluator(parts: PointEvaluatorParts): PointEvaluator {
  const { evaluator, subset, place, grid, data, policy, signal } = parts;
  const width = grid.alpha.length;
  const undefinedCount = createUndefinedCount();
  let spent = parts.before;
  let clipped: number | null = null;
  let capped: number | null = null;

  const moveTo = async (alpha: number, beta: number, isOnGrid: boolean): Promise<boolean> => {
    signal?.throwIfAborted();
    place.moveTo(alpha, beta);
    const names = (await policy?.prepare(place.theta, signal)) ?? [];
    if (isOnGrid) undefinedCount.add(names);
    return names.length === 0;
  };
  const moveToPoint = (point: number) =>
    moveTo(grid.alpha[point % width], grid.beta[Math.floor(point / width)], true);

  const wholeSet = async (): Promise<LossValue> => {
    const value = await evaluator.evaluate(place.theta, signal);
    spent += evaluator.samples;
    clipped = larger(clipped, value.clippedShare);
    capped = larger(capped, value.cappedShare ?? null);
    return value;
  };
  const onSubset = async (point: number): Promise<void> => {
    if (subset === null || data.loss.samples[point] !== null) return;
    const { loss, metrics } = await subset.evaluate(place.theta, signal);
    spent += subset.samples;
    data.loss.samples[point] = loss;
    for (const [name, quantity] of Object.entries(data.metrics)) quantity.samples[point] = metrics[name];
    data.state[point] = SAMPLED;
  };
  const put = (point: number, { loss, metrics }: LossValue): void => {
    data.loss.exact[point] = loss;
    for (const [name, quantity] of Object.entries(data.metrics)) quantity.exact[point] = metrics[name];
    data.state[point] = EXACT;
  };
  const evaluatePlace = async (point: number, isDefined: boolean): Promise<LossValue> => {
    if (!isDefined) {
      const none = nanValue(evaluator);
      put(point, none);
      return none;
    }
    await onSubset(point);
    const value = await wholeSet();
    put(point, value);
    return value;
  };

  return {
    spent: () => spent,
    costOf(point, state) {
      const own = subset === null || data.loss.samples[point] !== null ? 0 : subset.samples;
      return state === EXACT ? evaluator.samples + own : own;
    },
    evaluateExact: async (point) => evaluatePlace(point, await moveToPoint(point)),
    async evaluateSample(point) {
      if (await moveToPoint(point)) await onSubset(point);
      else put(point, nanValue(evaluator));
    },
    async evaluateCenter(origin) {
      const isDefined = await moveTo(0, 0, origin !== -1);
      if (origin !== -1) return evaluatePlace(origin, isDefined);
      return isDefined ? wholeSet() : nanValue(evaluator);
    },
    shares: () => ({ clippedShare: clipped, cappedShare: capped }),
    undefinedCount,
  };
}

function nanValue({ metricNames }: LossEvaluator): LossValue {
  const metrics = Object.fromEntries(metricNames.map((name) => [name, Number.NaN]));
  return { loss: Number.NaN, metrics, clippedShare: null };
}

function larger(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.max(a, b);
}
