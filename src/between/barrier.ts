import { InvalidDataError } from "../base/errors.js";
import { isAccuracy } from "../loss/loss-evaluator.js";
import type { PathLosses } from "./path-losses.js";

/** The barrier of a path between two models, in one quantity. */
export interface Barrier {
  /** max_t [L(t) − ((1−t)·L_A + t·L_B)]: above the line between the ends (Entezari et al. 2022); at least 0. */
  readonly aboveLine: number;
  /** max_t L(t) − (L_A + L_B)/2: above the mean of the ends (Frankle et al. 2020). */
  readonly aboveMean: number;
  /** max_t L(t), and where. */
  readonly maximum: number;
  readonly at: number;
  /** [L_A, L_B] */
  readonly ends: readonly [number, number];
  /** Points that are NaN or infinite; a NaN makes barrier and maximum NaN. */
  readonly nonFinite: number;
}

/**
 * Returns the barrier of values along a path from A (t = 0) to B (t = 1).
 *
 * It is a maximum over the points given, so a lower bound of the path's own.
 *
 * @param t - increasing, from 0 to 1 (W).
 * @param values - a loss or an error (W).
 * @throws {@link InvalidDataError} if t does not run from 0 to 1, or lengths differ.
 * @see Entezari et al. 2022, definition 2.1; Frankle et al. 2020, section 2.
 * @example const { aboveLine } = barrierOf(Float64Array.of(0, 0.5, 1), Float64Array.of(0.1, 0.9, 0.3)); // 0.7
 */
export function barrierOf(t: Float64Array, values: Float64Array): Barrier {
  const last = t.length - 1;
  if (values.length !== t.length || last < 1 || t[0] !== 0 || t[last] !== 1) {
    const got = `${t[0]} to ${t[last]}, and ${values.length} values`;
    throw new InvalidDataError("barrier", "as many values as points from 0 to 1", got);
  }
  const ends = [values[0], values[last]] as const;
  const [a, b] = ends;
  let [aboveLine, maximum, at] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];
  for (let i = 0; i <= last; i++) {
    if (values[i] > maximum) [maximum, at] = [values[i], t[i]];
    // Exactly 0 at the ends: no rounding of the line makes a barrier.
    const height = i === 0 || i === last ? 0 : values[i] - ((1 - t[i]) * a + t[i] * b);
    aboveLine = Math.max(aboveLine, height);
  }
  const nonFinite = values.filter((value) => !Number.isFinite(value)).length;
  if (values.some(Number.isNaN)) {
    const nan = Number.NaN;
    return { aboveLine: nan, aboveMean: nan, maximum: nan, at: nan, ends, nonFinite };
  }
  return { aboveLine, aboveMean: maximum - (a + b) / 2, maximum, at, ends, nonFinite };
}

/** The barriers of a path on one evaluation set. */
export interface PathBarrier {
  readonly set: string;
  readonly loss: Barrier;
  /** Of each accuracy, the barrier of its error 1 − accuracy, by the metric's name. */
  readonly errors: Readonly<Record<string, Barrier>>;
}

/**
 * Returns the barriers of a path in loss and error, one entry for each evaluation set.
 *
 * @example const [train, test] = barriersOf(path); // train.loss.aboveLine, test.errors.acc.aboveMean
 */
export function barriersOf({ t, values }: Pick<PathLosses, "t" | "values">): PathBarrier[] {
  return values.map(({ set, loss, metrics }) => ({
    set,
    loss: barrierOf(t, loss),
    errors: Object.fromEntries(
      Object.entries(metrics)
        .filter(([name]) => isAccuracy(name))
        .map(([name, column]) => [
          name,
          barrierOf(
            t,
            column.map((value) => 1 - value),
          ),
        ]),
    ),
  }));
}
