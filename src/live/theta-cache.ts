/** Bytes of weights that are kept in memory; others are read from disk when they are needed. */
const CACHE_BYTES = 128 * 2 ** 20;

/** Returns a reader that keeps the first rows it has read or been given, as far as they fit into `bytes`. */
export function createThetaCache(
  read: (step: number) => Promise<Float32Array>,
  bytes: number = CACHE_BYTES,
): { readonly read: (step: number) => Promise<Float32Array>; keep(step: number, theta: Float32Array): void } {
  const kept = new Map<number, Float32Array>();
  let held = 0;
  return {
    read: async (step) => kept.get(step) ?? (await read(step)),
    keep(step, theta) {
      if (held + theta.byteLength > bytes) return;
      kept.set(step, theta);
      held += theta.byteLength;
    },
  };
}
