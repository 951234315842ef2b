import * as tf from "@tensorflow/tfjs";
import type { DataColumn, DataColumns, ProgramBatches } from "./graph-program.js";
import { sizeOf } from "./plan/graph.js";

/** What a program takes in. */
export interface TensorInputs {
  /** Names of the inputs that change from batch to batch. */
  readonly columns: readonly string[];
  /** Names of the inputs that change from point to point. */
  readonly variables: readonly string[];
}

/** Keeps data as tensors, batch by batch; `run` gets those of a batch and the variables, as rows, by name. */
export function cutTensors(
  { columns, variables: names }: TensorInputs,
  data: DataColumns,
  batchSize: number,
  run: (inputs: Readonly<Record<string, tf.Tensor>>) => Float32Array,
): ProgramBatches {
  const used = data.columns.filter(({ name }) => columns.includes(name));
  const count = Math.ceil(data.samples / batchSize);
  const samplesOf = (batch: number) => Math.min(batchSize, data.samples - batch * batchSize);
  let batches = Array.from({ length: count }, (_, batch) =>
    Object.fromEntries(
      used.map((column) => [column.name, rowsTensor(column, batch * batchSize, samplesOf(batch))]),
    ),
  );
  return {
    count,
    samplesOf,
    async run(batch, variables = {}) {
      const numbers = Object.fromEntries(
        names.map((name) => [name, tf.tensor2d([variables[name] as number[]])]),
      );
      try {
        return run({ ...batches[batch], ...numbers });
      } finally {
        tf.dispose(numbers);
      }
    },
    dispose() {
      tf.dispose(batches);
      batches = [];
    },
  };
}

/** A copy: the backend would keep the whole array that a view is of. */
function rowsTensor({ shape, values }: DataColumn, start: number, samples: number): tf.Tensor {
  const size = sizeOf(shape);
  return tf.tensor(values.slice(start * size, (start + samples) * size), [samples, ...shape], "float32");
}
