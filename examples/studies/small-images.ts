import * as tf from "@tensorflow/tfjs";
import { loadMnist } from "../data/mnist.js";

/** Flat images of 14 by 14 pixels (n, 196) and one-hot labels (n, 10). */
export interface LabelledImages {
  readonly xs: tf.Tensor2D;
  readonly ys: tf.Tensor2D;
}

/** Loads the first images of a part of MNIST, each as one row of means over 2 by 2 pixels. */
export function loadSmallImages(split: "train" | "test", count: number): LabelledImages {
  const { xs, ys } = loadMnist({ split, count });
  const rows = tf.tidy(() => tf.avgPool(xs, 2, 2, "valid").reshape([count, 196])) as tf.Tensor2D;
  xs.dispose();
  return { xs: rows, ys };
}
