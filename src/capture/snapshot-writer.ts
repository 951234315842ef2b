import { access } from "node:fs/promises";
import { manifestPath } from "../store/manifest-file.js";
import { type SnapshotTarget, writeSnapshotFile } from "../store/write-snapshot-file.js";
import { type WriteSnapshot, writeInOrder } from "./write-in-order.js";

/** Returns a function that writes a run's snapshots in the order of its calls, until one fails. */
export function createSnapshotWriter(target: SnapshotTarget): WriteSnapshot {
  return writeInOrder(async (snapshot) => {
    // A run directory that was deleted must not come back as a folder of snapshots without a manifest.
    await access(manifestPath(target.directory));
    await writeSnapshotFile(target, snapshot);
  });
}
