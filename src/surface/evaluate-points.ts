import { setMaxListeners } from "node:events";
import { InvalidOptionError } from "../base/errors.js";
import type { Stoppable } from "../base/work.js";
import type { SlicePoints } from "../directions/slice-map.js";
import type { LossEvaluator } from "../loss/loss-evaluator.js";
import { type BatchNormPolicyName, openSlice } from "../loss/slice-loss.js";
import { originIndex } from "./grid.js";
import { CENTER_INDEX, type EvaluatedPoint, type Grid } from "./surface.js";

/** Work that is done piece by piece, several pieces at once. */
export interface LaneWork {
  /** How many pieces are to be under way; it may change. */
  width(): number;
  /** Pieces that are not begun. */
  left(): number;
}

/**
 * Worker loop: takes items until there are none, and ends between two items after `stop`. After each item it calls
 * `goesOn()`, which may start more loops or return false to end this one.
 */
export type Lane = (stop: AbortSignal | undefined, goesOn: () => boolean) => Promise<void>;

/**
 * Runs several lanes of the same work at once. The first failure stops the others, and is thrown when all have
 * ended, so that nothing goes on behind the caller's back.
 *
 * @param signal - stops all of them.
 */
export async function runLanes(work: LaneWork, signal: AbortSignal | undefined, lane: Lane): Promise<void> {
  if (Math.min(work.width(), work.left()) <= 1) return lane(signal, () => true);
  const failure = new AbortController();
  const stop = signal === undefined ? failure.signal : AbortSignal.any([signal, failure.signal]);
  // Each lane may listen to it, and Node.js takes more than ten listeners for a leak.
  setMaxListeners(0, stop);
  const lanes: Promise<void>[] = [];
  const first = work.width();
  let running = 0;
  let done = 0;
  const start = (busy: number): void => {
    // One more for each piece done: a width that comes of other pieces may be too much for these.
    const most = Math.min(work.width(), busy + work.left(), first + done);
    while (running < most && !failure.signal.aborted) {
      running++;
      lanes.push(lane(stop, goesOn).catch((error: unknown) => failure.abort(error)));
    }
  };
  const goesOn = (): boolean => {
    done++;
    if (running > 1 && running > work.width()) {
      running--;
      return false;
    }
    // The lane that asks is free.
    start(running - 1);
    return true;
  };
  start(0);
  for (let i = 0; i < lanes.length; i++) await lanes[i];
  failure.signal.throwIfAborted();
}

/** What happens at each point beside its evaluation. */
export interface PointOptions extends Stoppable {
  /** What becomes of batch norm's statistics at each point. Default: they move with the other weights. */
  readonly batchNorm?: BatchNormPolicyName | undefined;
  /** Called with each point as it is evaluated, in no particular order; the work waits for its promise. */
  readonly onPoint?: (point: EvaluatedPoint) => void | Promise<void>;
}

/**
 * Evaluates points, as many at once as the evaluator takes, until the queue is empty (the answer is null) or
 * `take` says what is used up. The first failure stops the others.
 */
export async function evaluatePoints(
  evaluator: LossEvaluator,
  slice: SlicePoints,
  grid: Grid,
  queue: readonly number[],
  options: PointOptions,
  take: () => string | null,
  done: (point: EvaluatedPoint) => void,
): Promise<string | null> {
  if (queue.length === 0) return null;
  const { batchNorm, signal } = options;
  const points = grid.alpha.length * grid.beta.length + (originIndex(grid) === -1 ? 1 : 0);
  const plane = await openSlice(evaluator, slice, { batchNorm, points, signal });
  let next = 0;
  let usedUp: string | null = null;

  const evaluateAt = async (index: number, stop: AbortSignal | undefined) => {
    const [alpha, beta] = coordinatesOf(grid, index);
    const value = await plane.evaluate(alpha, beta, { signal: stop, name: nameOfPoint(grid, index) });
    const evaluated = { index, value, undefinedWeights: value.undefinedWeights ?? [] };
    await options.onPoint?.(evaluated);
    done(evaluated);
  };
  const evaluateSome: Lane = async (stop, goesOn) => {
    while (next < queue.length && usedUp === null) {
      stop?.throwIfAborted();
      usedUp = take();
      if (usedUp === null) await evaluateAt(queue[next++] as number, stop);
      if (!goesOn()) return;
    }
  };
  try {
    const left = (): number => (usedUp === null ? queue.length - next : 0);
    await runLanes({ width: () => evaluator.concurrency ?? 1, left }, signal, evaluateSome);
  } finally {
    plane.dispose();
  }
  return usedUp;
}

function coordinatesOf({ alpha, beta }: Grid, index: number): readonly [number, number] {
  if (index === CENTER_INDEX) return [0, 0];
  const width = alpha.length;
  return [alpha[index % width] as number, beta[Math.floor(index / width)] as number];
}

/** "grid point 12 (column 2, row 1: α = 0.5, β = -1)" */
function nameOfPoint(grid: Grid, index: number): string {
  if (index === CENTER_INDEX) return "the centre of the grid (α = 0, β = 0)";
  const [alpha, beta] = coordinatesOf(grid, index);
  const [column, row] = [index % grid.alpha.length, Math.floor(index / grid.alpha.length)];
  return `grid point ${index} (column ${column}, row ${row}: α = ${alpha}, β = ${beta})`;
}

/** A part of the points of a surface, for several machines without a server: every `count`-th in their order. */
export interface SurfaceShard {
  /** Which part, from 1 on. */
  readonly index: number;
  /** Parts in all. */
  readonly count: number;
}

/** @throws {@link InvalidOptionError} if it is no part. */
export function checkShard({ index, count }: SurfaceShard): void {
  const isPart =
    Number.isInteger(index) && Number.isInteger(count) && index >= 1 && index <= count && count <= 10_000;
  if (!isPart)
    throw new InvalidOptionError("shard", "index of count: 1 of 1 to 10000 of 10000", `${index} of ${count}`);
}

/** How much work one call may do; it ends with what it has, starting with the coarse picture. */
export interface SurfaceBudget {
  /** No new point begins after so many seconds. */
  readonly seconds?: number;
  /** Most points that are evaluated, θ* among them. */
  readonly points?: number;
  /** Most samples that pass through the model, all points together. */
  readonly samples?: number;
}

/** A budget that is being used up. */
export interface RunningBudget {
  /** Counts one more point of so many samples, or says (null: go on) what is used up. */
  take(samples: number): string | null;
}

/**
 * Starts the clock of a budget.
 *
 * @param largest - samples of one point, of the largest evaluation set.
 * @throws {@link InvalidOptionError} if a limit does not allow a single point.
 */
export function startBudget(budget: SurfaceBudget | undefined, largest: number): RunningBudget {
  const { seconds = Number.POSITIVE_INFINITY, points, samples: most } = budget ?? {};
  if (!(seconds > 0)) throw new InvalidOptionError("budget.seconds", "more than 0", String(seconds));
  checkCount("budget.points", points, 1);
  checkCount("budget.samples", most, largest);
  const start = performance.now();
  let taken = 0;
  let used = 0;
  return {
    take(samples) {
      if (points !== undefined && taken >= points) return `${points} points`;
      if (most !== undefined && used + samples > most) return `${most} samples`;
      // One point at least, however long it took to get here.
      if (taken > 0 && performance.now() - start >= seconds * 1000) return `${seconds} seconds`;
      taken++;
      used += samples;
      return null;
    },
  };
}

function checkCount(where: string, value: number | undefined, least: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= least)) return;
  const expected = `a whole number of at least ${least}${least > 1 ? ", the samples of one point" : ""}`;
  throw new InvalidOptionError(where, expected, String(value));
}

/** Called after each point with the points done, all to do, and the seconds left by the present speed. */
export type OnPointProgress = (done: number, total: number, etaSeconds: number) => void;

/**
 * Starts the clock of a progress report.
 *
 * @param before - points that are done already.
 * @returns what is to be called after each further point.
 */
export function pointProgress(
  before: number,
  total: number,
  onProgress: OnPointProgress | undefined,
): () => void {
  const start = performance.now();
  let now = 0;
  return () => {
    now++;
    const done = before + now;
    onProgress?.(done, total, ((performance.now() - start) / 1000 / now) * (total - done));
  };
}
