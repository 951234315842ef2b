import * as tf from "@tensorflow/tfjs";
import { InvalidDataError } from "../base/errors.js";
import type { Batch, SampleSource } from "./evaluation-data.js";
import type { ModelPorts } from "./model-ports.js";

/** Returns copies of the first samples of a batch. */
export function firstSamples(batch: Batch, samples: number): Batch {
  const cut = (tensor: tf.Tensor) => tensor.slice(0, samples);
  return { xs: batch.xs.map(cut), ys: batch.ys.map(cut), samples };
}

/**
 * Copies samples to the backend in batches, as the model takes them (rank 2 or more, the inputs' types).
 * The tensors given stay the caller's.
 */
export function holdSamples(
  ports: ModelPorts,
  all: Batch,
  digest: string,
  wantedBatchSize: number,
): SampleSource {
  const batchSize = checkedBatchSize(ports, all.samples, wantedBatchSize);
  const whole = modelForm(ports, all);
  const batches: Batch[] = [];
  for (let start = 0; start < all.samples; start += batchSize) {
    const samples = Math.min(batchSize, all.samples - start);
    const cut = (tensor: tf.Tensor) => tensor.slice(start, samples);
    batches.push({ xs: whole.xs.map(cut), ys: whole.ys.map(cut), samples });
  }
  tf.dispose([...whole.xs]);
  return {
    samples: all.samples,
    digest,
    batchSize,
    targets: whole.ys,
    async forEachBatch(visit) {
      for (const batch of batches) await visit(batch);
    },
    dispose() {
      tf.dispose([...whole.ys, ...batches.flatMap(({ xs, ys }) => [...xs, ...ys])]);
    },
  };
}

function checkedBatchSize(ports: ModelPorts, samples: number, wanted: number): number {
  const fixed = ports.fixedBatch;
  if (fixed === null) return Math.min(wanted, samples);
  if (samples % fixed !== 0) {
    throw new InvalidDataError("data", `a multiple of the model's batch of ${fixed} samples`, `${samples}`);
  }
  return fixed;
}

/** Returns new tensors of a batch in the form that the model's ops take. */
export function modelForm(ports: ModelPorts, batch: Batch): Batch {
  const form = (tensor: tf.Tensor, dtype: tf.DataType | null): tf.Tensor =>
    tf.tidy(() => {
      const raised = tensor.rank === 1 ? tensor.expandDims(1) : tensor.clone();
      return dtype === null ? raised : raised.cast(dtype);
    });
  return {
    xs: batch.xs.map((tensor, i) => form(tensor, ports.xs[i]?.dtype ?? null)),
    ys: batch.ys.map((tensor) => form(tensor, null)),
    samples: batch.samples,
  };
}
