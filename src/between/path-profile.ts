import { wholeNumber } from "../base/check-option.js";
import { InvalidDataError, InvalidOptionError } from "../base/errors.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { Followed } from "../base/work.js";
import type { LossEvaluator, LossValue } from "../loss/loss-evaluator.js";
import type { BatchNormPolicyName } from "../loss/slice-loss.js";
import { type Lane, runLanes } from "../surface/evaluate-points.js";
import { type Barrier, barrierOf } from "./barrier.js";

/** An average of a path's last snapshots. */
export interface PathAverage {
  /** "swa": the plain mean of the last `count`; "ema": an exponential mean over all, as old on average. */
  readonly kind: "swa" | "ema";
  /** Snapshots of the plain mean; an exponential one of decay (count − 1)/(count + 1) has the same mean age. */
  readonly count: number;
  /** Share of each snapshot (N), which sum to 1. */
  readonly shares: Float64Array;
}

/** A point of a profile: which snapshots are mixed, and how. */
interface ProfilePoint {
  readonly name: string;
  /** Position and share of each snapshot that counts. */
  readonly parts: readonly (readonly [position: number, share: number])[];
}

/** Losses and metrics on and between the snapshots of a path, and of averages of its last ones, on one evaluation set. */
export interface PathProfile {
  /** Name of the evaluation set. */
  readonly set: string;
  /** What was done with batch norm's statistics: "none" where the network has none. */
  readonly policy: BatchNormPolicyName | "as-trained" | "none";
  /** Number of snapshots, N. */
  readonly count: number;
  /** Coordinates within a segment (P), from 0 at its first snapshot to 1 at its second. */
  readonly t: Float64Array;
  /** Losses of the snapshots (N), then of the points inside each segment ((N − 1)·(P − 2)), then of the averages. */
  readonly loss: Float64Array;
  /** Metrics by name, in the same order. */
  readonly metrics: Readonly<Record<string, Float64Array>>;
  /** Kind and number of each average, in the order of its losses. */
  readonly averages: readonly Pick<PathAverage, "kind" | "count">[];
  readonly warnings: readonly LandscapeWarning[];
}

/** Weights below this are left out of an exponential mean: float32 does not see them. */
const LEAST_SHARE = 1e-9;

/**
 * Returns averages of the last 2, 4, 8, … snapshots of a path of N, at most half of them: plain means (SWA), and
 * exponential means of the same mean age (EMA).
 *
 * @throws {@link InvalidOptionError} for counts that are not from 2 to N.
 * @see Izmailov et al. 2018, Averaging weights leads to wider optima and better generalization.
 * @example const averages = pathAverages(60); // of 2, 4, 8 and 16 snapshots, each both ways
 */
export function pathAverages(n: number, counts: readonly number[] = defaultCounts(n)): PathAverage[] {
  const wrong = counts.find((count) => !(Number.isInteger(count) && count >= 2 && count <= n));
  if (wrong !== undefined) {
    throw new InvalidOptionError("averages", `numbers of snapshots from 2 to ${n}`, String(wrong));
  }
  return (["swa", "ema"] as const).flatMap((kind) =>
    counts.map((count) => ({
      kind,
      count,
      shares: kind === "swa" ? swaShares(n, count) : emaShares(n, count),
    })),
  );
}

function defaultCounts(n: number): number[] {
  const counts = [];
  for (let count = 2; count <= Math.max(2, n / 2) && count <= n; count *= 2) counts.push(count);
  return counts;
}

function swaShares(n: number, count: number): Float64Array {
  return Float64Array.from({ length: n }, (_, i) => (i >= n - count ? 1 / count : 0));
}

function emaShares(n: number, count: number): Float64Array {
  const decay = (count - 1) / (count + 1);
  const shares = Float64Array.from({ length: n }, (_, i) => decay ** (n - 1 - i));
  const kept = shares.map((share) => (share < LEAST_SHARE ? 0 : share));
  const sum = kept.reduce((total, share) => total + share, 0);
  return kept.map((share) => share / sum);
}

/** A path whose points are evaluated. */
export interface ProfileSource {
  /** Number of snapshots, N. */
  readonly count: number;
  /** Returns θ (parameterCount) of the snapshot at a position. */
  readTheta(position: number): Promise<Float32Array>;
}

/** Options of {@link evaluatePathProfile}; progress counts points. */
export interface PathProfileOptions extends Followed {
  /** Points of each segment, both ends included. Default 5; 2 evaluates no point between. */
  readonly points?: number | undefined;
  /** Averages to evaluate. Default those of `pathAverages`. */
  readonly averages?: readonly PathAverage[] | undefined;
  /** What becomes of batch norm's statistics. Default "as-trained": those of θ, mixed like the other weights. */
  readonly policy?: PathProfile["policy"] | undefined;
  /** Points that are known, by their number. */
  readonly known?: readonly { readonly index: number; readonly value: LossValue }[] | undefined;
  /** Called with each further point; awaited. */
  readonly onPoint?: ((index: number, value: LossValue) => Promise<void>) | undefined;
}

/** Coordinates of the points of a segment. */
export function segmentPoints(points = 5): Float64Array {
  wholeNumber("points", points, 2);
  return Float64Array.from({ length: points }, (_, i) => i / (points - 1));
}

/**
 * Evaluates the loss at the snapshots of a path, at points on the straight segments between them, and at averages of the
 * last ones.
 *
 * Cost: N + (N − 1)·(points − 2) evaluations and one for each average; the snapshots of one point in memory at a time.
 *
 * @param set - name of the evaluation set.
 * @throws {@link InvalidDataError} for fewer than two snapshots; as `pathAverages`.
 * @see Frankle et al. 2020; Xing et al. 2018, A walk with SGD (lines between iterates).
 * @example const profile = await evaluatePathProfile("train", { count: 30, readTheta: (i) => run.readTheta(i) }, evaluator);
 */
export async function evaluatePathProfile(
  set: string,
  source: ProfileSource,
  evaluator: LossEvaluator,
  options: PathProfileOptions = {},
): Promise<PathProfile> {
  const { count: n } = source;
  if (n < 2) throw new InvalidDataError("path", "at least 2 snapshots", String(n));
  const { policy = "as-trained", averages = pathAverages(n), signal, onProgress, onPoint } = options;
  const t = segmentPoints(options.points);
  const points = profilePoints(n, t, averages);
  const { metricNames } = evaluator.facts;
  const loss = new Float64Array(points.length).fill(Number.NaN);
  const metrics = Object.fromEntries(
    metricNames.map((name) => [name, new Float64Array(points.length).fill(Number.NaN)]),
  );
  const isKnown = new Set<number>();
  const keep = (index: number, value: LossValue): void => {
    loss[index] = value.loss;
    for (const name of metricNames) metrics[name][index] = value.metrics[name] ?? Number.NaN;
    isKnown.add(index);
  };
  for (const { index, value } of options.known ?? []) if (index < points.length) keep(index, value);
  const left = points.flatMap((_, index) => (isKnown.has(index) ? [] : [index]));
  let [next, done] = [0, points.length - left.length];
  const batchNorm = policy === "none" || policy === "as-trained" ? undefined : policy;
  const lane: Lane = async (stop, goesOn) => {
    while (next < left.length) {
      stop?.throwIfAborted();
      const index = left[next++];
      const { name, parts } = points[index];
      const theta = await mixed(source, parts);
      const value = await evaluator.evaluate(theta, { name, batchNorm, signal: stop });
      keep(index, value);
      await onPoint?.(index, value);
      onProgress?.(++done, points.length);
      if (!goesOn()) return;
    }
  };
  await runLanes({ width: () => evaluator.concurrency ?? 1, left: () => left.length - next }, signal, lane);
  return {
    set,
    policy,
    count: n,
    t,
    loss,
    metrics,
    averages: averages.map(({ kind, count }) => ({ kind, count })),
    warnings: [],
  };
}

function profilePoints(n: number, t: Float64Array, averages: readonly PathAverage[]): ProfilePoint[] {
  const snapshots = Array.from({ length: n }, (_, i) => ({
    name: `snapshot ${i}`,
    parts: [[i, 1]] as const,
  }));
  const between = Array.from({ length: n - 1 }, (_, i) =>
    Array.from(t.subarray(1, -1), (at) => ({
      name: `between snapshots ${i} and ${i + 1}`,
      parts: [
        [i, 1 - at],
        [i + 1, at],
      ] as const,
    })),
  ).flat();
  const means = averages.map(({ kind, count, shares }) => ({
    name: `${kind} of ${count} snapshots`,
    parts: Array.from(shares, (share, i) => [i, share] as const).filter(([, share]) => share !== 0),
  }));
  return [...snapshots, ...between, ...means];
}

/** Returns Σ share·θ of some snapshots, summed in float64 where there are several. */
async function mixed(source: ProfileSource, parts: ProfilePoint["parts"]): Promise<Float32Array> {
  const [first] = parts;
  if (parts.length === 1 && first[1] === 1) return source.readTheta(first[0]);
  let sum: Float64Array | undefined;
  for (const [position, share] of parts) {
    const theta = await source.readTheta(position);
    sum ??= new Float64Array(theta.length);
    for (let c = 0; c < theta.length; c++) sum[c] += share * theta[c];
  }
  return Float32Array.from(sum ?? []);
}

/** What a profile says of one segment and of the averages, in one quantity. */
export interface ProfileFacts {
  /** Values at the snapshots (N). */
  readonly snapshots: Float64Array;
  /** Barrier of each segment (N − 1): see `barrierOf`. */
  readonly barriers: readonly Barrier[];
  /**
   * Height of the highest point inside each segment above the line between its ends' values (N − 1): unlike a barrier it
   * is below 0 where a valley lies between. NaN without a point inside.
   */
  readonly heights: Float64Array;
  /** Values of the averages, in their order. */
  readonly averages: Float64Array;
}

/**
 * Returns values at the snapshots, the barrier of each segment, and values of the averages, from a profile.
 *
 * @param quantity - "loss" (default), or the name of a metric.
 * @throws {@link InvalidOptionError} for a metric that the profile does not have.
 * @example const { barriers } = profileFacts(profile); // barriers[0].aboveLine, between snapshots 0 and 1
 */
export function profileFacts(profile: PathProfile, quantity = "loss"): ProfileFacts {
  const { count: n, t, loss, metrics } = profile;
  const values = quantity === "loss" ? loss : metrics[quantity];
  if (values === undefined) {
    const known = ["loss", ...Object.keys(metrics)].join(", ");
    throw new InvalidOptionError("quantity", `one of ${known}`, JSON.stringify(quantity));
  }
  const inner = t.length - 2;
  const barriers = Array.from({ length: n - 1 }, (_, i) => {
    const between = values.subarray(n + i * inner, n + (i + 1) * inner);
    return barrierOf(t, Float64Array.of(values[i], ...between, values[i + 1]));
  });
  const heights = Float64Array.from({ length: n - 1 }, (_, i) => {
    if (inner === 0) return Number.NaN;
    const own = values.subarray(n + i * inner, n + (i + 1) * inner);
    return Math.max(
      ...own.map((value, k) => value - ((1 - t[k + 1]) * values[i] + t[k + 1] * values[i + 1])),
    );
  });
  return { snapshots: values.slice(0, n), barriers, heights, averages: values.slice(n + (n - 1) * inner) };
}
