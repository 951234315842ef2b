import { EvaluationError } from "../base/errors.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { Curvature } from "./create-curvature.js";
import { topEigenpairs } from "./lanczos.js";
import { hessianOperator } from "./symmetric-operator.js";
import { norm } from "./vectors.js";

/** The ends of the spectrum at a point. */
export interface PointEnds {
  readonly loss: number;
  readonly gradientNorm: number;
  /** Smallest and largest eigenvalue; NaN where loss or gradient are not finite. */
  readonly smallest: number;
  readonly largest: number;
  /** The larger one of their residuals: by so much either may be off. */
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
 * Finds the smallest and the largest eigenvalue at θ from one Krylov space, which begins in the sum of a neighbour's two
 * eigenvectors: both ends are near from the start.
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
  const { layout } = curvature;
  const point = await openFinite(curvature, theta, signal);
  if (point === null) return NOWHERE;
  try {
    const { loss, gradient } = point;
    const found = await topEigenpairs(hessianOperator(point, layout, { matrix }), {
      ...how,
      count: 2,
      which: "ends",
      start: start === null ? undefined : Float64Array.from(start),
      signal,
    });
    const [largest, smallest = found.values[0]] = found.values as unknown as [number, number?];
    const [first, second = first] = found.vectors as readonly [Float64Array, Float64Array?];
    return {
      loss,
      gradientNorm: norm(gradient),
      smallest: smallest as number,
      largest,
      residual: found.residuals.reduce((a, b) => Math.max(a, b), 0),
      products: found.products,
      isConverged: found.isConverged,
      start: Float32Array.from(first, (value, i) => value + (second[i] as number)),
    };
  } finally {
    point.dispose();
  }
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
export interface ConvexityWork {
  /** Writes θ at a point into a buffer of its own. */
  readonly thetaAt: (alpha: number, beta: number) => Float32Array;
  readonly endsAt: (theta: Float32Array, start: Float32Array | null) => Promise<EndsWithStart>;
  /** Points under way at once; it may change. */
  readonly concurrency: number;
  /** Points from before. */
  readonly known: readonly ConvexityPoint[];
  readonly onPoint: (point: ConvexityPoint) => void | Promise<void>;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
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
