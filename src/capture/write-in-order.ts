import type { Snapshot } from "../store/run.js";

/** Writes one snapshot and resolves when it is safely on disk. */
export type WriteSnapshot = (snapshot: Snapshot) => Promise<void>;

/**
 * Returns a function that writes snapshots one after another, whenever it is called; after the first
 * failure it writes no more and fails with the same error, so that the files on disk have no gap.
 */
export function writeInOrder(write: WriteSnapshot): WriteSnapshot {
  let tail: Promise<void> = Promise.resolve();
  return (snapshot) => {
    tail = tail.then(() => write(snapshot));
    // Whoever called gets the rejection; the chain itself must not count as unhandled.
    tail.catch(() => undefined);
    return tail;
  };
}
