import type * as tf from "@tensorflow/tfjs";
import { InvalidDataError } from "../base/errors.js";
import type { Batch, NonFiniteData } from "./evaluation-data.js";
import type { ModelPort, ModelPorts } from "./model-ports.js";

/** Counts the rows of an evaluation set that hold NaN or infinity. */
export interface FiniteCheck {
  /** Takes in the next samples. */
  add(batch: Batch): Promise<void>;
  /** @throws {@link InvalidDataError} if rows were counted and they are not to be kept. */
  finish(): void;
}

interface Counted {
  readonly name: string;
  rows: number;
  first: number;
}

/**
 * Creates a count of rows that are not finite.
 *
 * They are refused unless asked for: the loss of such a set has no meaning, and many kernels turn NaN into a
 * plausible number on the way (max pooling on every backend, ReLU and clipping on WebAssembly).
 */
export function createFiniteCheck(ports: ModelPorts, choice: NonFiniteData = "refuse"): FiniteCheck {
  const nameOf = (side: string, all: readonly ModelPort[]) => (port: ModelPort) =>
    all.length === 1 ? side : port.where;
  const names = [...ports.xs.map(nameOf("xs", ports.xs)), ...ports.ys.map(nameOf("ys", ports.ys))];
  const counts = names.map((name): Counted => ({ name, rows: 0, first: -1 }));
  let samples = 0;
  return {
    async add(batch) {
      if (choice === "keep") return;
      const tensors = [...batch.xs, ...batch.ys];
      for (const [i, count] of counts.entries()) await addTensor(count, tensors[i] as tf.Tensor, samples);
      samples += batch.samples;
    },
    finish() {
      const found = counts.filter(({ rows }) => rows > 0);
      const [worst] = found;
      if (worst === undefined) return;
      const describe = ({ rows, first }: Counted) =>
        `${rows} of ${samples} rows hold NaN or infinity, first row ${first}`;
      const others = found.slice(1).map((count) => `; ${count.name}: ${describe(count)}`);
      const got = `data of which ${describe(worst)}${others.join("")}`;
      throw new InvalidDataError(worst.name, "finite numbers", got, {
        hint: 'mend these rows or leave them out, or keep them with nonFiniteData: "keep" (--keep-non-finite-data)',
      });
    },
  };
}

async function addTensor(count: Counted, tensor: tf.Tensor, before: number): Promise<void> {
  if (tensor.dtype !== "float32") return;
  const values = await tensor.data();
  const rows = nonFiniteRows(values, values.length / (tensor.shape[0] as number));
  if (rows.length === 0) return;
  if (count.rows === 0) count.first = before + (rows[0] as number);
  count.rows += rows.length;
}

/** Returns which rows of `width` numbers hold NaN or infinity. */
export function nonFiniteRows(values: ArrayLike<number>, width: number): number[] {
  const rows: number[] = [];
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    // Infinity and NaN are the numbers whose difference from themselves is not 0.
    if (value - value === 0) continue;
    const row = Math.floor(i / width);
    rows.push(row);
    i = (row + 1) * width - 1;
  }
  return rows;
}
