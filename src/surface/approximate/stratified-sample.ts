import { InvalidOptionError } from "../../base/errors.js";
import type { LossEvaluator } from "../../loss/loss-evaluator.js";
import { createUniform } from "../../math/random.js";

/** One stratum of a sample. */
export interface Stratum {
  /** Share of the whole set that lies in it. */
  readonly share: number;
  /** Finite-population correction 1 − n/N: 0 where all of it was drawn. */
  readonly correction: number;
  /** Positions in the sample of what was drawn from it. */
  readonly members: Int32Array;
}

/** A part of an evaluation set, drawn stratum by stratum without replacement. */
export interface StratifiedSample {
  /** Rows of the evaluation set, increasing. */
  readonly rows: Int32Array;
  readonly strata: readonly Stratum[];
}

/** Rows that must be drawn from a stratum for its variance to be estimated. */
const LEAST = 2;

/**
 * Draws rows of a set in proportion to its strata, at least two of each (all of a stratum of one).
 *
 * @param labels - the stratum of each row (N).
 * @param size - rows to draw; strata of few rows may take it up to twice the number of strata.
 * @throws {@link InvalidOptionError} if there are fewer rows than are to be drawn.
 * @see Cochran, Sampling Techniques, chapter 5.
 */
export function stratifiedSample(labels: Int32Array, size: number, seed: number): StratifiedSample {
  if (!Number.isInteger(size) || size < 1 || size > labels.length) {
    throw new InvalidOptionError("subsample", `from 1 to ${labels.length} samples`, String(size));
  }
  const groups = rowsByLabel(labels);
  const counts = allocation(
    groups.map(({ length }) => length),
    size,
  );
  const drawn = groups.map((rows, i) => draw(rows, counts[i], createUniform(seed, "subsample", i)));
  const rows = Int32Array.from(drawn.flatMap((part) => [...part])).sort();
  const places = new Map([...rows].map((row, place) => [row, place]));
  const strata = groups.map((group, i) => ({
    share: group.length / labels.length,
    correction: 1 - drawn[i].length / group.length,
    members: drawn[i].map((row) => places.get(row) as number),
  }));
  return { rows, strata };
}

function rowsByLabel(labels: Int32Array): Int32Array[] {
  const groups = new Map<number, number[]>();
  labels.forEach((label, row) => {
    const group = groups.get(label);
    if (group === undefined) groups.set(label, [row]);
    else group.push(row);
  });
  return [...groups].sort(([a], [b]) => a - b).map(([, rows]) => Int32Array.from(rows));
}

/** Shares of a sample in proportion to the strata, by largest remainder. */
function allocation(sizes: readonly number[], total: number): number[] {
  const rows = sizes.reduce((sum, size) => sum + size, 0);
  const exact = sizes.map((size) => (size * total) / rows);
  const counts = exact.map((share, i) => Math.min(sizes[i], Math.max(LEAST, Math.floor(share))));
  const byRemainder = exact
    .map((share, i) => ({ i, remainder: share - Math.floor(share) }))
    .sort((a, b) => b.remainder - a.remainder || a.i - b.i);
  let left = total - counts.reduce((sum, count) => sum + count, 0);
  for (const { i } of byRemainder) {
    if (left <= 0) break;
    if (counts[i] === sizes[i]) continue;
    counts[i]++;
    left--;
  }
  return counts;
}

/** Draws rows without replacement (a partial Fisher–Yates shuffle), in increasing order. */
function draw(rows: Int32Array, count: number, random: () => number): Int32Array {
  const pool = rows.slice();
  for (let i = 0; i < count; i++) {
    const other = i + Math.floor(random() * (pool.length - i));
    [pool[i], pool[other]] = [pool[other], pool[i]];
  }
  return pool.slice(0, count).sort();
}

/**
 * Returns strata of about equal size by the rank of a value: NaN last, ties in order.
 *
 * @param count - number of strata.
 */
export function quantileStrata(values: Float64Array, count: number): Int32Array {
  const rank = (value: number) => (Number.isNaN(value) ? Number.POSITIVE_INFINITY : value);
  const order = Array.from(values.keys()).sort((a, b) => {
    const [x, y] = [rank(values[a]), rank(values[b])];
    return x < y ? -1 : x > y ? 1 : a - b;
  });
  const strata = new Int32Array(values.length);
  order.forEach((row, place) => {
    strata[row] = Math.floor((place * count) / values.length);
  });
  return strata;
}

/** A drawn subsample, and the samples that were evaluated to draw it. */
export interface DrawnSubsample {
  readonly sample: StratifiedSample;
  readonly evaluations: number;
}

/** Rows that a stratum should hold at least. */
const LEAST_ROWS = 8;
/** Strata of the loss. */
const LOSS_STRATA = 10;

/**
 * Draws a subsample stratified by class, or by the loss at θ* where targets are no classes (or too many).
 *
 * @param center - θ* (parameterCount), at which all samples are then evaluated.
 */
export async function drawSubsample(
  evaluator: LossEvaluator & Required<Pick<LossEvaluator, "openSamples">>,
  center: Float32Array,
  size: number,
  seed: number,
  signal?: AbortSignal,
): Promise<DrawnSubsample> {
  const all = await evaluator.openSamples(null, signal);
  try {
    const classes = await all.classes(signal);
    const kinds = classes === null ? 0 : new Set(classes).size;
    if (classes !== null && kinds > 1 && kinds * LEAST_ROWS <= size) {
      return { sample: stratifiedSample(classes, size, seed), evaluations: 0 };
    }
    const { loss } = await all.losses(center, { signal });
    const count = Math.max(1, Math.min(LOSS_STRATA, Math.floor(size / LEAST_ROWS)));
    return {
      sample: stratifiedSample(quantileStrata(loss, count), size, seed),
      evaluations: all.samples,
    };
  } finally {
    all.dispose();
  }
}

/** A mean estimated from a sample, and its standard error. */
export interface EstimatedMean {
  readonly mean: number;
  readonly standardError: number;
}

/**
 * Estimates the mean over the whole set from a stratified sample: Σ share·mean, with the standard error
 * √(Σ share²·(1 − n/N)·s²/n).
 *
 * It is unbiased whatever the values are. The error is unbiased in its square, but blind to a rare huge value
 * that the sample does not hold.
 *
 * @param values - one for each row of the sample.
 * @see Cochran, Sampling Techniques, sections 5.3 and 5.4.
 */
export function stratifiedMean(values: Float64Array, { strata }: StratifiedSample): EstimatedMean {
  let mean = 0;
  let variance = 0;
  for (const { share, correction, members } of strata) {
    let sum = 0;
    for (const place of members) sum += values[place];
    const own = sum / members.length;
    mean += share * own;
    if (correction === 0) continue;
    let squares = 0;
    for (const place of members) squares += (values[place] - own) ** 2;
    variance += share ** 2 * correction * (squares / (members.length - 1) / members.length);
  }
  return { mean, standardError: Math.sqrt(variance) };
}
