import * as tf from "@tensorflow/tfjs";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import type { Images } from "./mnist.js";

/**
 * Returns a data set that gives all images in batches, in another order each epoch.
 *
 * `model.fit` shuffles with Math.random; here the order follows from the seed, so that a demo run can be
 * repeated.
 */
export function seededBatches(
  images: Images,
  batchSize: number,
  seed: number,
): tf.data.Dataset<tf.TensorContainer> {
  const random = xoroshiro128plus(seed);
  const count = images.xs.shape[0];
  function* batches(): Generator<tf.TensorContainer> {
    const order = Int32Array.from({ length: count }, (_, index) => index);
    for (let last = count - 1; last > 0; last--) {
      const other = uniformInt(random, 0, last);
      [order[last], order[other]] = [order[other] as number, order[last] as number];
    }
    for (let start = 0; start < count; start += batchSize) {
      yield tf.tidy(() => {
        const rows = tf.tensor1d(order.subarray(start, start + batchSize), "int32");
        return { xs: tf.gather(images.xs, rows), ys: tf.gather(images.ys, rows) };
      });
    }
  }
  // The types ask for an iterator that never returns a value; a generator's final undefined is one.
  return tf.data.generator(batches as unknown as () => Promise<Iterator<tf.TensorContainer>>);
}
