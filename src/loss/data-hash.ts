import type * as tf from "@tensorflow/tfjs";
import { type RunningDigest, startDigest } from "../base/digest.js";
import { InvalidDataError } from "../base/errors.js";
import type { Batch } from "./evaluation-data.js";
import { describeShape, type ModelPort, type ModelPorts } from "./model-ports.js";

/** A running digest of an evaluation set: of its values, or the user's own `dataId` for them. */
export interface DataHash {
  /** Takes in the next samples; batches of any size give the same digest. */
  add(batch: Batch): Promise<void>;
  /** Samples taken in so far. */
  readonly samples: number;
  /**
   * Returns the sha-256 (hex) of all samples so far (values, shapes and types, not the model's names), or
   * the `dataId`.
   */
  digest(): string;
}

interface TensorHash {
  readonly port: ModelPort;
  readonly hash: RunningDigest;
  kind: string | undefined;
}

/**
 * Creates a digest of an evaluation set, and checks class numbers on the way.
 *
 * Each tensor's bytes are hashed apart, so that a data set has the digest of the same data in one tensor.
 *
 * @param dataId - What the user calls the data; the values are then not hashed.
 */
export function createDataHash(ports: ModelPorts, dataId?: string): DataHash {
  const parts = [...ports.xs, ...ports.ys].map(
    (port): TensorHash => ({ port, hash: startDigest(), kind: undefined }),
  );
  let samples = 0;
  return {
    async add(batch) {
      const tensors = [...batch.xs, ...batch.ys];
      for (const [i, part] of parts.entries()) await addTensor(part, tensors[i] as tf.Tensor, dataId);
      samples += batch.samples;
    },
    get samples() {
      return samples;
    },
    digest() {
      if (dataId !== undefined) return dataId;
      const whole = startDigest().add(`${ports.xs.length} ${ports.ys.length} ${samples}\n`);
      for (const { kind, hash } of parts) whole.add(`${kind} ${hash.hex()}\n`);
      return whole.hex();
    },
  };
}

/** Says of what type and shape the samples of a tensor are; one number each is the same with and without axis. */
export function sampleKind({ dtype, rank, shape }: tf.Tensor): string {
  return `${dtype} ${describeShape(rank === 1 ? [1] : shape.slice(1))}`;
}

async function addTensor(part: TensorHash, tensor: tf.Tensor, dataId: string | undefined): Promise<void> {
  const kind = sampleKind(tensor);
  part.kind ??= kind;
  if (kind !== part.kind) {
    throw new InvalidDataError(part.port.where, `samples of ${part.kind} throughout`, kind);
  }
  if (dataId !== undefined && part.port.form !== "labels") return;
  const values = await tensor.data();
  if (part.port.form === "labels") checkLabels(part.port, values);
  part.hash.add(values);
}

/** Refuses class numbers that TF.js would silently count as no class at all. */
function checkLabels(port: ModelPort, values: ArrayLike<number>): void {
  for (let i = 0; i < values.length; i++) {
    const label = values[i] as number;
    if (!Number.isInteger(label) || label < 0 || (port.classes > 0 && label >= port.classes)) {
      throw new InvalidDataError(port.where, `class numbers from 0 to ${port.classes - 1}`, String(label));
    }
  }
}
