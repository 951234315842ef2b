import { setMaxListeners } from "node:events";
import type {
  LossEvaluator,
  LossValue,
  SampleEvaluator,
  SampleValues,
  SliceLoss,
} from "../../loss/loss-evaluator.js";
import {
  type BatchNormPolicyName,
  createUndefinedCount,
  nanValue,
  type UndefinedCount,
} from "../../loss/slice-loss.js";
import { runLanes } from "../evaluate-points.js";
import { CENTER_INDEX, type Grid } from "../surface.js";
import { type ChosenPoint, EXACT, type PointData, SAMPLED } from "./point-data.js";
import { createSpareWork } from "./spare-work.js";

/** A point of an approximate surface as it has been evaluated: on the subsample, on all samples, or both. */
export interface ApproximatedPoint {
  /** Flat index j·W + i; −1 for θ* where it is no point of the grid. */
  readonly index: number;
  /** Over all samples, or null where that was not evaluated. */
  readonly value: LossValue | null;
  /** On the subsample, sample by sample, or null where that was not evaluated now. */
  readonly samples: SampleValues | null;
  /** Weights with values for which there is no loss, as a policy found them; then the value is NaN. */
  readonly undefinedWeights: readonly string[];
}

/** Evaluates grid points, and counts what that takes. */
export interface PointEvaluator {
  /** Samples evaluated so far, those of points known from before among them. */
  spent(): number;
  /** Samples that a point takes to become EXACT (on all samples and on the subsample), or SAMPLED. */
  costOf(point: number, state: number): number;
  /**
   * Evaluates points, as many at once as the evaluator takes and those on all samples first; those that are
   * EXACT already are left out.
   */
  evaluate(points: readonly ChosenPoint[]): Promise<void>;
  /**
   * Names the points that will be asked for in any case, in place of those named before. They are evaluated while
   * there is nothing else to do; what comes out is kept until they are asked for, and counts as spent then. What fails
   * is thrown when it is asked for.
   */
  prepare(points: readonly ChosenPoint[]): void;
  /** Ends what is under way for points that were prepared, and waits for its end. */
  close(): Promise<void>;
  /** The value at θ*, once it is EXACT. */
  center(): LossValue;
  /** Largest shares of clipped and capped samples at exact points. */
  shares(): { readonly clippedShare: number | null; readonly cappedShare: number | null };
  readonly undefinedCount: UndefinedCount;
}

/** What points are evaluated with. */
export interface PointEvaluatorParts {
  readonly evaluator: LossEvaluator;
  /** The subsample, or null where every evaluation is exact. */
  readonly subset: SampleEvaluator | null;
  readonly slice: SliceLoss;
  readonly batchNorm: BatchNormPolicyName | undefined;
  readonly grid: Grid;
  /** θ* on the grid, or CENTER_INDEX. */
  readonly origin: number;
  readonly data: PointData;
  readonly signal: AbortSignal | undefined;
  /** Samples evaluated before. */
  readonly before: number;
  /** Points evaluated earlier, which are taken instead of evaluating them; they count as spent all the same. */
  readonly known: Iterable<ApproximatedPoint>;
  readonly onPoint: (point: ApproximatedPoint) => void | Promise<void>;
  /** Called after each point. */
  readonly report: () => void;
}

/** What is known of a point from before. */
interface Known {
  value: LossValue | null;
  samples: SampleValues | null;
  undefinedWeights: readonly string[];
}

/** Creates what evaluates points and writes what comes into the data. */
export function createPointEvaluator(parts: PointEvaluatorParts): PointEvaluator {
  const { evaluator, subset, slice, batchNorm, grid, data } = parts;
  const { parameterCount } = evaluator.facts;
  const width = grid.alpha.length;
  const known = gather(parts.known);
  const undefinedCount = createUndefinedCount();
  let spent = parts.before;
  let clipped: number | null = null;
  let capped: number | null = null;
  let center: LossValue | null = null;

  const hasSamples = (point: number): boolean =>
    subset === null || (point !== CENTER_INDEX && data.loss.samples[point] !== null);

  /** Vectors of θ that nobody reads: where only coordinates travel, one does for all points. */
  const free: Float32Array[] = [];
  const release = (theta: Float32Array): void => void free.push(theta);

  /** Holds θ for as long as it is read. */
  const samplesAt = (
    theta: Float32Array,
    alpha: number,
    beta: number,
    signal: AbortSignal | undefined,
  ): Promise<SampleValues> => {
    const own = subset as SampleEvaluator;
    const there = own.lossesOn?.(slice, alpha, beta, { signal }) ?? null;
    if (there === null) return own.losses(theta, { batchNorm, signal }).finally(() => release(theta));
    release(theta);
    return there;
  };

  /** What of what is asked of a point is not there, or null where all of it is. */
  const lacks = (point: number, state: number): { samples: boolean; value: boolean } | null => {
    const before = known.get(point);
    if (before !== undefined && before.undefinedWeights.length > 0) return null;
    if (data.state[point] === EXACT) return null;
    const isInSubset = subset !== null && point !== CENTER_INDEX && !hasSamples(point);
    const samples = isInSubset && (before?.samples ?? null) === null;
    const value = state === EXACT && (before?.value ?? null) === null;
    return samples || value ? { samples, value } : null;
  };

  /** What is asked of a point, from before or evaluated now. */
  const valuesAt = async ({ point, state }: ChosenPoint, signal: AbortSignal | undefined): Promise<Known> => {
    const before = known.get(point) ?? { value: null, samples: null, undefinedWeights: [] };
    const missing = lacks(point, state);
    if (missing === null) return before;
    signal?.throwIfAborted();
    const [alpha, beta] =
      point === CENTER_INDEX ? [0, 0] : [grid.alpha[point % width], grid.beta[Math.floor(point / width)]];
    const theta = free.pop() ?? new Float32Array(parameterCount);
    const undefinedWeights = slice.writeInto(theta, alpha, beta);
    if (undefinedWeights.length > 0) {
      release(theta);
      const found = { value: nanValue(evaluator.facts), samples: null, undefinedWeights };
      await parts.onPoint({ index: point, ...found });
      return found;
    }
    if (!missing.samples) release(theta);
    const samples = missing.samples ? await samplesAt(theta, alpha, beta, signal) : null;
    const value = missing.value ? await slice.evaluate(alpha, beta, { signal }) : null;
    await parts.onPoint({ index: point, value, samples, undefinedWeights });
    return { value: before.value ?? value, samples: before.samples ?? samples, undefinedWeights };
  };

  const put = ({ point, state }: ChosenPoint, { value, samples, undefinedWeights }: Known): void => {
    const isOnGrid = point !== CENTER_INDEX;
    if (isOnGrid) undefinedCount.add(undefinedWeights);
    const isUndefined = undefinedWeights.length > 0;
    if (isOnGrid && !isUndefined && subset !== null && samples !== null && !hasSamples(point)) {
      spent += subset.samples;
      data.loss.samples[point] = samples.loss;
      for (const [name, quantity] of Object.entries(data.metrics)) {
        quantity.samples[point] = samples.metrics[name];
      }
      data.state[point] = SAMPLED;
    }
    if (value === null || (state !== EXACT && !isUndefined)) return;
    if (point === parts.origin) center = value;
    if (!isUndefined) {
      spent += evaluator.facts.samples;
      clipped = larger(clipped, value.clippedShare);
      capped = larger(capped, value.cappedShare ?? null);
    }
    if (isOnGrid) {
      data.loss.exact[point] = value.loss;
      for (const [name, quantity] of Object.entries(data.metrics))
        quantity.exact[point] = value.metrics[name];
      data.state[point] = EXACT;
    }
  };

  const closing = new AbortController();
  const stop = AbortSignal.any([closing.signal, ...(parts.signal === undefined ? [] : [parts.signal])]);
  setMaxListeners(0, stop);
  let queue: ChosenPoint[] = [];
  let next = 0;
  const left = () => queue.length - next;
  const atOnce = () => evaluator.concurrency ?? 1;
  const spare = createSpareWork({
    width: atOnce,
    left,
    async evaluate(chosen) {
      known.set(chosen.point, await valuesAt(chosen, stop));
    },
    signal: stop,
  });
  return {
    spent: () => spent,
    costOf(point, state) {
      const own = subset === null || hasSamples(point) ? 0 : subset.samples;
      return state === EXACT ? evaluator.facts.samples + own : own;
    },
    async evaluate(points) {
      // A point may be asked for on the subsample and on all samples, which is one visit.
      const states = new Map<number, number>();
      for (const { point, state } of points) states.set(point, Math.max(state, states.get(point) ?? state));
      queue = Array.from(states, ([point, state]) => ({ point, state }))
        .filter(({ point }) => data.state[point] !== EXACT)
        .sort((a, b) => b.state - a.state);
      next = 0;
      await runLanes({ width: atOnce, left }, parts.signal, async (signal, goesOn) => {
        while (next < queue.length) {
          const chosen = queue[next++];
          await spare.runFirst(chosen.point, async () => put(chosen, await valuesAt(chosen, signal)));
          parts.report();
          if (!goesOn()) return;
        }
      });
    },
    prepare(points) {
      spare.prepare(points.filter(({ point, state }) => lacks(point, state) !== null));
    },
    async close() {
      closing.abort();
      await spare.close();
    },
    center: () => center ?? nanValue(evaluator.facts),
    shares: () => ({ clippedShare: clipped, cappedShare: capped }),
    undefinedCount,
  };
}

/** Puts together what is known of each point: a point may have been evaluated on the subsample first. */
function gather(points: Iterable<ApproximatedPoint>): Map<number, Known> {
  const known = new Map<number, Known>();
  for (const { index, value, samples, undefinedWeights } of points) {
    const before = known.get(index);
    known.set(index, {
      value: value ?? before?.value ?? null,
      samples: samples ?? before?.samples ?? null,
      undefinedWeights,
    });
  }
  return known;
}

function larger(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.max(a, b);
}
