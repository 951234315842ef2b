import * as tf from "@tensorflow/tfjs";
import { InvalidDataError } from "../base/errors.js";
import { type RunningDigest, startDigest } from "../base/provenance.js";
import type { Batch, NonFiniteData, SampleSource } from "./evaluation-data.js";
import { describeShape, type ModelPort, type ModelPorts } from "./model-ports.js";

/** Returns copies of the first samples of a batch. */
export function firstSamples(batch: Batch, samples: number): Batch {
  const cut = (tensor: tf.Tensor) => tensor.slice(0, samples);
  return { xs: batch.xs.map(cut), ys: batch.ys.map(cut), ws: batch.ws.map(cut), samples };
}

/**
 * Copies samples to the backend in batches, as the model takes them (rank 2 or more, the inputs' types).
 * The tensors given stay the caller's.
 */
export function holdSamples(
  ports: ModelPorts,
  all: Batch,
  { digest, largest }: Pick<SampleSource, "digest" | "largest">,
  wantedBatchSize: number,
): SampleSource {
  const batchSize = checkedBatchSize(ports, all.samples, wantedBatchSize);
  const whole = modelForm(ports, all);
  const batches: Batch[] = [];
  for (let start = 0; start < all.samples; start += batchSize) {
    const samples = Math.min(batchSize, all.samples - start);
    const cut = (tensor: tf.Tensor) => tensor.slice(start, samples);
    batches.push({ xs: whole.xs.map(cut), ys: whole.ys.map(cut), ws: whole.ws.map(cut), samples });
  }
  tf.dispose([...whole.xs]);
  return {
    samples: all.samples,
    digest,
    batchSize,
    targets: whole.ys,
    weights: whole.ws,
    largest,
    async forEachBatch(visit) {
      for (const batch of batches) await visit(batch);
    },
    dispose() {
      tf.dispose([...whole.ys, ...whole.ws, ...batches.flatMap(({ xs, ys, ws }) => [...xs, ...ys, ...ws])]);
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
  if (ports.isAsGiven === true) {
    const copy = (tensor: tf.Tensor) => tensor.clone();
    return { xs: batch.xs.map(copy), ys: batch.ys.map(copy), ws: batch.ws.map(copy), samples: batch.samples };
  }
  const form = (tensor: tf.Tensor, dtype: tf.DataType | null): tf.Tensor =>
    tf.tidy(() => {
      const raised = tensor.rank === 1 ? tensor.expandDims(1) : tensor.clone();
      return dtype === null ? raised : raised.cast(dtype);
    });
  return {
    xs: batch.xs.map((tensor, i) => form(tensor, ports.xs[i]?.dtype ?? null)),
    ys: batch.ys.map((tensor) => form(tensor, null)),
    ws: batch.ws.map((tensor) => tensor.reshape([batch.samples])),
    samples: batch.samples,
  };
}

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
  const weights: RunningDigest[] = [];
  let samples = 0;
  return {
    async add(batch) {
      for (const [i, tensor] of (dataId === undefined ? batch.ws : []).entries()) {
        weights[i] ??= startDigest();
        weights[i].add(Float32Array.from(await tensor.data()));
      }
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
      for (const hash of weights) whole.add(`weights ${hash.hex()}\n`);
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

/** Counts the rows of an evaluation set that hold NaN or infinity, and notes how large its numbers are. */
export interface FiniteCheck {
  /** Takes in the next samples. */
  add(batch: Batch): Promise<void>;
  /** Largest |x| so far of each input, then of each target. */
  readonly largest: readonly number[];
  /** @throws {@link InvalidDataError} if rows were counted and they are not to be kept. */
  finish(): void;
}

interface Counted {
  readonly name: string;
  rows: number;
  first: number;
  largest: number;
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
  const counts = names.map((name): Counted => ({ name, rows: 0, first: -1, largest: 0 }));
  let samples = 0;
  return {
    get largest() {
      return counts.map(({ largest }) => largest);
    },
    async add(batch) {
      const tensors = [...batch.xs, ...batch.ys];
      for (const [i, count] of counts.entries()) await checkTensor(count, tensors[i] as tf.Tensor, samples);
      samples += batch.samples;
    },
    finish() {
      if (choice === "keep") return;
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

async function checkTensor(count: Counted, tensor: tf.Tensor, before: number): Promise<void> {
  if (tensor.dtype !== "float32") {
    count.largest = tensor.dtype === "bool" ? 1 : 2 ** 31;
    return;
  }
  const values = await tensor.data();
  count.largest = Math.max(count.largest, largestSize(values));
  const rows = nonFiniteRows(values, values.length / (tensor.shape[0] as number));
  if (rows.length === 0) return;
  if (count.rows === 0) count.first = before + (rows[0] as number);
  count.rows += rows.length;
}

/** Returns the largest |x|; infinity where a number is not finite. */
function largestSize(values: ArrayLike<number>): number {
  let largest = 0;
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i] as number);
    if (!(size <= largest)) largest = Number.isNaN(size) ? Number.POSITIVE_INFINITY : size;
  }
  return largest;
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
