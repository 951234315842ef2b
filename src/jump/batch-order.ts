import { createUniform } from "../math/random.js";

/**
 * Returns the samples of each update of one epoch after another: every sample once an epoch, in an order that
 * follows from the seed alone. The last batch may be smaller.
 */
export function createBatchOrder(samples: number, batchSize: number, seed: number): () => Int32Array[] {
  const next = createUniform(seed, "jump", "batches");
  const order = Int32Array.from({ length: samples }, (_, index) => index);
  return () => {
    for (let last = samples - 1; last > 0; last--) {
      const other = Math.floor(next() * (last + 1));
      const held = order[last] as number;
      order[last] = order[other] as number;
      order[other] = held;
    }
    const batches = Math.ceil(samples / batchSize);
    return Array.from({ length: batches }, (_, i) => order.slice(i * batchSize, (i + 1) * batchSize));
  };
}
