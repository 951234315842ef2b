import * as tf from "@tensorflow/tfjs";
import { seededUniform, shuffledOrder } from "./seeded-uniform.js";

/**
 * All sums a + b modulo p, a share of them for training and the rest for testing: the task on which small transformers
 * first memorize and much later generalize.
 *
 * A sample is three tokens: a (0 … p − 1), b (p … 2p − 1) and "=" (2p); its label is (a + b) mod p, one-hot.
 *
 * @param {{ modulus: number, trainingShare?: number, seed?: number }} options - Which pairs train follows from the seed.
 * @returns {{ train: { xs: tf.Tensor2D, ys: tf.Tensor2D }, test: { xs: tf.Tensor2D, ys: tf.Tensor2D } }} Tokens (n, 3)
 *   and labels (n, p). The caller disposes them.
 * @throws {Error} if the modulus is not an integer of at least 2 or the share leaves a part empty.
 * @see Power et al. 2022, "Grokking: generalization beyond overfitting on small algorithmic datasets".
 */
export function createModularAddition({ modulus, trainingShare = 0.5, seed = 1 }) {
  if (!(Number.isInteger(modulus) && modulus >= 2)) {
    throw new Error(`modulus: expected an integer of at least 2, got ${modulus}`);
  }
  const order = shuffledOrder(modulus ** 2, seededUniform(seed));
  const count = Math.round(trainingShare * order.length);
  if (!(count > 0 && count < order.length)) {
    throw new Error(`trainingShare: expected a share that leaves both parts pairs, got ${trainingShare}`);
  }
  const part = (pairs) => {
    const tokens = Array.from(pairs, (pair) => [
      Math.floor(pair / modulus),
      modulus + (pair % modulus),
      2 * modulus,
    ]);
    const sums = Int32Array.from(pairs, (pair) => (Math.floor(pair / modulus) + pair) % modulus);
    return {
      xs: tf.tensor2d(tokens),
      ys: tf.tidy(() => tf.oneHot(tf.tensor1d(sums, "int32"), modulus).toFloat()),
    };
  };
  return { train: part(order.subarray(0, count)), test: part(order.subarray(count)) };
}
