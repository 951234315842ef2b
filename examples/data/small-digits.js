import * as tf from "@tensorflow/tfjs";
import { loadMnist } from "./mnist.js";

/**
 * Loads the first images of a part of MNIST at half their size, so that a small ResNet trains in a minute.
 *
 * @param {"train" | "test"} split
 * @param {number} count
 * @returns {{ xs: tf.Tensor4D, ys: tf.Tensor2D }} Images (count, 14, 14, 1) and one-hot labels. The caller disposes both.
 */
export function loadSmallDigits(split, count) {
  const { xs, ys } = loadMnist({ split, count });
  const small = tf.tidy(() => tf.avgPool(xs, 2, 2, "valid"));
  xs.dispose();
  return { xs: small, ys };
}

/** The evaluation set: the first 2,000 training images. */
export function loadData() {
  return loadSmallDigits("train", 2000);
}

/** The held-out set: the first 2,000 test images. */
export function loadTestData() {
  return loadSmallDigits("test", 2000);
}
