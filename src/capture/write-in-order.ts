import { access } from "node:fs/promises";
import { type SnapshotTarget, writeSnapshotFile } from "../store/run/encode-snapshot.js";
import { manifestPath } from "../store/run/manifest-file.js";
import type { Snapshot } from "../store/run/run.js";

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

/** Returns a function that writes a run's snapshots in the order of its calls, until one fails. */
export function createSnapshotWriter(target: SnapshotTarget): WriteSnapshot {
  return writeInOrder(async (snapshot) => {
    // A run directory that was deleted must not come back as a folder of snapshots without a manifest.
    await access(manifestPath(target.directory));
    await writeSnapshotFile(target, snapshot);
  });
}
