import type * as tf from "@tensorflow/tfjs";
import type { Batch } from "./evaluation-data.js";

/** Samples that can be gone through again and again, batch by batch. */
export interface SampleSource {
  readonly samples: number;
  /** sha-256 (hex) of the data, or the user's `dataId`. */
  readonly digest: string;
  /** Samples per batch; of a stream, those of its first batch. */
  readonly batchSize: number;
  /** Targets of all samples, where they are held on the backend; null for a stream. */
  readonly targets: readonly tf.Tensor[] | null;
  /** Calls `visit` with each batch in order; the batch's tensors are not the visitor's to dispose. */
  forEachBatch(visit: (batch: Batch) => Promise<void>): Promise<void>;
  dispose(): void;
}

/** How evaluation data are held. */
export interface SampleSourceOptions {
  readonly batchSize: number;
  readonly sampleLimit: number;
  readonly dataId: string | undefined;
  /** Most bytes of a data set that are kept on the backend; a larger one is read again at each evaluation. */
  readonly cacheBytes: number;
  readonly signal: AbortSignal | undefined;
}
