import { writeFileAtomic } from "./atomic-file.js";
import { encodeSnapshot } from "./encode-snapshot.js";
import type { Snapshot } from "./run.js";
import { snapshotPath } from "./snapshot-path.js";
import type { ThetaDtype } from "./snapshot-schema.js";

/** Where and how snapshots are written: plain data, so that a worker thread can be told. */
export interface SnapshotTarget {
  /** Run directory. */
  readonly directory: string;
  /** Digest of the layout that orders θ. */
  readonly layoutDigest: string;
  /** Element type of θ in the file. */
  readonly dtype: ThetaDtype;
}

/**
 * Encodes, hashes and writes a snapshot to its file in a run directory, atomically; resolves when it is
 * safely on disk.
 *
 * Needs nothing of the thread it is called in: a worker thread may run it.
 *
 * @throws {@link InvalidDataError} if the snapshot cannot be encoded; nothing is written then.
 */
export async function writeSnapshotFile(target: SnapshotTarget, snapshot: Snapshot): Promise<void> {
  const bytes = encodeSnapshot(snapshot, target.layoutDigest, target.dtype);
  await writeFileAtomic(snapshotPath(target.directory, snapshot.step), bytes);
}
