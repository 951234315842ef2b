import { setImmediate } from "node:timers/promises";
import { wholeNumber } from "../base/check-option.js";
import { InvalidOptionError } from "../base/errors.js";
import type { Stoppable } from "../base/work.js";
import { type Curve, distanceBetween, pointBetween } from "./curve.js";
import type { CurveObjective } from "./curve-objective.js";
import { type CurveOptimizer, checkDescent, createDescent } from "./descent.js";
import { checkEnds } from "./path-losses.js";
import { type CurveState, divergedError } from "./train-curve.js";

/** One cycle of {@link autoNeb}: so many steps at a rate. */
export interface NebCycle {
  readonly steps: number;
  readonly learningRate: number;
}

/** The published cycles: 4 × 1,000 and 2 × 2,000 steps at 0.1, 4 × 1,000 at 0.01, 4 × 1,000 at 0.001. */
export const NEB_CYCLES: readonly NebCycle[] = [
  ...repeated(4, { steps: 1000, learningRate: 0.1 }),
  ...repeated(2, { steps: 2000, learningRate: 0.1 }),
  ...repeated(4, { steps: 1000, learningRate: 0.01 }),
  ...repeated(4, { steps: 1000, learningRate: 0.001 }),
];

function repeated(count: number, cycle: NebCycle): NebCycle[] {
  return Array.from({ length: count }, () => cycle);
}

/** Options of {@link autoNeb}. */
export interface NebOptions extends Stoppable {
  /** Default the published ones. */
  readonly cycles?: readonly NebCycle[] | undefined;
  /** Factor of the steps of every cycle. Default 1. */
  readonly stepScale?: number | undefined;
  /** Factor of every rate. Default 1. */
  readonly rateScale?: number | undefined;
  /** Default "momentum" (0.9), as published. */
  readonly optimizer?: CurveOptimizer | undefined;
  /** Pivots of the first cycle. Default 3. */
  readonly pivots?: number | undefined;
  /** Pivots inserted between two cycles, at most. Default 2. */
  readonly inserted?: number | undefined;
  /**
   * How far the loss between two pivots must rise above the line between theirs to get another pivot, as a share of the
   * range of the losses along the band. Default 0.1.
   */
  readonly threshold?: number | undefined;
  /** Points between two pivots at which the loss is evaluated for that. Default 9. */
  readonly between?: number | undefined;
  /** What an interrupted band left; it goes on from there. */
  readonly from?: CurveState | undefined;
  /** Called at the start and after each cycle. */
  readonly onEpoch?: ((state: CurveState) => void | Promise<void>) | undefined;
}

/** The settings of a band, defaults filled in. */
export interface NebSettings {
  readonly cycles: readonly NebCycle[];
  readonly optimizer: CurveOptimizer;
  readonly pivots: number;
  readonly inserted: number;
  readonly threshold: number;
  readonly between: number;
}

/** Fills in the defaults, and checks everything. */
export function resolveNebOptions(options: NebOptions): NebSettings {
  const { cycles = NEB_CYCLES, stepScale = 1, rateScale = 1, optimizer = "momentum" } = options;
  const { pivots = 3, inserted = 2, threshold = 0.1, between = 9 } = options;
  for (const [name, value] of Object.entries({ stepScale, rateScale })) {
    if (!(Number.isFinite(value) && value > 0))
      throw new InvalidOptionError(name, "a number above 0", String(value));
  }
  for (const [name, value] of Object.entries({ pivots, between, cycles: cycles.length }))
    wholeNumber(name, value);
  wholeNumber("inserted", inserted, 0);
  if (!(threshold >= 0))
    throw new InvalidOptionError("threshold", "a number of at least 0", String(threshold));
  for (const { steps, learningRate } of cycles) {
    checkDescent(optimizer, learningRate);
    if (!(steps >= 1)) throw new InvalidOptionError("cycles", "at least 1 step", String(steps));
  }
  const scaled = cycles.map(({ steps, learningRate }) => ({
    steps: Math.max(1, Math.round(steps * stepScale)),
    learningRate: learningRate * rateScale,
  }));
  return { cycles: scaled, optimizer, pivots, inserted, threshold, between };
}

/**
 * Finds a path of low loss between two models by AutoNEB: a chain of pivots, each moved along its gradient without the
 * part along the chain (off the upwind tangent: that to the neighbour of higher loss, and between both at an extremum),
 * while the chain is kept at its spacing by redistribution. Between cycles pivots are inserted where the loss between
 * two of them rises above the straight line between theirs.
 *
 * @param lossAt - the loss at a θ over the whole set, which tells where pivots are missing.
 * @returns the chain; its largest loss estimates that of the saddle between the two minima, from above.
 * @throws {@link InvalidOptionError} for options that cannot be used; {@link EvaluationError} if a loss is NaN or
 * infinite.
 * @see Draxler, Veschgini, Salmhofer and Hamprecht 2018, algorithm 2; Henkelman and Jónsson 2000 for the tangent.
 * @example
 * const lossAt = async (theta: Float32Array) => (await evaluator.evaluate(theta)).loss;
 * const band = await autoNeb(objective, thetaA, thetaB, lossAt, { stepScale: 0.05 });
 */
export async function autoNeb(
  objective: CurveObjective,
  a: Float32Array,
  b: Float32Array,
  lossAt: (theta: Float32Array) => Promise<number>,
  options: NebOptions = {},
): Promise<Curve> {
  const settings = resolveNebOptions(options);
  const { cycles, pivots } = settings;
  const { from, signal, onEpoch } = options;
  checkEnds(a, b);
  let points =
    from?.points.map((point) => Float32Array.from(point)) ??
    Array.from({ length: pivots + 2 }, (_, k) => pointBetween(a, b, k / (pivots + 1)));
  let iteration = from?.iteration ?? 0;
  let epoch = from?.epoch ?? 0;
  const report = async (loss: number, learningRate: number) =>
    onEpoch?.({ epoch, iteration, loss, learningRate, points, moments: [] });
  if (from === undefined) await report(Number.NaN, cycles[0].learningRate);
  const nextBatch = batchesFrom(objective, iteration);
  for (; epoch < cycles.length; ) {
    const { steps, learningRate } = cycles[epoch];
    if (epoch > 0) points = await withInsertions(points, lossAt, settings);
    const spacing = spacingOf(points);
    const descents = points.map(() => createDescent(settings.optimizer, a.length));
    const gradients = points.map(() => new Float32Array(a.length));
    let loss = Number.NaN;
    for (let step = 0; step < steps; step++) {
      signal?.throwIfAborted();
      const batch = nextBatch();
      redistribute(points, spacing);
      const losses: number[] = [];
      for (const [k, point] of points.entries()) {
        losses.push(await objective.gradientInto(gradients[k], point, batch));
        if (!Number.isFinite(losses[k])) throw divergedError(epoch, losses[k]);
      }
      // All tangents are those of the chain before the step.
      for (let k = 1; k < points.length - 1; k++) projectOff(gradients[k], tangentAt(points, losses, k));
      for (let k = 1; k < points.length - 1; k++) descents[k].step(points[k], gradients[k], learningRate);
      loss = Math.max(...losses);
      iteration++;
      if (step % 16 === 0) await setImmediate();
    }
    redistribute(points, spacing);
    epoch++;
    await report(loss, learningRate);
  }
  return { kind: "neb", points };
}

/** One batch after another, epoch after epoch, from the place of an interrupted work on. */
function batchesFrom(objective: CurveObjective, iteration: number): () => Int32Array {
  let [epoch, left] = [0, [...objective.batches(0)]];
  const next = () => {
    if (left.length === 0) left = [...objective.batches(++epoch)];
    return left.shift() as Int32Array;
  };
  for (let i = 0; i < iteration; i++) next();
  return next;
}

function spacingOf(points: readonly Float32Array[]): Float64Array {
  return Float64Array.from({ length: points.length - 1 }, (_, k) =>
    distanceBetween(points[k], points[k + 1]),
  );
}

/**
 * Moves the pivots along the chain so that their distances along it are in given proportions, in place.
 *
 * @see Draxler et al. 2018, section 3.1: a spring of infinite stiffness.
 */
function redistribute(points: Float32Array[], spacing: Float64Array): void {
  const now = spacingOf(points);
  const [whole, wanted] = [now, spacing].map((lengths) => lengths.reduce((sum, one) => sum + one, 0));
  if (!(whole > 0 && wanted > 0)) return;
  const source = [...points];
  let [piece, before, target] = [0, 0, 0];
  for (let k = 1; k < points.length - 1; k++) {
    target += (spacing[k - 1] / wanted) * whole;
    while (piece < now.length - 1 && target > before + now[piece]) before += now[piece++];
    const share = now[piece] > 0 ? Math.min(1, (target - before) / now[piece]) : 0;
    points[k] = pointBetween(source[piece], source[piece + 1], share);
  }
}

/** The unit tangent at a pivot. */
function tangentAt(points: readonly Float32Array[], losses: readonly number[], k: number): Float32Array {
  const [before, here, after] = [losses[k - 1], losses[k], losses[k + 1]];
  const unit = (from: Float32Array, to: Float32Array): Float32Array => {
    const length = distanceBetween(from, to);
    return from.map((value, i) => (length > 0 ? (to[i] - value) / length : 0));
  };
  const backward = () => unit(points[k - 1], points[k]);
  const forward = () => unit(points[k], points[k + 1]);
  const isExtremum = (before < here && here > after) || (before > here && here < after);
  if (!isExtremum) return before > after ? backward() : forward();
  const [gapBefore, gapAfter] = [Math.abs(here - before), Math.abs(here - after)];
  const [large, small] = [Math.max(gapBefore, gapAfter), Math.min(gapBefore, gapAfter)];
  // The neighbour of higher loss counts by the larger gap (Henkelman and Jónsson, equation 10).
  const [ofBefore, ofAfter] = before > after ? [large, small] : [small, large];
  const ahead = forward();
  const mixed = backward().map((value, i) => ofBefore * value + ofAfter * ahead[i]);
  return unit(new Float32Array(mixed.length), mixed);
}

/** Takes the part along a unit vector out of a gradient, in place. */
function projectOff(gradient: Float32Array, tangent: Float32Array): void {
  let along = 0;
  for (let i = 0; i < gradient.length; i++) along += gradient[i] * tangent[i];
  for (let i = 0; i < gradient.length; i++) gradient[i] -= along * tangent[i];
}

/** The chain with pivots where the dense loss rises above the line between two pivots' losses. */
async function withInsertions(
  points: readonly Float32Array[],
  lossAt: (theta: Float32Array) => Promise<number>,
  { inserted, threshold, between }: NebSettings,
): Promise<Float32Array[]> {
  if (inserted === 0) return [...points];
  const losses: number[] = [];
  for (const point of points) losses.push(await lossAt(point));
  let [low, high] = [Math.min(...losses), Math.max(...losses)];
  const gaps: { readonly piece: number; readonly share: number; readonly rise: number }[] = [];
  for (let piece = 0; piece < points.length - 1; piece++) {
    let worst = { piece, share: 0, rise: Number.NEGATIVE_INFINITY };
    for (let j = 1; j <= between; j++) {
      const share = j / (between + 1);
      const loss = await lossAt(pointBetween(points[piece], points[piece + 1], share));
      [low, high] = [Math.min(low, loss), Math.max(high, loss)];
      const rise = loss - ((1 - share) * losses[piece] + share * losses[piece + 1]);
      if (rise > worst.rise) worst = { piece, share, rise };
    }
    gaps.push(worst);
  }
  const chosen = gaps
    .filter(({ rise }) => rise > threshold * (high - low) && rise > 0)
    .sort((x, y) => y.rise - x.rise)
    .slice(0, inserted);
  return points.flatMap((point, piece) => {
    const gap = chosen.find((one) => one.piece === piece);
    return gap === undefined ? [point] : [point, pointBetween(point, points[piece + 1], gap.share)];
  });
}
