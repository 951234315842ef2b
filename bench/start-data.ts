/** The data module of the start bench: 512 rows of 8 numbers and a smooth function of them, always the same. */
import * as tf from "@tensorflow/tfjs";

const ROWS = 512;
const COLUMNS = 8;

/** Inputs (512, 8) and targets (512, 1). */
export function loadData(): { readonly xs: tf.Tensor2D; readonly ys: tf.Tensor2D } {
  const numbers = Float32Array.from({ length: ROWS * COLUMNS }, (_, i) => ((i * 7919) % 1009) / 504.5 - 1);
  const targets = Float32Array.from({ length: ROWS }, (_, row) => {
    const [a = 0, b = 0, c = 0] = numbers.subarray(row * COLUMNS);
    return Math.sin(3 * a) + b * c;
  });
  return { xs: tf.tensor2d(numbers, [ROWS, COLUMNS]), ys: tf.tensor2d(targets, [ROWS, 1]) };
}
