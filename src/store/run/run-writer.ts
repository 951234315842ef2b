import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { InvalidDataError, InvalidOptionError, RunStateError } from "../../base/errors.js";
import type { ParameterLayout } from "../../model/layout.js";
import type { RunDescription, RunManifest } from "../../model/manifest.js";
import { explainingWrites } from "../arrow/atomic-file.js";
import { type SnapshotTarget, writeSnapshotFile } from "./encode-snapshot.js";
import { writeManifest } from "./manifest-file.js";
import {
  continueRun,
  type DirectoryState,
  inspectDirectory,
  type PreparedRun,
  replaceRun,
  startRun,
} from "./prepare-run.js";
import type { Snapshot, SnapshotInfo } from "./run.js";
import { lockRun, type RunLock } from "./run-lock.js";

/** Options of {@link createRunWriter}. */
export interface RunWriterOptions {
  /** Replaces a run that is in the directory. Default false: such a run is an error. */
  readonly overwrite?: boolean;
  /** Appends to the run in the directory, or starts one where there is none. Default false. */
  readonly resume?: boolean;
}

/** Writes snapshots into a run directory, one after another. */
export interface RunWriter {
  /** Absolute path of the run directory. */
  readonly directory: string;
  readonly layout: ParameterLayout;
  /** What a thread needs to write snapshots of this run by itself. */
  readonly target: SnapshotTarget;
  /** Contents of run.json as last written. */
  readonly manifest: RunManifest;
  /** Ordinal that the next snapshot must have. */
  readonly nextStep: number;
  /** The last snapshot of the run that is continued (`resume`), or null. */
  readonly resumedFrom: SnapshotInfo | null;

  /**
   * Writes a snapshot; resolves when it is safely on disk. Calls run in their order. θ is copied
   * at once and may change afterwards; each call that is not awaited holds one copy.
   *
   * @throws {@link RunStateError} if the writer is closed or `step` is not `nextStep`.
   * @throws {@link InvalidDataError} if θ has the wrong length or a fact cannot be stored.
   */
  writeSnapshot(snapshot: Snapshot): Promise<void>;

  /** Changes facts in run.json, atomically; layout and element type are fixed. */
  updateManifest(patch: ManifestPatch): Promise<void>;

  /** Waits for what is being written and gives the directory free. Idempotent. */
  close(): Promise<void>;
}

/** What may change in run.json after a run was made. */
export type ManifestPatch = Partial<
  Omit<RunManifest, "format" | "formatVersion" | "createdAt" | "layout" | "dtype">
>;

/**
 * Makes a run directory, or continues one, and returns its writer.
 *
 * A run that is there already is touched only with `overwrite` or `resume`; other files never are.
 *
 * @param directory - made with its parents where it does not exist.
 * @param description - contents of run.json; with `resume` only layout and dtype (which must agree) and
 *   optimizer, fit and backend (noted as a resume) count.
 * @throws {@link InvalidOptionError} if both `overwrite` and `resume` are given.
 * @throws {@link RunStateError} if there is a run and neither is given, if the directory holds other
 *   files, or if another process writes there.
 * @throws {@link LayoutError} if a run to be resumed has another layout or dtype.
 * @throws {@link FormatError} if a run to be resumed is damaged.
 * @example
 * const writer = await createRunWriter("runs/copy", { ...run.manifest, name: "a copy" });
 * await writer.close();
 */
export async function createRunWriter(
  directory: string,
  description: RunDescription,
  options: RunWriterOptions = {},
): Promise<RunWriter> {
  const root = resolve(directory);
  if (options.overwrite === true && options.resume === true) {
    throw new InvalidOptionError("resume", "not to be given together with overwrite", "true");
  }
  const state = await inspectDirectory(root);
  if (state === "run" && options.overwrite !== true && options.resume !== true) {
    const hint = "pass overwrite: true to replace it or resume: true to continue it";
    throw new RunStateError(root, "no run there yet", "an existing run", { hint });
  }
  const lock = await explainingWrites(root, async () => {
    await mkdir(root, { recursive: true });
    return lockRun(root);
  });
  try {
    const prepared = await prepare(root, state, description, options);
    return new DirectoryRunWriter(root, prepared, lock);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

function prepare(
  root: string,
  state: DirectoryState,
  description: RunDescription,
  options: RunWriterOptions,
): Promise<PreparedRun> {
  if (state !== "run") return startRun(root, description);
  return options.resume === true ? continueRun(root, description) : replaceRun(root, description);
}

class DirectoryRunWriter implements RunWriter {
  readonly directory: string;
  readonly target: SnapshotTarget;
  readonly resumedFrom: SnapshotInfo | null;
  readonly #lock: RunLock;
  #manifest: RunManifest;
  #nextStep: number;
  #tail: Promise<void> = Promise.resolve();
  #closing: Promise<void> | null = null;

  constructor(directory: string, prepared: PreparedRun, lock: RunLock) {
    const { manifest, snapshots } = prepared;
    this.directory = directory;
    this.target = { directory, layoutDigest: manifest.layout.digest, dtype: manifest.dtype };
    this.resumedFrom = snapshots.at(-1) ?? null;
    this.#lock = lock;
    this.#manifest = manifest;
    this.#nextStep = snapshots.length;
  }

  get layout(): ParameterLayout {
    return this.#manifest.layout;
  }

  get manifest(): RunManifest {
    return this.#manifest;
  }

  get nextStep(): number {
    return this.#nextStep;
  }

  async writeSnapshot(snapshot: Snapshot): Promise<void> {
    const own = { ...snapshot, theta: snapshot.theta.slice() };
    return this.#enqueue(async () => {
      this.#check(own);
      await writeSnapshotFile(this.target, own);
      this.#nextStep++;
    });
  }

  updateManifest(patch: ManifestPatch): Promise<void> {
    return this.#enqueue(async () => {
      this.#manifest = await writeManifest(this.directory, { ...this.#manifest, ...patch });
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#tail.then(() => this.#lock.release());
    return this.#closing;
  }

  #enqueue(work: () => Promise<void>): Promise<void> {
    if (this.#closing !== null) {
      return Promise.reject(new RunStateError(this.directory, "an open writer", "a closed one"));
    }
    const done = this.#tail.then(() => {
      this.#lock.check();
      return work();
    });
    // The caller gets the rejection; the queue goes on, and the check of `step` keeps out a gap.
    this.#tail = done.catch(() => undefined);
    return done;
  }

  #check({ step, theta }: Snapshot): void {
    if (step !== this.#nextStep) {
      throw new RunStateError(this.directory, `snapshot ${this.#nextStep} next`, `snapshot ${step}`);
    }
    const { parameterCount } = this.layout;
    if (theta.length !== parameterCount) {
      const got = `${theta.length}`;
      throw new InvalidDataError(`snapshot ${step}: theta`, `${parameterCount} weights`, got);
    }
  }
}
