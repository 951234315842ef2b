import * as tf from "@tensorflow/tfjs";
import { BackendError } from "../../base/errors.js";
import type { LandscapeWarning } from "../../base/warning.js";
import {
  addGramBy,
  type GramAdder,
  gramBlocksPerCall,
  type LinearAlgebra,
  leastGramColumns,
  type SymmetricEigen,
} from "../../math/linear-algebra.js";
import { rowGram } from "../../math/row-kernels.js";
import { singularValuesInJs, symmetricEigenByQl } from "./decompositions.js";
import { multiplyInFloat64 } from "./js-linear-algebra.js";
import { type GramProduct, ONNX_FROM_ROWS, type OnnxGram, openOnnxGram } from "./onnx-gram.js";

/** How to cut up a Gram product for a backend; measured at (100, 1,000,000). */
export interface GramPlan {
  /** float32 values per chunk of columns: one that stays in the processor's second cache is the fastest. */
  readonly chunkValues: number;
  /** Rows per panel: panels save the mirrored half of the work, at the price of smaller products. */
  readonly panelRows: number;
  /** Chunks multiplied in one call: native TensorFlow shares them among its threads. */
  readonly batch: number;
}

/** What multiplies and decomposes float64 matrices. */
export interface Float64Algebra {
  rowProducts(matrix: Float64Array, rows: number, columns: number): Float64Array;
  symmetricEigen(matrix: Float64Array, n: number): SymmetricEigen;
  singularValues(matrix: Float64Array, rows: number, columns: number): Float64Array;
}

const IN_JS: Float64Algebra = {
  rowProducts: rowGram,
  symmetricEigen: symmetricEigenByQl,
  singularValues: singularValuesInJs,
};

/** More columns than this are not summed in float32: WebAssembly adds them one by one, without partial sums. */
const MAX_CHUNK_COLUMNS = 4096;

/** Fewer rows than this are multiplied faster in place than after a copy to a tensor, and in float64. */
const FEW_ROWS = 8;

/**
 * Linear algebra through the TF.js backend that is active now: products in float32, sums of chunks in float64.
 *
 * Gram products of 64 rows and more go through ONNX Runtime where it is installed.
 *
 * @param name - Name of the result.
 * @param float64 - Default JavaScript: TF.js has no such type.
 * @throws {@link BackendError}, when called, if another backend has become the active one.
 */
export function createTensorLinearAlgebra(
  name: string,
  plan: GramPlan,
  float64: Float64Algebra = IN_JS,
): LinearAlgebra {
  const backend = tf.getBackend();
  const checkBackend = () => {
    if (tf.getBackend() === backend) return;
    throw new BackendError(`the ${name} linear algebra`, `"${backend}" active`, `"${tf.getBackend()}"`);
  };
  const openGram = async (rows: number): Promise<GramAdder> => {
    checkBackend();
    const onnx: OnnxGram = rows < ONNX_FROM_ROWS ? { state: "absent" } : await openOnnxGram(rows);
    const product = onnx.state === "open" ? onnx.product : productsBy(plan);
    return {
      name: onnx.state === "open" ? "onnx" : name,
      warnings: onnx.state === "failed" ? [passedOver(onnx.reason, name)] : [],
      async addInto(gram, blocks, columns, count = 1) {
        checkBackend();
        await addGramInto(gram, blocks, rows, columns, count, plan, product);
      },
      close: async () => (onnx.state === "open" ? onnx.close() : undefined),
    };
  };
  return {
    name,
    hasFastRowProducts: float64 !== IN_JS,
    async addGramInto(gram, blocks, rows, columns, count = 1) {
      await addGramBy(await openGram(rows), gram, blocks, rows, columns, count);
    },
    openGram,
    async multiply(a, b, rows, inner, columns) {
      checkBackend();
      if (rows < FEW_ROWS) return multiplyInFloat64(a, b, rows, inner, columns);
      return multiplyInTensors(a, b, rows, inner, columns);
    },
    async rowProducts(matrix, rows, columns) {
      checkBackend();
      return float64.rowProducts(matrix, rows, columns);
    },
    async symmetricEigen(matrix, n) {
      checkBackend();
      return float64.symmetricEigen(matrix, n);
    },
    async singularValues(matrix, rows, columns) {
      checkBackend();
      return float64.singularValues(matrix, rows, columns);
    },
  };
}

function passedOver(reason: string, name: string): LandscapeWarning {
  const message = `ONNX Runtime was installed and could not multiply (${reason}): inner products are those of the ${name} backend, which took longer`;
  return { code: "onnx-passed-over", message };
}

/** The product of blocks that need no further cutting, on the active backend. */
function productsBy({ panelRows }: GramPlan): GramProduct {
  return async (gram, chunks, rows, columns, count) =>
    addChunksGramInto(gram, chunks, rows, columns, count, panelRows);
}

async function addGramInto(
  gram: Float64Array,
  blocks: Float32Array,
  rows: number,
  columns: number,
  count: number,
  plan: GramPlan,
  product: GramProduct,
): Promise<void> {
  if (rows === 0) return;
  const size = rows * columns;
  const affordable = Math.max(leastGramColumns(rows), Math.floor(plan.chunkValues / rows));
  const width = Math.min(affordable, MAX_CHUNK_COLUMNS, columns);
  const batch = Math.min(plan.batch, gramBlocksPerCall(rows, width));
  if (width === columns) {
    for (let b = 0; b < count; b += batch) {
      const last = Math.min(count, b + batch);
      await product(gram, blocks.subarray(b * size, last * size), rows, columns, last - b);
    }
    return;
  }
  for (let b = 0; b < count; b++) {
    await addWideGramInto(
      gram,
      blocks.subarray(b * size, (b + 1) * size),
      rows,
      columns,
      width,
      batch,
      product,
    );
  }
}

/** Cuts one wide block into chunks of `width` columns, as many at a time as the plan says. */
async function addWideGramInto(
  gram: Float64Array,
  block: Float32Array,
  rows: number,
  columns: number,
  width: number,
  batch: number,
  product: GramProduct,
): Promise<void> {
  const scratch = new Float32Array(rows * width * batch);
  let held = 0;
  const flush = async (columnsOfChunk: number) => {
    const chunks = scratch.subarray(0, held * rows * columnsOfChunk);
    if (held > 0) await product(gram, chunks, rows, columnsOfChunk, held);
    held = 0;
  };
  for (let from = 0; from < columns; from += width) {
    const count = Math.min(width, columns - from);
    if (count < width) await flush(width);
    copyColumnsInto(scratch.subarray(held * rows * count), block, rows, columns, from, count);
    held++;
    if (held === batch || count < width) await flush(count);
  }
  await flush(width);
}

/** Copies columns [from, from + count) to the start of `scratch`, densely. */
function copyColumnsInto(
  scratch: Float32Array,
  block: Float32Array,
  rows: number,
  columns: number,
  from: number,
  count: number,
): void {
  for (let i = 0; i < rows; i++) {
    const start = i * columns + from;
    scratch.set(block.subarray(start, start + count), i * count);
  }
}

/**
 * Multiplies `count` chunks (rows, columns), each with itself; where there are panels, each panel of rows with
 * the rows up to its end.
 */
function addChunksGramInto(
  gram: Float64Array,
  chunks: Float32Array,
  rows: number,
  columns: number,
  count: number,
  panelRows: number,
): void {
  if (panelRows >= rows) {
    const product = readAndDispose(() => {
      const x = tf.tensor3d(chunks, [count, rows, columns]);
      return tf.matMul(x, x, false, true);
    });
    for (let b = 0; b < count; b++) {
      for (let i = 0; i < rows; i++) {
        const at = i * rows;
        for (let j = 0; j <= i; j++) gram[at + j] += product[b * rows * rows + at + j];
      }
    }
    return;
  }
  for (let b = 0; b < count; b++) {
    const chunk = chunks.subarray(b * rows * columns, (b + 1) * rows * columns);
    addPanelsGramInto(gram, chunk, rows, columns, panelRows);
  }
}

function addPanelsGramInto(
  gram: Float64Array,
  chunk: Float32Array,
  rows: number,
  columns: number,
  panelRows: number,
): void {
  for (let first = 0; first < rows; first += panelRows) {
    const end = Math.min(rows, first + panelRows);
    const product = readAndDispose(() => {
      const right = tf.tensor2d(chunk.subarray(0, end * columns), [end, columns]);
      if (first === 0) return tf.matMul(right, right, false, true);
      const left = tf.tensor2d(chunk.subarray(first * columns, end * columns), [end - first, columns]);
      return tf.matMul(left, right, false, true);
    });
    for (let i = first; i < end; i++) {
      const at = (i - first) * end;
      for (let j = 0; j <= i; j++) gram[i * rows + j] += product[at + j];
    }
  }
}

/** A·B in float32 with the sum over chunks of the inner axis in float64. */
function multiplyInTensors(
  a: Float64Array,
  b: Float32Array,
  rows: number,
  inner: number,
  columns: number,
): Float64Array {
  const out = new Float64Array(rows * columns);
  for (let from = 0; from < inner; from += MAX_CHUNK_COLUMNS) {
    const count = Math.min(MAX_CHUNK_COLUMNS, inner - from);
    const left = new Float32Array(rows * count);
    for (let i = 0; i < rows; i++)
      left.set(a.subarray(i * inner + from, i * inner + from + count), i * count);
    const right = b.subarray(from * columns, (from + count) * columns);
    const product = readAndDispose(() =>
      tf.matMul(tf.tensor2d(left, [rows, count]), tf.tensor2d(right, [count, columns])),
    );
    for (let i = 0; i < out.length; i++) out[i] += product[i];
  }
  return out;
}

/** The values of a result. Not returned through tf.tidy, which walks every entry of an array in search of tensors. */
function readAndDispose(compute: () => tf.Tensor): Float32Array {
  const result = tf.tidy(compute);
  try {
    return result.dataSync<"float32">();
  } finally {
    result.dispose();
  }
}
