import { EvaluationError } from "../base/errors.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { Followed } from "../base/work.js";
import type { Curvature } from "./create-curvature.js";
import { type LanczosBasis, lanczos, ritzPairs } from "./lanczos.js";
import { hessianOperator, type SymmetricOperator } from "./symmetric-operator.js";
import { addScaledInto, norm, normalVector, scaled } from "./vectors.js";

/** The ends of the spectrum at a point. */
export interface PointEnds {
  readonly loss: number;
  readonly gradientNorm: number;
  /** Smallest and largest eigenvalue; NaN where loss or gradient are not finite. */
  readonly smallest: number;
  readonly largest: number;
  /** The larger one of their residuals |H·v − λ·v|, by the Lanczos recurrence: an eigenvalue lies within it. */
  readonly residual: number;
  /** Hessian-vector products that it took. */
  readonly products: number;
  readonly isConverged: boolean;
}

/** A point of a convexity map. */
export interface ConvexityPoint extends PointEnds {
  /** j·W + i: row j over beta, column i over alpha. */
  readonly index: number;
}

/** The ends of the spectrum with a vector that both eigenvectors are in: where a neighbour begins. */
export interface EndsWithStart extends PointEnds {
  readonly start: Float32Array | null;
}

/** How the ends at a point are found. */
export interface EndsOptions {
  readonly matrix: "hessian" | "gauss-newton";
  /** Residual, relative to the largest |λ|, that is small enough. */
  readonly tolerance: number;
  /** Products at most. */
  readonly products: number;
  readonly seed: number;
}

/**
 * Products at least. A small residual says that an eigenvalue is near, not that none lies beyond: from a random vector the
 * first steps may show 0, where most eigenvalues are, for the smallest one.
 */
const LEAST = { random: 20, near: 5 };
/** Length of the random part of a start, beside a neighbour's two eigenvectors: it leads to what they do not hold. */
const RANDOM_PART = 0.3;

/**
 * Finds the smallest and the largest eigenvalue at θ from one Krylov space, which begins in the sum of a neighbour's two
 * eigenvectors and a random vector: both ends are near from the start.
 *
 * @param start - from a neighbour (the length of θ's trained weights); null: a random vector.
 */
export async function spectrumEnds(
  curvature: Curvature,
  theta: Float32Array,
  start: Float32Array | null,
  { matrix, ...how }: EndsOptions,
  signal?: AbortSignal,
): Promise<EndsWithStart> {
  const point = await openFinite(curvature, theta, signal);
  if (point === null) return NOWHERE;
  try {
    const operator = hessianOperator(point, curvature.layout, { matrix });
    const ends = await operatorEnds(operator, start, how, signal);
    return { loss: point.loss, gradientNorm: norm(point.gradient), ...ends };
  } finally {
    point.dispose();
  }
}

/** Finds both ends of an operator's spectrum. Residuals are those of the recurrence, which needs no further product. */
export async function operatorEnds(
  operator: SymmetricOperator,
  near: Float32Array | null,
  { tolerance, products, seed }: Omit<EndsOptions, "matrix">,
  signal?: AbortSignal,
): Promise<Omit<EndsWithStart, "loss" | "gradientNorm">> {
  const random = normalVector(operator.size, seed, "lanczos");
  const start = scaled(random, (near === null ? 1 : RANDOM_PART) / norm(random));
  if (near !== null) addScaledInto(start, 1, Float64Array.from(near));
  const least = Math.min(near === null ? LEAST.random : LEAST.near, operator.size);
  const found = await lanczos(operator, {
    steps: Math.min(operator.size, products),
    start,
    isEnough: (basis) => basis.diagonal.length >= least && endsOf(basis).residual <= tolerance,
    restart: (steps) => normalVector(operator.size, seed, "lanczos", steps),
    signal,
  });
  const { largest, smallest, size, residual, vectors } = endsOf(found);
  const m = found.diagonal.length;
  const sum = new Float64Array(operator.size);
  for (const [k, q] of found.basis.entries()) {
    const share = (vectors[k] as number) + (m === 1 ? 0 : (vectors[(m - 1) * m + k] as number));
    addScaledInto(sum, share, q);
  }
  return {
    smallest,
    largest,
    residual: residual * size,
    products: m,
    isConverged: m >= least && residual <= tolerance,
    start: Float32Array.from(sum),
  };
}

/** The ends of the spectrum within a Krylov space; `residual` is relative to `size`, the largest |λ|. */
function endsOf(basis: LanczosBasis) {
  const { values, vectors } = ritzPairs(basis);
  const m = values.length;
  const [largest, smallest] = [values[0] as number, values[m - 1] as number];
  const size = Math.max(Math.abs(largest), Math.abs(smallest));
  const beside = Math.max(Math.abs(vectors[m - 1] as number), Math.abs(vectors[m * m - 1] as number));
  const left = (basis.offDiagonal[m - 1] as number) * beside;
  return { largest, smallest, size, residual: left === 0 ? 0 : left / size, vectors };
}

const NOWHERE: EndsWithStart = {
  loss: Number.NaN,
  gradientNorm: Number.NaN,
  smallest: Number.NaN,
  largest: Number.NaN,
  residual: Number.NaN,
  products: 0,
  isConverged: true,
  start: null,
};

/** The point, or null where there is no finite loss. */
async function openFinite(curvature: Curvature, theta: Float32Array, signal: AbortSignal | undefined) {
  try {
    return await curvature.at(theta, signal);
  } catch (error) {
    const isNotFinite = error instanceof EvaluationError && error.expected.startsWith("a finite loss");
    if (isNotFinite) return null;
    throw error;
  }
}

/** Smallest and largest eigenvalue at every point of a grid. */
export interface ConvexityMap {
  /** Coordinates (W), (H). */
  readonly alpha: Float64Array;
  readonly beta: Float64Array;
  /** In the order of their index (H·W). */
  readonly points: readonly ConvexityPoint[];
  readonly warnings: readonly LandscapeWarning[];
}

/** What {@link mapConvexity} works with. */
export interface ConvexityWork extends Followed {
  /** Writes θ at a point into a buffer of its own. */
  readonly thetaAt: (alpha: number, beta: number) => Float32Array;
  readonly endsAt: (theta: Float32Array, start: Float32Array | null) => Promise<EndsWithStart>;
  /** Points under way at once; it may change. */
  readonly concurrency: number;
  /** Points from before. */
  readonly known: readonly ConvexityPoint[];
  readonly onPoint: (point: ConvexityPoint) => void | Promise<void>;
}

/**
 * Finds smallest and largest eigenvalue at every point of a grid. Each point begins where its neighbour towards the centre
 * ended: up and down from the centre, then along each row. Which neighbour it is does not depend on the number of
 * workers, and so neither do the values; a point whose neighbour is known from an earlier run begins at random, and agrees
 * within the tolerance.
 *
 * @see Li et al. 2018 (NeurIPS), section 6: |λ_min/λ_max| at every point of a surface.
 */
export async function mapConvexity(
  alpha: Float64Array,
  beta: Float64Array,
  work: ConvexityWork,
): Promise<ConvexityMap> {
  const { thetaAt, endsAt, known, onPoint, onProgress, signal } = work;
  const width = alpha.length;
  const total = width * beta.length;
  const center = [nearestToZero(alpha), nearestToZero(beta)] as const;
  const done = new Map(known.map((point) => [point.index, point]));
  const ready: { readonly index: number; readonly start: Float32Array | null }[] = [];
  /** Makes a point's neighbours ready, or those behind them that are not known yet. */
  const release = (index: number, start: Float32Array | null): void => {
    for (const next of behind(index, width, beta.length, center)) {
      if (done.has(next)) release(next, null);
      else ready.push({ index: next, start });
    }
  };
  const root = center[1] * width + center[0];
  if (done.has(root)) release(root, null);
  else ready.push({ index: root, start: null });
  onProgress?.(done.size, total);

  const compute = async (index: number, start: Float32Array | null): Promise<void> => {
    const theta = thetaAt(alpha[index % width] as number, beta[Math.floor(index / width)] as number);
    const { start: own, ...ends } = await endsAt(theta, start);
    const point = { index, ...ends };
    done.set(index, point);
    release(index, own);
    await onPoint(point);
    onProgress?.(done.size, total);
  };
  const underWay = new Set<Promise<void>>();
  let failure: { readonly reason: unknown } | null = null;
  while (failure === null && (ready.length > 0 || underWay.size > 0)) {
    while (ready.length > 0 && underWay.size < work.concurrency) {
      const next = ready.shift() as (typeof ready)[0];
      const work: Promise<void> = compute(next.index, next.start)
        .catch((reason: unknown) => {
          failure ??= { reason };
        })
        .finally(() => underWay.delete(work));
      underWay.add(work);
    }
    await Promise.race(underWay);
    if (signal?.aborted === true) failure ??= { reason: signal.reason };
  }
  // Points under way are waited for: those that are finished are kept.
  await Promise.allSettled(underWay);
  if (failure !== null) throw (failure as { readonly reason: unknown }).reason;
  const points = [...done.values()].sort((a, b) => a.index - b.index);
  return { alpha, beta, points, warnings: mapWarnings(points) };
}

function nearestToZero(axis: Float64Array): number {
  return axis.reduce((best, value, i) => (Math.abs(value) < Math.abs(axis[best] as number) ? i : best), 0);
}

/** The points that begin where a point ended. */
function behind(index: number, width: number, height: number, [ci, cj]: readonly [number, number]): number[] {
  const [i, j] = [index % width, Math.floor(index / width)];
  const along = [...(i >= ci ? [i + 1] : []), ...(i <= ci ? [i - 1] : [])].filter((k) => k >= 0 && k < width);
  const across =
    i === ci
      ? [...(j >= cj ? [j + 1] : []), ...(j <= cj ? [j - 1] : [])].filter((k) => k >= 0 && k < height)
      : [];
  return [...across.map((row) => row * width + i), ...along.map((column) => j * width + column)];
}

function mapWarnings(points: readonly ConvexityPoint[]): LandscapeWarning[] {
  const off = points.filter(({ isConverged }) => !isConverged);
  if (off.length === 0) return [];
  const most = off.reduce((sum, { residual }) => Math.max(sum, residual), 0);
  const message = `eigenvalues have not converged at ${off.length} of ${points.length} points: they may be off by up to ${most.toPrecision(2)}`;
  return [{ code: "not-converged", message }];
}

/** |λ_min/λ_max| of each point (H·W): near 0 the loss is almost convex, at 1 it falls as steeply as it rises. */
export function convexityRatio({ points }: Pick<ConvexityMap, "points">): Float64Array {
  return Float64Array.from(points, ({ smallest, largest }) => Math.abs(smallest / largest));
}
