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

/** Snapshots whose headers are read at the same time. */
const HEADERS_AT_ONCE = 16;

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
    while (await this.#takeNext(1)) {
      // Where there is one there may be thousands: a run that is opened late.
      if (!(await this.#takeNext(HEADERS_AT_ONCE))) break;
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

  /**
   * Takes up to `count` further snapshots, read at the same time; returns whether there were as many. Those before one
   * that cannot be read are taken.
   */
  async #takeNext(count: number): Promise<boolean> {
    const first = this.#snapshots.length;
    const files = Array.from({ length: count }, (_, i) => snapshotPath(this.#directory, first + i));
    const found = await Promise.allSettled(
      files.map((file) => withFileReader(file, file, readSnapshotHeader)),
    );
    for (const one of found) {
      if (one.status === "fulfilled") this.#snapshots.push(one.value.info);
      else if (isMissing(one.reason)) return false;
      else throw one.reason;
    }
    return true;
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
