/** How an approximate surface was asked for. */
export interface ApproximationSettings {
  /** The error aimed at, as a share of the range of the loss. */
  readonly tolerance: number;
  /** Most sample evaluations, as a share of those of an exact surface. */
  readonly budget: number;
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
