import { InvalidDataError } from "../base/errors.js";

/** What infinite distances are replaced by: predictions that have no class in common on some sample. */
const LARGEST = 100;

/** Square roots of the probabilities that one network gives: samples × classes, row-major. */
export type RootProbabilities = Float64Array;

/**
 * Returns square roots of probabilities from their logarithms, each sample's of length 1 in float64: float32 logarithms
 * leave sums that are off by 1e-7, as much as near snapshots are apart.
 */
export function rootsOfLogs(logProbabilities: Float32Array, classes: number): RootProbabilities {
  const roots = Float64Array.from(logProbabilities, (value) => Math.exp(value / 2));
  for (let at = 0; at < roots.length; at += classes) {
    const own = roots.subarray(at, at + classes);
    const norm = Math.hypot(...own);
    for (let c = 0; c < classes; c++) own[c] /= norm;
  }
  return roots;
}

/**
 * Returns the predictions of ignorance: every class as likely as the others.
 *
 * @returns square roots of probabilities, samples × classes, row-major.
 * @example const start = ignorance(4, 10);
 */
export function ignorance(samples: number, classes: number): RootProbabilities {
  return new Float64Array(samples * classes).fill(1 / Math.sqrt(classes));
}

/**
 * Returns the predictions of the truth: the label of each sample with probability 1.
 *
 * @returns square roots of probabilities, samples × classes, row-major.
 * @throws {@link InvalidDataError} for a label that is no class.
 * @example const end = truth([3, 1, 4, 1], 10);
 */
export function truth(labels: ArrayLike<number>, classes: number): RootProbabilities {
  const roots = new Float64Array(labels.length * classes);
  for (let s = 0; s < labels.length; s++) {
    const label = labels[s];
    if (!(Number.isInteger(label) && label >= 0 && label < classes)) {
      throw new InvalidDataError(`label ${s}`, `a class from 0 to ${classes - 1}`, String(label));
    }
    roots[s * classes + label] = 1;
  }
  return roots;
}

/**
 * Returns a point of the geodesic between two predictions, sample by sample on the sphere of root probabilities:
 * [sin((1−t)φ)·√p + sin(tφ)·√q]/sin φ with cos φ = Σ_c √(p_c q_c).
 *
 * @param t - 0 at p, 1 at q.
 * @example const half = geodesicPoint(ignorance(4, 10), truth([3, 1, 4, 1], 10), 10, 0.5);
 */
export function geodesicPoint(
  p: RootProbabilities,
  q: RootProbabilities,
  classes: number,
  t: number,
): RootProbabilities {
  const out = new Float64Array(p.length);
  for (let at = 0; at < p.length; at += classes) {
    let cosine = 0;
    for (let c = at; c < at + classes; c++) cosine += p[c] * q[c];
    const angle = Math.acos(Math.min(1, cosine));
    const [a, b] =
      angle < 1e-6
        ? [1 - t, t]
        : [Math.sin((1 - t) * angle) / Math.sin(angle), Math.sin(t * angle) / Math.sin(angle)];
    for (let c = at; c < at + classes; c++) out[c] = a * p[c] + b * q[c];
  }
  return out;
}

/**
 * Returns the distances (M, N) between predictions on the same samples: the mean over samples of the Bhattacharyya
 * distance −ln Σ_c √(p_c q_c), in float64. Infinite ones become 100, rounding below 0 becomes 0.
 *
 * From ignorance to the truth it is ½·ln C. Of near points it is an eighth of the squared Fisher length: it takes the place of
 * a squared distance.
 * Cost: O(M·N·samples·C).
 *
 * @param rows - M predictions; columns - N predictions; by samples and classes.
 * @throws {@link InvalidDataError} if they are not all of one size.
 * @see Mao et al., PNAS 2024, equation 1.
 * @example const d = predictionDistances([ignorance(4, 10)], [truth([3, 1, 4, 1], 10)], 10); // ½·ln 10
 */
export function predictionDistances(
  rows: readonly RootProbabilities[],
  columns: readonly RootProbabilities[],
  classes: number,
): Float64Array {
  const size = rows[0]?.length ?? 0;
  const samples = size / classes;
  if (![...rows, ...columns].every(({ length }) => length === size) || !Number.isInteger(samples)) {
    throw new InvalidDataError("predictions", `all of ${size} numbers, ${classes} for each sample`, "others");
  }
  const isOwn = rows === columns;
  const n = columns.length;
  const out = new Float64Array(rows.length * n);
  for (const [i, p] of rows.entries()) {
    for (let j = isOwn ? i + 1 : 0; j < n; j++) {
      const q = columns[j];
      let sum = 0;
      for (let at = 0; at < size; at += classes) {
        let product = 0;
        for (let c = at; c < at + classes; c++) product += p[c] * q[c];
        sum += product < 1 ? -Math.log(product) : 0;
      }
      const distance = sum / samples;
      const value = distance > LARGEST || Number.isNaN(distance) ? LARGEST : distance;
      out[i * n + j] = value;
      if (isOwn) out[j * n + i] = value;
    }
  }
  return out;
}
