import { expect } from "vitest";

/** Batches that were begun, and what happens when one is. */
export interface BatchWatch {
  batches: number;
  onBatch: (batch: number) => void;
}

/** Aborts some work while a batch runs, where timers and messages come in; returns how many batches there were. */
export async function abortedAt(
  at: number,
  watch: BatchWatch,
  work: (signal: AbortSignal) => Promise<unknown>,
): Promise<number> {
  const controller = new AbortController();
  watch.batches = 0;
  watch.onBatch = (batch) => {
    if (batch === at) setImmediate(() => controller.abort(new Error("enough")));
  };
  await expect(work(controller.signal)).rejects.toThrow("enough");
  watch.onBatch = () => {};
  return watch.batches;
}
