import { InvalidDataError, InvalidOptionError } from "../base/errors.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { Directions } from "../directions/directions.js";
import type { EngineInfo, EvaluatorFacts, LossMode, LossValue } from "../loss/loss-evaluator.js";

/** How an approximate surface was asked for. */
export interface ApproximationSettings {
  /** The error aimed at, as a share of the range of the loss. */
  readonly tolerance: number;
  /** Most sample evaluations, as a share of those of an exact surface. */
  readonly share: number;
  /** Samples in the fixed subsample; 0 where none is used. */
  readonly subsample: number;
  /** Seed of the subsample and of the points drawn at random. */
  readonly seed: number;
}

/** What an approximate surface says of its own error. */
export interface Approximation extends ApproximationSettings {
  /**
   * Bound of the error of the loss (H, W), meant to hold at 95 % of the points or more: 0 where it is exact
   * (to rounding), infinite where nothing is known of it.
   */
  readonly error: Float64Array;
  /** The same for each metric. */
  readonly metricErrors: Readonly<Record<string, Float64Array>>;
  /** How each point was found (H, W): 0 interpolated, 1 from the subsample, 2 exact. */
  readonly method: Int32Array;
  /**
   * The error is at most this on 95 % of the points whose error is known: the bound that 97.5 % of them keep.
   * NaN where none is.
   */
  readonly errorOn95: number;
  /** Greatest minus least finite loss. */
  readonly range: number;
  /** Samples that were evaluated, each counted once for every point. */
  readonly sampleEvaluations: number;
  /** Those that the exact surface takes. */
  readonly exactSampleEvaluations: number;
}

/**
 * Uniform grid: alpha[i] = (i − i₀)·h with alpha[i₀] = 0 exactly, covering the path and a margin.
 * A one-dimensional slice has beta = [0].
 */
export interface Grid {
  /** Coordinates along the first direction (W), increasing. */
  readonly alpha: Float64Array;
  /** Coordinates along the second direction (H), increasing; [0] for a line. */
  readonly beta: Float64Array;
}

/** What a surface that was stopped early has; the values of the other points are NaN until they are evaluated. */
export interface PartialSurface {
  /** (H, W): 1 where the values were computed, 0 where nothing is known yet. */
  readonly evaluated: Uint8Array;
  /** What was used up: "60 seconds". */
  readonly budget: string;
}

/** Loss and metrics over a grid: H rows over beta, W columns over alpha, row-major. */
export interface Surface extends Grid {
  /** Loss (H, W): value at (alpha[i], beta[j]) is loss[j * W + i]. Non-finite values are kept. */
  readonly loss: Float64Array;
  /** Metrics by name, each (H, W). */
  readonly metrics: Readonly<Record<string, Float64Array>>;
  /** The value at θ* itself, also where a range given by the user leaves (0, 0) off the grid. */
  readonly center: LossValue;
  /** Number of evaluated grid points whose loss is not finite. */
  readonly nonFinite: number;
  /** Largest share of clipped samples over the grid, or null where the loss does not clip. */
  readonly clippedShare: number | null;
  /** Largest share of samples whose loss clipping caps; absent where it was stored before that was known. */
  readonly cappedShare?: number | null | undefined;
  readonly lossMode: LossMode;
  /** How samples are weighted in the loss: "class weights 0: 1, 1: 5". Absent where they all count the same. */
  readonly weights?: string | undefined;
  /** Number of samples behind every value. */
  readonly samples: number;
  readonly engine: EngineInfo;
  /** Of an approximate surface: how far its values may be off. Absent where every value is exact. */
  readonly approximation?: Approximation;
  /** Absent where every grid point was evaluated. */
  readonly partial?: PartialSurface;
  readonly warnings: readonly LandscapeWarning[];
}

/** A grid point that has been evaluated. */
export interface EvaluatedPoint {
  /** Flat index j·W + i, or -1 for θ* itself, on the grid or not. */
  readonly index: number;
  readonly value: LossValue;
  /** Weights with values for which there is no loss, as a policy found them; then the value is NaN. */
  readonly undefinedWeights: readonly string[];
}

/** Index of θ* itself. */
export const CENTER_INDEX = -1;

/** Values of a surface, gathered point by point. */
export interface SurfaceValues {
  readonly loss: Float64Array;
  readonly metrics: Readonly<Record<string, Float64Array>>;
  /** 1 where there is a value (H, W). */
  readonly evaluated: Uint8Array;
  put(index: number, value: LossValue): void;
  /** Largest share of clipped, and of capped samples; null where that is not known. */
  clippedShare(): number | null;
  cappedShare(): number | null;
}

/** Makes room for the values of `points` grid points, NaN until they are put there. */
export function createSurfaceValues(
  { metricNames }: Pick<EvaluatorFacts, "metricNames">,
  points: number,
): SurfaceValues {
  const loss = new Float64Array(points).fill(Number.NaN);
  const metrics = Object.fromEntries(
    metricNames.map((name) => [name, new Float64Array(points).fill(Number.NaN)]),
  );
  const evaluated = new Uint8Array(points);
  let clipped: number | null = null;
  let capped: number | null = null;
  return {
    loss,
    metrics,
    evaluated,
    put(index, value) {
      evaluated[index] = 1;
      loss[index] = value.loss;
      for (const name of metricNames) {
        (metrics[name] as Float64Array)[index] = value.metrics[name] ?? Number.NaN;
      }
      clipped = larger(clipped, value.clippedShare);
      capped = larger(capped, value.cappedShare ?? null);
    },
    clippedShare: () => clipped,
    cappedShare: () => capped,
  };
}

function larger(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.max(a, b);
}

/** What a surface's values say of themselves. */
export interface SurfaceFacts {
  readonly nonFinite: number;
  readonly points: number;
  /** Largest share of samples whose loss is capped, or null where that is not known. */
  readonly cappedShare: number | null;
  /** Where only some points were evaluated. */
  readonly partial?: PartialSurface | undefined;
}

/** Returns what the reader of a surface should know. */
export function surfaceWarnings({
  nonFinite,
  points,
  cappedShare,
  partial,
}: SurfaceFacts): LandscapeWarning[] {
  const warnings: LandscapeWarning[] = [];
  if (partial !== undefined) {
    const known = partial.evaluated.reduce((sum, one) => sum + one, 0);
    const message =
      `only ${known} of ${points} grid points are evaluated (stopped after ${partial.budget}); pictures ` +
      "interpolate between them";
    warnings.push({ code: "partial-surface", message });
  }
  if (nonFinite > 0) {
    const message = `the loss is not finite at ${nonFinite} of ${points} grid points; they are shown as gaps`;
    warnings.push({ code: "non-finite-loss", message });
  }
  if (cappedShare !== null && cappedShare > 0) {
    const percent = (100 * cappedShare).toPrecision(2);
    const message =
      `the compiled loss caps up to ${percent} % of the samples at a grid point (at 16.118, a false plateau); ` +
      'loss: "logits" shows the true height';
    warnings.push({ code: "capped-loss", message });
  }
  return warnings;
}

/**
 * Checks that both axes of a grid are finite and increasing.
 *
 * @throws {@link InvalidOptionError} naming the axis.
 */
export function checkGrid({ alpha, beta }: Grid): void {
  for (const [name, axis] of [
    ["alpha", alpha],
    ["beta", beta],
  ] as const) {
    if (axis.length === 0) throw new InvalidOptionError(name, "at least one coordinate", "none");
    const wrong = axis.findIndex(
      (value, i) => !Number.isFinite(value) || (i > 0 && value <= (axis[i - 1] as number)),
    );
    if (wrong === -1) continue;
    const got = `${axis[wrong]} at position ${wrong}`;
    throw new InvalidOptionError(name, "finite, increasing coordinates", got);
  }
}

/**
 * Checks that θ* and directions are finite, long enough, and enough for a grid, and that none of those is zero.
 *
 * @throws {@link InvalidOptionError} or {@link InvalidDataError} naming the vector.
 */
export function checkDirections(
  { center, vectors }: Pick<Directions, "center" | "vectors">,
  { beta }: Grid,
  parameterCount: number,
): void {
  const isLine = beta.length === 1 && beta[0] === 0;
  const needed = isLine ? 1 : 2;
  if (vectors.length < needed) {
    throw new InvalidOptionError("directions", `at least ${needed} for this grid`, String(vectors.length));
  }
  checkVector("directions.center", center, parameterCount);
  for (let k = 0; k < needed; k++) {
    const where = `directions.vectors[${k}]`;
    checkVector(where, vectors[k] as Float32Array, parameterCount);
    if (vectors[k]?.some((value) => value !== 0)) continue;
    throw new InvalidOptionError(where, "a direction other than zero", "only zeros");
  }
}

/**
 * Checks that θ* is finite and has the evaluator's length.
 *
 * @throws {@link InvalidOptionError} or {@link InvalidDataError}.
 */
export function checkCenter(center: Float32Array, parameterCount: number): void {
  checkVector("center", center, parameterCount);
}

function checkVector(where: string, vector: Float32Array, parameterCount: number): void {
  if (vector.length !== parameterCount) {
    const expected = `${parameterCount} numbers, the whole of θ`;
    throw new InvalidOptionError(where, expected, String(vector.length));
  }
  const wrong = vector.findIndex((value) => !Number.isFinite(value));
  if (wrong === -1) return;
  throw new InvalidDataError(where, "finite numbers", `${vector[wrong]} at entry ${wrong}`);
}
