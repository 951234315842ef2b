import { InvalidDataError } from "../../base/errors.js";
import { sha256 } from "../../base/provenance.js";
import {
  encodeArrowFile,
  type FileParts,
  fixedSizeListData,
  float16Data,
  float32Data,
  float64Data,
  int32Data,
  mapRowData,
} from "../arrow/arrow-data.js";
import { writeFileAtomic } from "../arrow/atomic-file.js";
import type { Snapshot } from "./run.js";
import {
  narrowToFloat16,
  snapshotColumns,
  snapshotMetadata,
  snapshotPath,
  type ThetaDtype,
} from "./snapshot-schema.js";

/**
 * Encodes a snapshot as an Arrow IPC file of one row, hashing θ and the facts beside it.
 *
 * Pure: it may run in a worker thread.
 *
 * @param layoutDigest - digest of the layout that orders θ.
 * @param dtype - element type of θ in the file; float16 rounds to nearest even.
 * @throws {@link InvalidDataError} if a count is not an int32, a log is not a number, θ is empty or
 *   (float16) has a finite entry beyond 65504.
 */
export function encodeSnapshot(snapshot: Snapshot, layoutDigest: string, dtype: ThetaDtype): FileParts {
  const where = `snapshot ${snapshot.step}`;
  const { theta } = snapshot;
  if (theta.length === 0) throw new InvalidDataError(where, "at least one weight", "none");
  const child = dtype === "float16" ? float16Data(narrowToFloat16(theta, where)) : float32Data(theta);
  const thetaSha256 = sha256(child.values);
  for (const [name, value] of Object.entries(snapshot.logs)) checkNumber(`${where}: logs.${name}`, value);
  const columns = Object.keys(snapshotColumns).map((column) => {
    const name = column as keyof typeof snapshotColumns;
    switch (name) {
      case "theta":
        return { name, data: fixedSizeListData(child, theta.length) };
      case "logs":
        return { name, data: mapRowData(snapshot.logs) };
      case "time":
      case "learningRate":
        return { name, data: float64Data(Float64Array.of(checkNumber(`${where}: ${name}`, snapshot[name]))) };
      default:
        return { name, data: int32Data(Int32Array.of(checkCount(`${where}: ${name}`, snapshot[name]))) };
    }
  });
  const facts = { dtype, parameterCount: theta.length, sha256: thetaSha256 };
  return encodeArrowFile(columns, snapshotMetadata(snapshot, facts, layoutDigest));
}

function checkCount(where: string, value: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= 0x7fffffff) return value;
  throw new InvalidDataError(where, "an integer from 0 to 2147483647", String(value));
}

function checkNumber(where: string, value: unknown): number {
  if (typeof value === "number") return value;
  throw new InvalidDataError(where, "a number", typeof value);
}

/** Returns the sha-256 (hex) of θ's bytes as a snapshot file of that element type holds them. */
export function storedThetaDigest(theta: Float32Array, dtype: ThetaDtype, where: string): string {
  return sha256(dtype === "float16" ? narrowToFloat16(theta, where) : theta);
}

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
  const parts = encodeSnapshot(snapshot, target.layoutDigest, target.dtype);
  await writeFileAtomic(snapshotPath(target.directory, snapshot.step), parts);
}
