/** Loss and metrics of single samples at one point θ. */
export interface SampleValues {
  /** Loss of each sample; its mean over the whole set is the loss. */
  readonly loss: Float64Array;
  /** Metrics by name, sample by sample. */
  readonly metrics: Readonly<Record<string, Float64Array>>;
}

/** Computes the losses of some samples of an evaluation set, each by itself. */
export interface SampleEvaluator {
  readonly samples: number;
  /** Evaluates at `theta` (parameterCount, layout order), in the order of the rows asked for. */
  evaluate(theta: Float32Array, signal?: AbortSignal): Promise<SampleValues>;
  /** Frees what is held for these samples. Idempotent. */
  dispose(): void;
}

/** Single samples of an evaluation set: what statistics over a part of it need. */
export interface SampleAccess {
  /** Returns the class of each sample, or null where the targets are no classes. */
  classes(signal?: AbortSignal): Promise<Int32Array | null>;
  /**
   * Opens some samples; the evaluator must outlive them.
   *
   * @param rows - positions of the samples in the evaluation set, increasing; null means all of them.
   */
  open(rows: Int32Array | null, signal?: AbortSignal): Promise<SampleEvaluator>;
}
