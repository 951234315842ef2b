import { stat } from "node:fs/promises";
import { restrictVector, selectColumns } from "../directions/column-selection.js";
import type { RunManifest } from "../model/manifest.js";
import { withFileReader } from "../store/arrow/arrow-layout.js";
import { isMissing, readRegularFile } from "../store/arrow/regular-file.js";
import { decodeSnapshot, readSnapshotHeader } from "../store/run/decode-snapshot.js";
import { manifestPath, readManifest } from "../store/run/manifest-file.js";
import type { SnapshotInfo } from "../store/run/run.js";
import { isRunInUse } from "../store/run/run-lock.js";
import { snapshotPath } from "../store/run/snapshot-schema.js";

/**
 * Reads a run directory while another thread or process writes it: each call looks for what is new.
 *
 * Snapshots are complete or not there, so that nothing half-written is ever seen. A run that is replaced by
 * another one (`overwrite`) begins anew.
 */
export class RunFollower {
  readonly #directory: string;
  #manifest: RunManifest | null = null;
  #manifestStamp = "";
  #snapshots: SnapshotInfo[] = [];
  #isInUse = false;
  #generation = 0;

  /** @param directory - absolute path of the run. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The run's description; null before the first successful look. */
  get manifest(): RunManifest | null {
    return this.#manifest;
  }

  /** Facts of the snapshots that are there. */
  get snapshots(): readonly SnapshotInfo[] {
    return this.#snapshots;
  }

  /** Whether a living process writes the run. */
  get isInUse(): boolean {
    return this.#isInUse;
  }

  /** Counts the runs that were in the directory: what is known of another generation is void. */
  get generation(): number {
    return this.#generation;
  }

  /**
   * Looks for new snapshots; returns whether anything has changed.
   *
   * @throws {@link RunStateError} if there has never been a run; {@link FormatError} if a file is damaged.
   */
  async look(): Promise<boolean> {
    const before = [this.#snapshots.length, this.#isInUse, this.#generation].join();
    await this.#lookAtManifest();
    // Before the snapshots: what a writer that is done has written is seen in the same look.
    this.#isInUse = await isRunInUse(this.#directory);
    for (;;) {
      const info = await this.#nextSnapshot();
      if (info === null) break;
      this.#snapshots.push(info);
    }
    return before !== [this.#snapshots.length, this.#isInUse, this.#generation].join();
  }

  /** The trainable weights of a snapshot, verified. */
  async readTheta(step: number): Promise<Float32Array> {
    const file = snapshotPath(this.#directory, step);
    const { theta } = await decodeSnapshot(await readRegularFile(file), file);
    return this.#manifest === null ? theta : restrictVector(theta, selectColumns(this.#manifest.layout));
  }

  async #lookAtManifest(): Promise<void> {
    const stamp = await stampOf(manifestPath(this.#directory));
    // A run that is being replaced is gone for a moment: what is shown stays until the next one is there.
    if (stamp === null && this.#manifest !== null) return;
    if (stamp !== null && stamp === this.#manifestStamp) return;
    const manifest = await readManifest(this.#directory);
    const isOther = manifest.createdAt !== this.#manifest?.createdAt;
    if (isOther) {
      this.#snapshots = [];
      this.#generation++;
    }
    this.#manifest = manifest;
    this.#manifestStamp = stamp ?? "";
  }

  async #nextSnapshot(): Promise<SnapshotInfo | null> {
    const file = snapshotPath(this.#directory, this.#snapshots.length);
    try {
      return (await withFileReader(file, file, readSnapshotHeader)).info;
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }
}

/** Null where there is none that can be looked at: whoever reads it says why. */
async function stampOf(file: string): Promise<string | null> {
  try {
    const { ino, mtimeMs, size } = await stat(file);
    return `${ino}-${mtimeMs}-${size}`;
  } catch {
    return null;
  }
}
