import { EigenvalueDecomposition, Matrix, SingularValueDecomposition } from "ml-matrix";
import type { LinearAlgebra } from "../../src/math/linear-algebra.js";

function matrix(values: Float64Array, rows: number, columns: number): Matrix {
  return Matrix.from1DArray(rows, columns, values);
}

/**
 * The linear-algebra port in plain loops, for tests of pure code. Products are rounded to float32 after
 * each block, as those of a TensorFlow.js backend are.
 */
export const plainLinearAlgebra: LinearAlgebra = {
  name: "plain",
  async addGramInto(gram, blocks, rows, columns, count = 1) {
    for (let b = 0; b < count; b++) {
      const block = blocks.subarray(b * rows * columns);
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < rows; j++) {
          let sum = 0;
          for (let c = 0; c < columns; c++) sum += block[i * columns + c] * block[j * columns + c];
          gram[i * rows + j] = gram[i * rows + j] + Math.fround(sum);
        }
      }
    }
  },
  async multiply(a, b, rows, inner, columns) {
    const out = new Float64Array(rows * columns);
    for (let i = 0; i < rows; i++) {
      for (let k = 0; k < inner; k++) {
        for (let j = 0; j < columns; j++) {
          out[i * columns + j] = out[i * columns + j] + a[i * inner + k] * b[k * columns + j];
        }
      }
    }
    return out;
  },
  async rowProducts(values, rows, columns) {
    const factor = matrix(values, rows, columns);
    return Float64Array.from(factor.mmul(factor.transpose()).to1DArray());
  },
  async symmetricEigen(values, n) {
    const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(matrix(values, n, n), {
      assumeSymmetric: true,
    });
    const order = Array.from({ length: n }, (_, i) => n - 1 - i);
    return {
      values: Float64Array.from(order, (i) => realEigenvalues[i]),
      vectors: Float64Array.from(order.flatMap((i) => eigenvectorMatrix.getColumn(i))),
    };
  },
  async singularValues(values, rows, columns) {
    return Float64Array.from(
      new SingularValueDecomposition(matrix(values, rows, columns), { autoTranspose: true }).diagonal,
    );
  },
};
