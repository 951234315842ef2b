import { setImmediate } from "node:timers/promises";

/**
 * Lets timers, messages and signals in between two batches: a backend that computes within the call would
 * starve them, and an abort would be noticed at the end. Without a signal there is nothing to wait for.
 *
 * @throws the signal's reason once it is aborted.
 */
export async function betweenBatches(signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return;
  await setImmediate();
  signal.throwIfAborted();
}
