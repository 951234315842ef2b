import { InvalidDataError } from "../errors.js";

/** A straight line. */
interface Line {
  readonly slope: number;
  readonly intercept: number;
}

/**
 * Returns the 0-based index of the knee of a curve over 0, 1, 2, ….
 *
 * For each interior split s, one least-squares line is fitted to the points 0…s and another to s − 1…end
 * (the overlap is the reference's); the knee is the split with the smallest sum of absolute residuals over
 * 0…s and s…end, the first of equals. Applied to the entropy of the powers 1, 2, … the index is one less
 * than the power; the reference takes it for the power all the same, and so does `phate`. Cost: O(n²).
 *
 * @throws {@link InvalidDataError} if the curve has fewer than 3 points or a value is not finite.
 * @see PHATE 1.0.11, `vne.find_knee_point`.
 */
export function kneePoint(y: Float64Array): number {
  const n = y.length;
  if (n < 3) throw new InvalidDataError("knee point", "a curve of at least 3 points", `${n}`);
  const bad = y.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw new InvalidDataError(`knee point, value ${bad}`, "a finite number", String(y[bad]));
  let best = 1;
  let least = Infinity;
  for (let split = 1; split < n - 1; split++) {
    const error =
      residuals(y, fitLine(y, 0, split), 0, split) + residuals(y, fitLine(y, split - 1, n - 1), split, n - 1);
    if (error < least) [best, least] = [split, error];
  }
  return best;
}

/** The least-squares line through the points from…to, both included. */
function fitLine(y: Float64Array, from: number, to: number): Line {
  const count = to - from + 1;
  const meanX = (from + to) / 2;
  let meanY = 0;
  for (let x = from; x <= to; x++) meanY += y[x] / count;
  let xy = 0;
  let xx = 0;
  for (let x = from; x <= to; x++) {
    xy += (x - meanX) * (y[x] - meanY);
    xx += (x - meanX) ** 2;
  }
  const slope = xy / xx;
  return { slope, intercept: meanY - slope * meanX };
}

function residuals(y: Float64Array, { slope, intercept }: Line, from: number, to: number): number {
  let sum = 0;
  for (let x = from; x <= to; x++) sum += Math.abs(slope * x + intercept - y[x]);
  return sum;
}
