import type * as tf from "@tensorflow/tfjs";
import { InvalidOptionError } from "../base/errors.js";

/** Tensors for the inputs or outputs of a model: one, a list in the model's order, or a record by name. */
export type NamedTensors = tf.Tensor | readonly tf.Tensor[] | Readonly<Record<string, tf.Tensor>>;

/** An evaluation set in memory; the first axis of every tensor numbers the samples. */
export interface TensorData {
  /** What goes into the model. */
  readonly xs: NamedTensors;
  /** What should come out of it. */
  readonly ys: NamedTensors;
  /**
   * Weight of each sample in the loss, of at least 0: one tensor (samples), or one for each output. The loss is the
   * mean of weight · loss; metrics are not weighted. Default 1.
   */
  readonly sampleWeight?: NamedTensors | undefined;
}

/** Weights in the loss by class number, as `fit` takes them. */
export type ClassWeight = Readonly<Record<number, number>>;

/** Class weights of a model: of its one output, or of each (a list in the model's order, or by name). */
export type ClassWeights = ClassWeight | readonly ClassWeight[] | Readonly<Record<string, ClassWeight>>;

/** One pass over a data set. */
export interface BatchIterator {
  /** Returns the next batch, or `done`; a last batch may come with `done`. */
  next(): Promise<{ readonly value: unknown; readonly done?: boolean }>;
}

/** A `tf.data.Dataset` of batches `{ xs, ys }`. */
export interface BatchDataset {
  /** Number of its elements: Infinity where TF.js knows that it has no end, null where it does not know. */
  readonly size?: number | null | undefined;
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
  /** Weights of the samples, one tensor (samples) for each output; empty where they all count the same. */
  readonly ws: readonly tf.Tensor[];
  readonly samples: number;
}

/**
 * Returns the class of each sample from its targets: the place of the one in one-hot rows, or whole numbers
 * from 0 on in rows of one. Null where the targets are no classes.
 *
 * @param targets - (samples, width), row-major.
 */
export function classesOf(targets: ArrayLike<number>, width: number): Int32Array | null {
  if (width < 1 || targets.length === 0 || targets.length % width !== 0) return null;
  const classes = new Int32Array(targets.length / width);
  for (let sample = 0; sample < classes.length; sample++) {
    const found = width === 1 ? wholeNumber(targets[sample]) : placeOfOne(targets, sample * width, width);
    if (found === -1) return null;
    classes[sample] = found;
  }
  return classes;
}

function wholeNumber(value: number): number {
  return Number.isInteger(value) && value >= 0 && value < 2 ** 31 ? value : -1;
}

function placeOfOne(targets: ArrayLike<number>, start: number, width: number): number {
  let place = -1;
  for (let i = 0; i < width; i++) {
    const value = targets[start + i];
    if (value === 0) continue;
    if (value !== 1 || place !== -1) return -1;
    place = i;
  }
  return place;
}

/** Samples that can be gone through again and again, batch by batch. */
export interface SampleSource {
  readonly samples: number;
  /** sha-256 (hex) of the data, or the user's `dataId`. */
  readonly digest: string;
  /** Samples per batch; of a stream, those of its first batch. */
  readonly batchSize: number;
  /** Targets of all samples, where they are held on the backend; null for a stream. */
  readonly targets: readonly tf.Tensor[] | null;
  /** Weights of all samples in the same way; empty where they all count the same. */
  readonly weights: readonly tf.Tensor[];
  /** Largest |x| of each input, then of each target; infinite where a number is not finite. */
  readonly largest: readonly number[];
  /** Calls `visit` with each batch in order; the batch's tensors are not the visitor's to dispose. */
  forEachBatch(visit: (batch: Batch) => Promise<void>): Promise<void>;
  dispose(): void;
}

/** How far a data set is read in search of its end. */
export interface DataLimit {
  /** Most samples. Default 10 million. */
  readonly samples?: number | undefined;
  /** Most bytes, kept or not. Default 16 GiB. */
  readonly bytes?: number | undefined;
  /** No batch is read after so many seconds. Default 300. */
  readonly seconds?: number | undefined;
}

/** What becomes of an evaluation set in which a number is NaN or infinite. */
export type NonFiniteData = "refuse" | "keep";

/** How evaluation data are held. */
export interface SampleSourceOptions {
  readonly batchSize: number;
  readonly sampleLimit: number;
  readonly dataId: string | undefined;
  /** Most bytes of a data set that are kept on the backend; a larger one is read again at each evaluation. */
  readonly cacheBytes: number;
  /** Default "refuse". */
  readonly nonFiniteData?: NonFiniteData | undefined;
  /** A data set that has not ended within it is refused. */
  readonly dataLimit?: DataLimit | undefined;
  /** Default every class counts the same. */
  readonly classWeight?: ClassWeights | undefined;
  readonly signal: AbortSignal | undefined;
}

/** @throws {@link InvalidOptionError} if more samples are wanted than there are. */
export function refuseTooMany(option: string, wanted: number | null, samples: number): void {
  if (wanted === null || wanted <= samples) return;
  const expected = `at most the ${samples.toLocaleString("en")} samples of the data`;
  throw new InvalidOptionError(option, expected, wanted.toLocaleString("en"));
}
