import * as tf from "@tensorflow/tfjs";
import type { LinearAlgebra, SymmetricEigen } from "../../math/linear-algebra.js";
import { densityOf, mirrorLowerInto, rowGram } from "../../math/row-kernels.js";
import { currentBackend } from "../current-backend.js";
import { checkFinite, singularValuesInJs, symmetricEigenByQl } from "./decompositions.js";
import { jsLinearAlgebra } from "./js-linear-algebra.js";
import { createTensorLinearAlgebra, type GramPlan } from "./tensor-linear-algebra.js";

/** The part of the native addon that runs TensorFlow operations of any type. */
interface NativeBinding {
  readonly TF_INT32: number;
  readonly TF_ATTR_TYPE: number;
  readonly TF_ATTR_BOOL: number;
  createTensor(shape: readonly number[], type: number, values: Int32Array): number;
  deleteTensor(id: number): void;
  executeOp(
    name: string,
    attributes: readonly OperationAttribute[],
    inputs: readonly number[],
    outputs: number,
  ): { readonly id: number }[];
  tensorDataSync(id: number): Int32Array;
}

interface OperationAttribute {
  readonly name: string;
  readonly type: number;
  readonly value: number | boolean;
}

/** `TF_DOUBLE` of TensorFlow's C header; TF.js has no such type. */
const FLOAT64 = 2;
/** Below this size the JavaScript decompositions take less than the call. */
const NATIVE_FROM = 48;
/** Below this share of entries that are not 0, loops that skip zeros take less (measured at n = 500…2000). */
const DENSE_FROM = 0.1;
/** Below this size singular values are found to full accuracy, not through A·Aᵀ. */
const VALUES_ONLY_FROM = 200;

/**
 * Returns all eigenpairs of a symmetric matrix, largest eigenvalue first, by TensorFlow's `SelfAdjointEigV2` in
 * float64.
 *
 * @param matrix - (n, n), row-major; only its lower triangle counts.
 * @throws {@link InvalidDataError} if an entry is not finite.
 */
export function symmetricEigenNative(matrix: Float64Array, n: number): SymmetricEigen {
  if (n < NATIVE_FROM) return symmetricEigenByQl(matrix, n);
  checkFinite("symmetricEigen", matrix, n);
  return withFloat64((ops) => {
    const [values, columns] = ops.symmetricEigen(ops.upload(matrix, [n, n]), true);
    const ascending = ops.read(columns);
    const vectors = new Float64Array(n * n);
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < n; k++) vectors[i * n + k] = ascending[k * n + (n - 1 - i)];
    }
    return { values: ops.read(values).reverse(), vectors };
  });
}

/**
 * Returns the singular values of a matrix, non-increasing: from 200 rows and columns on as the roots of the
 * eigenvalues of A·Aᵀ (or AᵀA, whichever is smaller) by TensorFlow in float64, in which values below 6e-8 of the
 * largest come out as 0.
 *
 * Cost, 2 cores: 0.03 s for (500, 500), 0.12 s for (1000, 1000), 0.85 s for (2000, 2000).
 *
 * @param matrix - (rows, columns), row-major.
 * @throws {@link InvalidDataError} if an entry is not finite.
 */
export function singularValuesNative(matrix: Float64Array, rows: number, columns: number): Float64Array {
  const n = Math.min(rows, columns);
  if (n < VALUES_ONLY_FROM) return singularValuesInJs(matrix, rows, columns);
  checkFinite("singularValues", matrix, columns);
  // Where most entries are 0, as in a diffusion operator, the product takes less in JavaScript.
  const density = rows > columns ? 1 : densityOf(matrix);
  const product = density < DENSE_FROM ? rowGram(matrix, rows, columns, density) : undefined;
  const squares = withFloat64((ops) => {
    const gram =
      product === undefined
        ? ops.gram(ops.upload(matrix, [rows, columns]), rows > columns)
        : ops.upload(product, [n, n]);
    return ops.read(ops.symmetricEigen(gram, false)[0]).reverse();
  });
  const floor = 16 * Number.EPSILON * squares[0];
  return squares.map((value) => (value > floor ? Math.sqrt(value) : 0));
}

/**
 * Returns A·Aᵀ (rows, rows) by TensorFlow in float64; in JavaScript, skipping zeros, where most entries are 0.
 *
 * Cost, 2 cores, few zeros: 0.01 s for (500, 500), 0.2 s for (2000, 2000).
 *
 * @param matrix - (rows, columns), row-major.
 */
export function rowProductsNative(matrix: Float64Array, rows: number, columns: number): Float64Array {
  const density = densityOf(matrix);
  if (rows < NATIVE_FROM || density < DENSE_FROM) return rowGram(matrix, rows, columns, density);
  const gram = withFloat64((ops) => ops.read(ops.gram(ops.upload(matrix, [rows, columns]), false)));
  // The two triangles may differ in the last bit.
  mirrorLowerInto(gram, rows);
  return gram;
}

/** Operations on float64 tensors, each named by its number in the addon. */
interface Float64Operations {
  upload(values: Float64Array, shape: readonly number[]): number;
  /** A·Aᵀ, or AᵀA. */
  gram(matrix: number, ofColumns: boolean): number;
  /** Eigenvalues, ascending, and the matrix whose columns are the vectors (empty unless asked for). */
  symmetricEigen(matrix: number, withVectors: boolean): readonly [number, number];
  /** A copy of the values. */
  read(tensor: number): Float64Array;
}

/** Runs `compute`, then frees every tensor that it made, also if it throws. */
function withFloat64<T>(compute: (ops: Float64Operations) => T): T {
  const { binding } = tf.backend() as unknown as { readonly binding: NativeBinding };
  const made: number[] = [];
  const keep = (id: number) => {
    made.push(id);
    return id;
  };
  const type = (name: string, value: number) => ({ name, type: binding.TF_ATTR_TYPE, value });
  const flag = (name: string, value: boolean) => ({ name, type: binding.TF_ATTR_BOOL, value });
  const execute = (name: string, attributes: OperationAttribute[], inputs: number[], outputs: number) =>
    binding.executeOp(name, attributes, inputs, outputs).map(({ id }) => keep(id));
  // The addon makes and reads no float64 tensor: the bytes travel as pairs of int32.
  const recast = (id: number, from: number, to: number) =>
    execute("Bitcast", [type("T", from), type("type", to)], [id], 1)[0];
  try {
    return compute({
      upload(values, shape) {
        const words = new Int32Array(values.buffer, values.byteOffset, 2 * values.length);
        const id = keep(binding.createTensor([...shape, 2], binding.TF_INT32, words));
        return recast(id, binding.TF_INT32, FLOAT64);
      },
      gram(matrix, ofColumns) {
        const attributes = [
          type("T", FLOAT64),
          flag("transpose_a", ofColumns),
          flag("transpose_b", !ofColumns),
        ];
        return execute("MatMul", attributes, [matrix, matrix], 1)[0];
      },
      symmetricEigen(matrix, withVectors) {
        const attributes = [type("T", FLOAT64), flag("compute_v", withVectors)];
        const [values, vectors] = execute("SelfAdjointEigV2", attributes, [matrix], 2);
        return [values, vectors];
      },
      read(tensor) {
        // The addon returns a copy, in a buffer of its own.
        const words = binding.tensorDataSync(recast(tensor, FLOAT64, binding.TF_INT32));
        return new Float64Array(words.buffer, words.byteOffset, words.length / 2);
      },
    });
  } finally {
    for (const id of made) binding.deleteTensor(id);
  }
}

/** The plan for each backend that multiplies faster than plain loops, by its name. */
const PLANS: Readonly<Record<string, GramPlan>> = {
  native: { chunkValues: 409_600, panelRows: Number.POSITIVE_INFINITY, batch: 4 },
  wasm: { chunkValues: 409_600, panelRows: 34, batch: 1 },
};

const NATIVE_FLOAT64 = {
  rowProducts: rowProductsNative,
  symmetricEigen: symmetricEigenNative,
  singularValues: singularValuesNative,
};

/**
 * Returns the linear algebra of the active TF.js backend: native TensorFlow, WebAssembly or, for any other,
 * plain JavaScript. Call it after `selectBackend`.
 *
 * @example const { embedding } = await phate(input, createLinearAlgebra());
 */
export function createLinearAlgebra(): LinearAlgebra {
  const { name } = currentBackend();
  const plan = PLANS[name];
  if (plan === undefined) return jsLinearAlgebra;
  return createTensorLinearAlgebra(name, plan, name === "native" ? NATIVE_FLOAT64 : undefined);
}
