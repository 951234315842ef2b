import type { LandscapeWarning } from "../../base/warning.js";
import type { ParameterLayout } from "../../model/layout.js";
import type { RunManifest } from "../../model/manifest.js";

/** What a snapshot file says beside θ (one row of the run's index). */
export interface SnapshotInfo {
  /** Ordinal from 0; equals the file's number. */
  readonly step: number;
  /** Completed epochs. */
  readonly epoch: number;
  /** Optimizer updates done. */
  readonly iteration: number;
  /** Milliseconds since 1970, UTC. */
  readonly time: number;
  /** Learning rate used for the updates that led here; NaN if unknown. */
  readonly learningRate: number;
  /** Logs by name; empty at step 0, values may be non-finite. */
  readonly logs: Readonly<Record<string, number>>;
}

/** A snapshot to be written: its facts and θ (parameterCount, float32, in layout order). */
export interface Snapshot extends SnapshotInfo {
  readonly theta: Float32Array;
}

/** A run directory opened for reading: facts in memory, weights read on demand. */
export interface Run {
  /** Absolute path of the run directory. */
  readonly directory: string;
  readonly manifest: RunManifest;
  readonly layout: ParameterLayout;
  /** Complete snapshots in order of `step`. */
  readonly snapshots: readonly SnapshotInfo[];
  readonly warnings: readonly LandscapeWarning[];
  /** Whether it is only a part of the run in the directory: see `partOfRun`. Default false. */
  readonly isPart?: boolean;

  /**
   * Reads entries [start, start + out.length) of θ of the snapshot at position `index` into `out`,
   * touching only those bytes of the file. float16 is widened.
   */
  readThetaInto(index: number, start: number, out: Float32Array): Promise<void>;

  /** Reads the whole θ (parameterCount) of the snapshot at position `index`, verifying its sha-256. */
  readTheta(index: number): Promise<Float32Array>;

  /** sha-256 (hex) of the stored bytes of θ of the snapshot at position `index`. */
  thetaDigest(index: number): string;

  /** sha-256 (hex) over the layout digest and every snapshot's θ digest: the identity of the data. */
  digest(): Promise<string>;

  /** Closes the files that are open; reading opens them again. Only programs with many runs need it. */
  close(): Promise<void>;
}
