import { setImmediate } from "node:timers/promises";
import type { ApproximationSettings } from "../surface.js";
import { boundOfMost, type Estimate, type EstimateTools, estimate, rangeOf } from "./estimate.js";
import { ratio, rounding } from "./held-out.js";
import {
  type ChosenPoint,
  choosePoints,
  drawPoints,
  EXACT,
  latticePoints,
  type PointData,
  pointsOf,
  SAMPLED,
  UNKNOWN,
} from "./point-data.js";
import type { PointEvaluator } from "./point-evaluator.js";
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
  /** θ* on the grid, or CENTER_INDEX: it is evaluated with the first points. */
  readonly origin: number;
  readonly signal: AbortSignal | undefined;
}

/** Values over the grid with the bounds of their errors. */
export interface Refined {
  /** Whether no bound could be promised, so that every point was evaluated. */
  readonly refused: boolean;
  readonly values: Float64Array;
  readonly errors: Float64Array;
  readonly metrics: Readonly<Record<string, Float64Array>>;
  readonly metricErrors: Readonly<Record<string, Float64Array>>;
}

/** Largest share of the budget for the first exact points, which lie on a lattice. */
const LATTICE_SHARE = 0.4;
/** Exact points that check everything at the end: a fault that a third of the points have shows in 91 % of cases. */
const CHECKS = 6;
/** Largest share of the budget for these. */
const CHECK_SHARE = 0.15;
/** Points drawn at random before anything is refined. */
const DRAWN_FIRST = 30;
/** Points drawn at random at the end, of which the largest error bounds 95 % of the others in 95 % of cases. */
const DRAWN_LAST = 60;
/** Largest share of the budget for each of these. */
const DRAWN_SHARE = 0.15;
/** Refinement goes on to this share of the tolerance: the checks at the end may widen the bounds a little. */
const AIM = 0.9;
/** Each round evaluates this share of what is known more; exact evaluations are dear, so fewer of these. */
const GROWTH = 0.25;
const EXACT_GROWTH = 0.15;
/** Points of a round at least: so many that several workers have something to do. */
const LEAST_ROUND = 4;

/**
 * Evaluates points until the error is small enough or the budget spent: a lattice of exact points, points drawn
 * at random, then those with the largest errors; at last exact points drawn at random, whose errors widen all
 * bounds where these do not hold.
 */
export async function refine(parts: RefineParts): Promise<Refined> {
  const { data, points, sample, settings, limit, samples, origin } = parts;
  const stencils = createStencils(data.width);
  const total = data.state.length;
  const promise = sample === null ? pointsToPromise(total) : 0;
  const lattice = latticePoints(data, LATTICE_SHARE * (limit / samples - promise));
  const own = sample === null ? EXACT : SAMPLED;
  const unit = sample === null ? samples : sample.rows.length;
  const atMost = (count: number, share: number, cost: number) =>
    Math.max(3, Math.min(count, Math.floor((share * limit) / cost)));
  const plan = { last: atMost(DRAWN_LAST, DRAWN_SHARE, unit), checks: atMost(CHECKS, CHECK_SHARE, samples) };
  // An exact point is evaluated on the subsample, too.
  const reserve = sample === null ? 0 : plan.last * unit + plan.checks * (samples + unit);
  const first = sample === null ? promise : atMost(DRAWN_FIRST, DRAWN_SHARE, unit);
  const exact = new Set([...lattice, origin]);
  const others = pointsOf(data, UNKNOWN).filter((point) => !exact.has(point));
  const drawn = drawPoints(others, first, settings.seed, "first");
  const atEnd = sample === null ? null : drawChecks(others, drawn, plan, settings.seed);
  await points.evaluate([...asChosen([...exact], EXACT), ...asChosen(drawn, own)]);

  const tools: EstimateTools = { sample, stencils, drawn };
  const estimateLoss = async (): Promise<Estimate> => {
    await handOut(parts, atEnd);
    return estimate(data, data.loss, tools);
  };
  let current = await estimateLoss();
  for (;;) {
    const tolerance = smallEnough(current, AIM * settings.tolerance);
    if (boundOfMost(current.errors) <= tolerance) break;
    const known = data.state.reduce((sum, state) => sum + (state === UNKNOWN ? 0 : 1), 0);
    const hasSubsample = sample !== null;
    const atLeast = (count: number) => Math.max(LEAST_ROUND, Math.ceil(count));
    const count = atLeast((hasSubsample ? GROWTH : EXACT_GROWTH) * known);
    const exactCount = atLeast(EXACT_GROWTH * pointsOf(data, EXACT).length);
    const chosen = choosePoints(data, current, { tolerance, hasSubsample, stencils, count, exactCount });
    const round = affordablePoints(parts, chosen, own, limit - reserve - points.spent());
    if (round.length === 0) break;
    await points.evaluate(round);
    current = await estimateLoss();
  }
  return atEnd === null ? promised(parts, tools) : checked(parts, tools, atEnd, current);
}

/**
 * Lets processes have points of the check before an estimate, which of a large grid takes as long as some points: what
 * is asked of them in one turn of the event loop goes to them in the next.
 */
async function handOut({ data, points, signal }: RefineParts, atEnd: Checks | null): Promise<void> {
  if (atEnd !== null) points.prepare(atEnd.of(data));
  for (let turn = 0; turn < 2; turn++) await setImmediate();
  signal?.throwIfAborted();
}

/** Points that check the bounds at the end. */
interface Checks {
  /** As much of what is known as they are: on the subsample for interpolation, on all samples for everything. */
  of(data: PointData): readonly ChosenPoint[];
}

/**
 * Draws the points of the check in the order in which they are taken: the first that are not known when the
 * refinement is over. Nothing is refined by that order, so any of what is left is taken with the same chance. The
 * first that are not known before that are needed in any case, for the check or because they were chosen.
 */
function drawChecks(
  others: readonly number[],
  first: readonly number[],
  plan: { readonly last: number; readonly checks: number },
  seed: number,
): Checks {
  const isFirst = new Set(first);
  const unknown = others.filter((point) => !isFirst.has(point));
  const last = drawPoints(unknown, unknown.length, seed, "last");
  const checks = drawPoints(others, others.length, seed, "check");
  return {
    of: ({ state }) => [
      ...asChosen(checks.filter((point) => state[point] !== EXACT).slice(0, plan.checks), EXACT),
      ...asChosen(last.filter((point) => state[point] === UNKNOWN).slice(0, plan.last), SAMPLED),
    ],
  };
}

/** Share of the points that lattice and refinement get at least, beside the points drawn for the promise. */
const LEAST_SHARE = 0.1;

/**
 * Returns the evaluations of the whole set that a grid takes at least where there is no subsample: those of the
 * points drawn to promise a bound, and a tenth of the points for what is interpolated.
 */
export function leastEvaluations(total: number): number {
  return Math.min(total, pointsToPromise(total) + Math.ceil(LEAST_SHARE * total));
}

/** Chance at most that none of the drawn points shows a fault that more than 5 % of all points have. */
const MISSED = 0.03;

/**
 * Points to draw at random so that a bound which all of them keep is kept by 95 % of the points: some 60 for
 * large grids, fewer where they are a good part of it.
 */
function pointsToPromise(total: number): number {
  const bad = Math.floor(0.05 * total) + 1;
  return Math.min(total, Math.ceil(total * (1 - MISSED ** (1 / bad))));
}

/**
 * The estimates where every evaluation is exact. Their bounds were calibrated by leaving out each drawn point in
 * turn; where one of these shows that nothing can be promised, every point is evaluated.
 */
async function promised({ data, points }: RefineParts, tools: EstimateTools): Promise<Refined> {
  const quantities = [data.loss, ...Object.values(data.metrics)];
  let found = quantities.map((quantity) => estimate(data, quantity, tools));
  const refused = found.some(({ isPromised }) => !isPromised);
  if (refused) {
    await points.evaluate(asChosen(pointsOf(data, UNKNOWN), EXACT));
    found = quantities.map((quantity) => estimate(data, quantity, tools));
  }
  return { ...byName(data, found), refused };
}

/** Estimates of the loss and of each metric, by name. */
function byName(
  { metrics }: PointData,
  found: readonly Pick<Estimate, "values" | "errors">[],
): Omit<Refined, "refused"> {
  const named = Object.keys(metrics).map((name, i) => [name, found[i + 1]] as const);
  return {
    values: found[0].values,
    errors: found[0].errors,
    metrics: Object.fromEntries(named.map(([name, own]) => [name, own.values])),
    metricErrors: Object.fromEntries(named.map(([name, own]) => [name, own.errors])),
  };
}

/** The points of a round, in turn, as long as samples are left: on all of them, or on the subsample. */
function affordablePoints(
  { data, points }: RefineParts,
  chosen: readonly ChosenPoint[],
  own: number,
  samples: number,
): ChosenPoint[] {
  let left = samples;
  return chosen.flatMap(({ point, state }) => {
    const cheaper = data.state[point] === UNKNOWN ? own : UNKNOWN;
    const next = [state, cheaper].find((one) => one !== UNKNOWN && points.costOf(point, one) <= left);
    if (next === undefined) return [];
    left -= points.costOf(point, next);
    return [{ point, state: next }];
  });
}

/** The error at which refinement stops: a share of the range, and no less than rounding. */
function smallEnough({ values }: Estimate, tolerance: number): number {
  const largest = values.reduce(
    (most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most),
    0,
  );
  return Math.max(tolerance * rangeOf(values), 10 * rounding(largest));
}

function asChosen(points: readonly number[], state: number): ChosenPoint[] {
  return points.map((point) => ({ point, state }));
}

/**
 * Compares bounds with values at fresh points drawn at random, on the subsample for interpolation and on all
 * samples for everything, and widens them where they do not hold. Nothing was chosen by these points' errors.
 * What the exact ones show is left out of the estimates that they check.
 *
 * @param current - the last estimate of the loss.
 */
async function checked(
  parts: RefineParts,
  tools: EstimateTools,
  atEnd: Checks,
  current: Estimate,
): Promise<Refined> {
  const { data, points } = parts;
  const metrics = Object.values(data.metrics);
  const quantities = [data.loss, ...metrics];
  const estimates = (wanted?: readonly number[]) =>
    quantities.map((quantity) => estimate(data, quantity, tools, wanted));
  const chosen = atEnd.of(data);
  const last = chosen.flatMap(({ point, state }) => (state === SAMPLED ? [point] : []));
  await handOut(parts, atEnd);
  const interpolated = [current, ...metrics.map((quantity) => estimate(data, quantity, tools, last))];
  await points.evaluate(chosen.filter(({ state }) => state === SAMPLED));
  await handOut(parts, { of: () => chosen });
  const checks = chosen.flatMap(({ point, state }) =>
    state === EXACT && data.state[point] !== EXACT ? [point] : [],
  );
  const sampled = estimates(checks);
  const between = interpolated.map((own, i) => widening(last, own, sampled[i].values));
  await points.evaluate(asChosen(checks, EXACT));
  const exact = quantities.map((quantity) => quantity.exact);
  const final = estimates().map(({ values, errors }, i) => {
    const everywhere = widening(checks, sampled[i], exact[i]);
    const factorOf = (state: number) => (state === UNKNOWN ? between[i] * everywhere : everywhere);
    return {
      values,
      errors: errors.map((error, at) => (error === 0 ? 0 : error * factorOf(data.state[at]))),
    };
  });
  return { ...byName(data, final), refused: false };
}

/** The factor with which bounds hold at all points checked; infinite where finite was predicted and is not. */
function widening(
  drawn: readonly number[],
  { values, errors }: Pick<Estimate, "values" | "errors">,
  found: Float64Array,
): number {
  let factor = 1;
  for (const point of drawn) {
    if (errors[point] === Number.POSITIVE_INFINITY) continue;
    if (Number.isFinite(values[point]) !== Number.isFinite(found[point])) return Number.POSITIVE_INFINITY;
    if (!Number.isFinite(found[point])) continue;
    factor = Math.max(factor, ratio(Math.abs(values[point] - found[point]), errors[point], found[point]));
  }
  return factor;
}
