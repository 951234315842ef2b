import * as tf from "@tensorflow/tfjs";
import { loadMnist } from "../data/mnist.js";
import { seededUniform } from "./seeded-uniform.js";

/** Flat images of 14 by 14 pixels (n, 196) and one-hot labels (n, 10). */
export interface LabelledImages {
  readonly xs: tf.Tensor2D;
  readonly ys: tf.Tensor2D;
}

/** Loads the first images of a part of MNIST, each as one row of means over 2 by 2 pixels. */
export function loadImages(split: "train" | "test", count: number): LabelledImages {
  const { xs, ys } = loadMnist({ split, count });
  const rows = tf.tidy(() => tf.avgPool(xs, 2, 2, "valid").reshape([count, 196])) as tf.Tensor2D;
  xs.dispose();
  return { xs: rows, ys };
}

/** Returns the same images with a share of the labels replaced by another digit each. */
export function corruptLabels({ xs, ys }: LabelledImages, share: number, seed: number): LabelledImages {
  const uniform = seededUniform(seed);
  const labels = Array.from(tf.tidy(() => ys.argMax(1).dataSync()));
  const corrupted = labels.map((label) =>
    uniform() < share ? (label + 1 + Math.floor(9 * uniform())) % 10 : label,
  );
  return { xs, ys: tf.tidy(() => tf.oneHot(tf.tensor1d(corrupted, "int32"), 10).toFloat()) as tf.Tensor2D };
}

/** All images in batches, in another order each epoch that follows from the seed. */
export function shuffledBatches(
  { xs, ys }: LabelledImages,
  batchSize: number,
  seed: number,
): tf.data.Dataset<tf.TensorContainer> {
  const uniform = seededUniform(seed);
  const count = xs.shape[0];
  function* batches() {
    const keys = Array.from({ length: count }, uniform);
    const order = Int32Array.from(keys.keys()).sort((a, b) => (keys[a] as number) - (keys[b] as number));
    for (let start = 0; start < count; start += batchSize) {
      yield tf.tidy(() => {
        const rows = tf.tensor1d(order.subarray(start, start + batchSize), "int32");
        return { xs: tf.gather(xs, rows), ys: tf.gather(ys, rows) };
      });
    }
  }
  // The types ask for an iterator that never returns a value; a generator's final undefined is one.
  return tf.data.generator(batches as unknown as () => Promise<Iterator<tf.TensorContainer>>);
}
