import type * as tf from "@tensorflow/tfjs";

/** Tensors for the inputs or outputs of a model: one, a list in the model's order, or a record by name. */
export type NamedTensors = tf.Tensor | readonly tf.Tensor[] | Readonly<Record<string, tf.Tensor>>;

/** An evaluation set in memory; the first axis of every tensor numbers the samples. */
export interface TensorData {
  /** What goes into the model. */
  readonly xs: NamedTensors;
  /** What should come out of it. */
  readonly ys: NamedTensors;
}

/** One pass over a data set. */
export interface BatchIterator {
  /** Returns the next batch, or `done`. */
  next(): Promise<{ readonly value: unknown; readonly done?: boolean }>;
}

/** A `tf.data.Dataset` of batches `{ xs, ys }`. */
export interface BatchDataset {
  /** Starts a pass over the data. */
  iterator(): Promise<BatchIterator>;
}

/** What a loss can be evaluated on. */
export type EvaluationData = TensorData | BatchDataset;

/** Returns whether `data` is a `tf.data.Dataset` (or anything with its `iterator`). */
export function isBatchDataset(data: EvaluationData): data is BatchDataset {
  return typeof (data as Partial<BatchDataset> | null | undefined)?.iterator === "function";
}

/** Some samples on the backend: tensors in the order of the model's inputs and outputs, rank 2 or more. */
export interface Batch {
  readonly xs: readonly tf.Tensor[];
  readonly ys: readonly tf.Tensor[];
  readonly samples: number;
}
