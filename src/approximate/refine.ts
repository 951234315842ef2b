import type { ApproximationSettings } from "../surface/approximation.js";
import { choosePoints, drawPoints, latticePoints } from "./choose-points.js";
import { type Estimate, type EstimateTools, estimate } from "./estimate.js";
import { ratio, rounding } from "./held-out.js";
import { EXACT, type PointData, pointsOf, SAMPLED, UNKNOWN } from "./point-data.js";
import type { PointEvaluator } from "./point-evaluator.js";
import { boundOfMost, rangeOf } from "./spread-of-errors.js";
import { createStencils } from "./stencils.js";
import type { StratifiedSample } from "./stratified-sample.js";

/** What a grid is refined with. */
export interface RefineParts {
  readonly data: PointData;
  readonly points: PointEvaluator;
  /** The subsample, or null where every evaluation is exact. */
  readonly sample: StratifiedSample | null;
  readonly settings: ApproximationSettings;
  /** Most sample evaluations. */
  readonly limit: number;
  /** Samples of the evaluation set. */
  readonly samples: number;
  readonly report: () => void;
}

/** Values over the grid with the bounds of their errors. */
export interface Refined {
  readonly values: Float64Array;
  readonly errors: Float64Array;
  readonly metrics: Readonly<Record<string, Float64Array>>;
  readonly metricErrors: Readonly<Record<string, Float64Array>>;
}

/** Share of the budget for the first exact points, which lie on a lattice. */
const LATTICE_SHARE = 0.4;
/** Share of the budget for the exact points that check everything at the end. */
const CHECK_SHARE = 0.15;
/** Points drawn at random, of which the largest error bounds that of 95 % of the others, in 95 % of cases. */
const DRAWN = 60;
/** Each round evaluates this share of what is known more. */
const GROWTH = 0.15;

/**
 * Evaluates points until the error is small enough or the budget spent: a lattice of exact points, points drawn
 * at random, then those with the largest errors; at last exact points drawn at random, whose errors widen all
 * bounds where these do not hold.
 */
export async function refine(parts: RefineParts): Promise<Refined> {
  const { data, points, sample, settings, limit, samples, report } = parts;
  const stencils = createStencils(data.width);
  const isLine = data.height === 1;
  const affordable = limit / samples;
  const side = isLine ? LATTICE_SHARE * affordable : Math.sqrt(LATTICE_SHARE * affordable);
  const evaluate = async (point: number, state: number): Promise<void> => {
    if (data.state[point] === EXACT) return;
    await (state === EXACT ? points.evaluateExact(point) : points.evaluateSample(point));
    report();
  };
  for (const point of latticePoints(data, Math.max(3, Math.min(7, Math.floor(side))))) {
    await evaluate(point, EXACT);
  }
  const checks = Math.max(3, Math.min(10, Math.round(CHECK_SHARE * affordable)));
  const reserve = checks * samples;
  const own = sample === null ? EXACT : SAMPLED;
  const unit = sample === null ? samples : sample.rows.length;
  const most = sample === null ? DRAWN / 3 : DRAWN;
  const count = Math.max(sample === null ? 3 : 10, Math.min(most, Math.floor((0.3 * limit) / unit)));
  const drawn = drawPoints(pointsOf(data, UNKNOWN), count, settings.seed, "interpolation");
  for (const point of drawn) await evaluate(point, own);

  const tools: EstimateTools = { sample, stencils, drawn };
  let current = estimate(data, data.loss, tools);
  for (;;) {
    const tolerance = smallEnough(current, settings.tolerance);
    if (boundOfMost(current.errors) <= tolerance) break;
    const known = data.state.reduce((sum, state) => sum + (state === UNKNOWN ? 0 : 1), 0);
    const hasSubsample = sample !== null;
    const most = Math.max(4, Math.ceil(GROWTH * known));
    const chosen = choosePoints(data, current, { tolerance, hasSubsample, stencils, count: most });
    let evaluated = 0;
    for (const { point, state } of chosen) {
      const left = limit - reserve - points.spent();
      const isAffordable = points.costOf(point, state) <= left;
      const cheaper = data.state[point] === UNKNOWN && points.costOf(point, own) <= left ? own : UNKNOWN;
      const next = isAffordable ? state : cheaper;
      if (next === UNKNOWN) continue;
      await evaluate(point, next);
      evaluated++;
    }
    if (evaluated === 0) break;
    current = estimate(data, data.loss, tools);
  }
  return checked(parts, current, tools, checks, evaluate);
}

/** The error at which refinement stops: a share of the range, and no less than rounding. */
function smallEnough({ values }: Estimate, tolerance: number): number {
  const largest = values.reduce(
    (most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most),
    0,
  );
  return Math.max(tolerance * rangeOf(values), 10 * rounding(largest));
}

/** Compares bounds with exact values at points drawn at random, and widens them where they do not hold. */
async function checked(
  { data, settings }: RefineParts,
  { values, errors }: Estimate,
  tools: EstimateTools,
  checks: number,
  evaluate: (point: number, state: number) => Promise<void>,
): Promise<Refined> {
  const open = [...pointsOf(data, UNKNOWN), ...pointsOf(data, SAMPLED)];
  const drawn = drawPoints(open, checks, settings.seed, "check");
  const metricNames = Object.keys(data.metrics);
  const before = Object.fromEntries(
    metricNames.map((name) => [name, estimate(data, data.metrics[name], tools)]),
  );
  for (const point of drawn) await evaluate(point, EXACT);
  const finish = (name: string | null, predicted: Pick<Estimate, "values" | "errors">) => {
    const quantity = name === null ? data.loss : data.metrics[name];
    const final = estimate(data, quantity, tools);
    const factor = widening(drawn, predicted, quantity.exact);
    return { values: final.values, errors: final.errors.map((error) => (error === 0 ? 0 : factor * error)) };
  };
  const loss = finish(null, { values, errors });
  const metrics = metricNames.map((name) => [name, finish(name, before[name])] as const);
  return {
    ...loss,
    metrics: Object.fromEntries(metrics.map(([name, own]) => [name, own.values])),
    metricErrors: Object.fromEntries(metrics.map(([name, own]) => [name, own.errors])),
  };
}

/** The factor with which bounds hold at all points checked; infinite where finite was predicted and is not. */
function widening(
  drawn: readonly number[],
  { values, errors }: Pick<Estimate, "values" | "errors">,
  exact: Float64Array,
): number {
  let factor = 1;
  for (const point of drawn) {
    if (errors[point] === Number.POSITIVE_INFINITY) continue;
    if (Number.isFinite(values[point]) !== Number.isFinite(exact[point])) return Number.POSITIVE_INFINITY;
    if (!Number.isFinite(exact[point])) continue;
    factor = Math.max(factor, ratio(Math.abs(values[point] - exact[point]), errors[point], exact[point]));
  }
  return factor;
}
