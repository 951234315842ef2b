import { f16round } from "@petamoriken/float16";
import type * as tf from "@tensorflow/tfjs";
import { InvalidOptionError, RunStateError } from "../base/errors.js";
import type { OptionNames } from "../base/option-names.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { BoundWeights } from "../model/bound-weights.js";
import { readLearningRate } from "../model/describe-training.js";
import type { LayoutOptions, ParameterLayout } from "../model/layout.js";
import type { RunManifest } from "../model/manifest.js";
import { type OptimizerState, readOptimizerState } from "../model/optimizer-state.js";
import type { SnapshotInfo } from "../store/run/run.js";
import type { CaptureSchedule, ScheduleRule } from "./schedule.js";
import type { WriteQueue } from "./write-queue.js";

/**
 * Says whether weights equal those read back from a snapshot, bit for bit (so that NaN equals NaN, and 0 is
 * not −0); for float16 after the rounding that writing brings.
 */
export function isSameTheta(theta: Float32Array, stored: Float32Array, dtype: RunManifest["dtype"]): boolean {
  if (theta.length !== stored.length) return false;
  if (dtype === "float16") {
    return theta.every((value, index) => Object.is(f16round(value), stored[index]));
  }
  const [a, b] = [bitsOf(theta), bitsOf(stored)];
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function bitsOf(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length);
}

/** Where training is when its weights are recorded. */
export interface RecorderPosition {
  /** Completed epochs. */
  readonly epoch: number;
  /** Optimizer updates done. */
  readonly iteration: number;
  /** Rate used for the updates that led here. Default: the optimizer's present one, NaN without one. */
  readonly learningRate?: number;
  /** Loss, metrics and whatever else is known here; values may be non-finite. Default none. */
  readonly logs?: Readonly<Record<string, number>>;
}

/** Weights as they were at one moment, to be written down later. */
export interface CapturedWeights {
  readonly theta: Float32Array;
  /** Milliseconds since 1970, UTC. */
  readonly time: number;
  /** What the optimizer kept, where it is recorded. */
  readonly optimizerState?: OptimizerState | undefined;
}

/** What a recorder is made of. */
export interface RecorderParts {
  readonly directory: string;
  readonly weights: BoundWeights;
  readonly queue: WriteQueue;
  readonly rule: ScheduleRule;
  readonly dtype: RunManifest["dtype"];
  readonly optimizer: tf.Optimizer | null;
  /** Whose state is recorded with the weights, or null. */
  readonly stateOf: tf.Optimizer | null;
  /** Ordinal of the first snapshot to be written. */
  readonly nextStep: number;
  /** The last snapshot of the run that is continued. */
  readonly resumedFrom: SnapshotInfo | null;
  /** θ of that snapshot, or null. */
  readonly resumedTheta: Float32Array | null;
  /** Reads θ of the snapshot of that ordinal back from disk. */
  readonly readBack: (step: number) => Promise<Float32Array>;
  /** Gives the run directory free. */
  readonly release: () => Promise<void>;
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * Records the weights of a training into a run directory: what callbacks and custom loops share.
 *
 * Weights are copied before a method first gives way, so that a loop need not wait for `record` to train
 * on; but waiting is what keeps the memory bounded when the disk is slower than the training. Hashing,
 * encoding and writing happen in a worker thread. A failure of the disk is thrown by the next call, or by
 * `close` at the latest; what was written before stays complete and readable. While snapshots are being
 * written the process stays alive; an idle recorder does not keep it.
 *
 * Made by {@link createTrajectoryRecorder}.
 */
export class TrajectoryRecorder {
  readonly #parts: RecorderParts;
  #step: number;
  #last: RecorderPosition | null;
  #resumedTheta: Float32Array | null;
  #asked = -1;
  #closing: Promise<void> | null = null;
  readonly #found: LandscapeWarning[] = [];

  constructor(parts: RecorderParts) {
    this.#parts = parts;
    this.#step = parts.nextStep;
    this.#last = parts.resumedFrom;
    this.#resumedTheta = parts.resumedTheta;
  }

  /** Absolute path of the run directory. */
  get directory(): string {
    return this.#parts.directory;
  }

  /** Order and meaning of the entries of θ, frozen when the recorder was made. */
  get layout(): ParameterLayout {
    return this.#parts.weights.layout;
  }

  /** The last snapshot of the run that is continued (`resume`), or null. */
  get resumedFrom(): SnapshotInfo | null {
    return this.#parts.resumedFrom;
  }

  /** Whether `close` has been called, by whom ever: nothing can be recorded any more. */
  get isClosed(): boolean {
    return this.#closing !== null;
  }

  /** When snapshots are due. */
  get schedule(): ScheduleRule {
    return this.#parts.rule;
  }

  /** What the user should know: no worker thread, a model without topology. */
  get warnings(): readonly LandscapeWarning[] {
    return [...this.#parts.warnings, ...this.#found];
  }

  /** Ordinal of the snapshot that is recorded next. */
  get nextStep(): number {
    return this.#step;
  }

  /** Returns a function that says whether the weights have been given other values since. */
  watch(): () => boolean {
    return this.#parts.weights.watch();
  }

  /**
   * Records the weights as they are now; resolves when there is room for another snapshot.
   *
   * @throws {@link InvalidOptionError} if the position holds something that is no number.
   * @throws {@link RunStateError} if the recorder is closed, or an earlier snapshot could not be written.
   */
  async record(position: RecorderPosition): Promise<void> {
    const checked = this.#check(position);
    await this.write(await this.capture(), checked);
  }

  /**
   * Records the weights if the schedule says so; returns whether it did. To be called once after every
   * update or once after every epoch; the first call records always (the initial weights).
   *
   * @throws as {@link record}.
   */
  async recordIfDue(position: RecorderPosition): Promise<boolean> {
    const checked = this.#check(position);
    const isFirst = this.#asked < 0;
    const count = this.schedule.unit === "epoch" ? position.epoch : position.iteration;
    const isDue = count !== this.#asked && count > 0 && this.schedule.isDue(count);
    this.#asked = count;
    if (isFirst) return this.writeInitial(await this.capture(), checked);
    if (isDue) await this.write(await this.capture(), checked);
    return isDue;
  }

  /** Waits until everything recorded so far is on disk. @throws as {@link record}. */
  async flush(): Promise<void> {
    await this.#parts.queue.drain();
  }

  /**
   * Waits for the disk and gives the run directory free. Idempotent.
   *
   * @param final - Where training ended: the final weights are recorded unless they are already.
   * @throws as {@link record}; the directory is free all the same.
   */
  close(final?: RecorderPosition): Promise<void> {
    this.#closing ??= this.#finish(final);
    return this.#closing;
  }

  /**
   * Copies the weights as they are now, before it gives way, to be handed to `write` or `writeInitial`; and the
   * optimizer's state, where it is recorded.
   *
   * @throws {@link RunStateError} if training went on before the state was read.
   */
  async capture(): Promise<CapturedWeights> {
    this.#assertOpen();
    return this.#capture();
  }

  async #capture(): Promise<CapturedWeights> {
    const { weights, queue, stateOf } = this.#parts;
    const captured = { theta: weights.readSync(queue.acquire()), time: Date.now() };
    if (stateOf === null) return captured;
    const hasOtherWeights = weights.watch();
    const optimizerState = await readOptimizerState(stateOf, weights);
    if (!hasOtherWeights()) return { ...captured, optimizerState };
    const hint = "await record() or recordIfDue() before the next update";
    throw new RunStateError(
      `${this.directory}: optimizerState`,
      "training to wait until its state is read",
      "another update meanwhile",
      { hint },
    );
  }

  /** Writes copied weights as the next snapshot; resolves when there is room for another one. */
  async write({ theta, time, optimizerState }: CapturedWeights, position: RecorderPosition): Promise<void> {
    const { epoch, iteration, logs = {} } = position;
    const learningRate = position.learningRate ?? readLearningRate(this.#parts.optimizer);
    this.#last = position;
    this.#resumedTheta = null;
    const step = this.#step++;
    await this.#parts.queue.push({ step, epoch, iteration, time, learningRate, logs, theta, optimizerState });
  }

  /**
   * Writes the initial snapshot, unless a resumed run already ends with the same weights. Returns whether it wrote.
   */
  async writeInitial(captured: CapturedWeights, position: RecorderPosition): Promise<boolean> {
    const last = this.#resumedTheta;
    this.#resumedTheta = null;
    if (last !== null && this.#last?.iteration === position.iteration) {
      if (isSameTheta(captured.theta, last, this.#parts.dtype)) {
        this.#parts.queue.release(captured.theta);
        return false;
      }
    }
    if (last !== null && !isSameTheta(captured.theta, last, this.#parts.dtype)) this.#warnOfOtherWeights();
    await this.write(captured, position);
    return true;
  }

  #warnOfOtherWeights(): void {
    const step = this.#step - 1;
    const message = `${this.directory}: the run goes on from other weights than those of its last snapshot (${step}): the path has a jump there. To continue, give the model the weights of that snapshot first (openRun, readTheta, assignWeights).`;
    this.#found.push({ code: "resumed-elsewhere", message });
  }

  /** Writes the final weights unless the last snapshot is of the same update and has the same bits. */
  async #writeFinal(position: RecorderPosition): Promise<void> {
    const { queue, readBack, dtype } = this.#parts;
    const captured = await this.#capture();
    if (this.#step > 0 && this.#last?.iteration === position.iteration) {
      await queue.drain();
      if (isSameTheta(captured.theta, await readBack(this.#step - 1), dtype)) return;
      // Put in place after the last update ("restore best weights"): what was logged is that of other weights, and so
      // is the optimizer's state.
      await this.write({ ...captured, optimizerState: undefined }, { ...position, logs: {} });
      return;
    }
    await this.write(captured, position);
  }

  async #finish(final: RecorderPosition | undefined): Promise<void> {
    try {
      if (final !== undefined) await this.#writeFinal(checkPosition(final));
    } finally {
      try {
        await this.#parts.queue.close();
      } finally {
        await this.#parts.release();
      }
    }
  }

  #check(position: RecorderPosition): RecorderPosition {
    this.#assertOpen();
    return checkPosition(position);
  }

  #assertOpen(): void {
    if (this.#closing === null) return;
    throw new RunStateError(this.directory, "an open recorder", "one that is closed");
  }
}

const INT32_MAX = 2 ** 31 - 1;

function checkPosition(position: RecorderPosition): RecorderPosition {
  const { epoch, iteration, learningRate, logs } = position;
  for (const [name, count] of Object.entries({ epoch, iteration })) {
    if (!(Number.isSafeInteger(count) && count >= 0 && count <= INT32_MAX)) {
      throw new InvalidOptionError(name, `an integer from 0 to ${INT32_MAX}`, show(count));
    }
  }
  if (learningRate !== undefined && typeof learningRate !== "number") {
    throw new InvalidOptionError("learningRate", "a number", show(learningRate));
  }
  for (const [name, value] of Object.entries(logs ?? {})) {
    if (typeof value !== "number") {
      const hint = "read tensors with (await tensor.data())[0]";
      throw new InvalidOptionError(`logs.${name}`, "a number", show(value), { hint });
    }
  }
  return position;
}

function show(value: unknown): string {
  if (typeof value === "number") return String(value);
  return typeof value === "object" && value !== null ? `a ${value.constructor?.name}` : String(value);
}

/** What a callback and a recorder for custom loops have in common. */
export interface CaptureOptions extends LayoutOptions {
  /** Run directory to write; made with its parents where it does not exist. Required. */
  readonly directory: string;
  /** Name of the run, for titles. Default: the directory's last part. */
  readonly name?: string;
  /** When to record between the initial and the final weights. Default: after every epoch. */
  readonly schedule?: CaptureSchedule;
  /** Number format on disk. float16 halves the files and keeps about 3 digits. Default "float32". */
  readonly dtype?: RunManifest["dtype"];
  /** Replaces a run that is in the directory. Default false: such a run is an error. */
  readonly overwrite?: boolean;
  /**
   * Appends to the run in the directory, whose weights must be the same ones (which of them are trainable may
   * differ), and starts one where there is none; the optimizer's state is not restored. "process": appends only to
   * a run that this process began, so that trainings in a loop make one run and the next start of the program
   * begins anew (with `overwrite`) or finds that there is a run. Default false.
   */
  readonly resume?: boolean | "process";
  /**
   * What `fit` is called with and does not tell its callbacks, to be written down: `{ classWeight }`, or that
   * samples are weighted or augmented. Default none.
   */
  readonly fit?: Readonly<Record<string, unknown>>;
  /** Seed that the program used, to be written down; 0 is a seed. Default none. */
  readonly seed?: number;
  /**
   * Snapshots that may wait for the disk before training waits too. Default: as many as fit into 256 MiB,
   * 2 at least and 64 at most.
   */
  readonly maxPending?: number;
  /**
   * Records what the optimizer keeps (moments, momentum) beside each snapshot, as float32: twice as much again on the
   * disk for Adam. The stability of adaptive optimizers, and their directions, are computed from it. Custom loops must
   * wait for `record`. Default false.
   */
  readonly optimizerState?: boolean;
}

/** The names of all {@link CaptureOptions}. */
export const CAPTURE_OPTION_NAMES: OptionNames<CaptureOptions> = {
  directory: true,
  name: true,
  schedule: true,
  dtype: true,
  overwrite: true,
  resume: true,
  fit: true,
  seed: true,
  maxPending: true,
  optimizerState: true,
  select: true,
  describe: true,
};

/** Bytes of θ that may wait for the disk unless said otherwise. */
const PENDING_BYTES = 256 * 2 ** 20;

/**
 * Checks every capture option that can be checked without a model.
 *
 * @throws {@link InvalidOptionError} naming the first option that cannot be used.
 */
export function checkCaptureOptions(options: CaptureOptions): void {
  const { directory, name, select, describe, dtype, overwrite, resume, fit, seed, maxPending } = options;
  check("directory", typeof directory === "string" && directory !== "", "a path", directory);
  check("name", name === undefined || (typeof name === "string" && name !== ""), "a name", name);
  check("select", select === undefined || typeof select === "function", "a function", select);
  check("describe", describe === undefined || typeof describe === "function", "a function", describe);
  check("dtype", [undefined, "float32", "float16"].includes(dtype), '"float32" or "float16"', dtype);
  check("overwrite", [undefined, true, false].includes(overwrite), "true or false", overwrite);
  check("resume", [undefined, true, false, "process"].includes(resume), 'true, false or "process"', resume);
  check("resume", !(resume === true && overwrite), "not to be given together with overwrite", resume);
  check("fit", fit === undefined || (typeof fit === "object" && fit !== null), "an object", fit);
  check("seed", seed === undefined || Number.isSafeInteger(seed), "an integer", seed);
  const { optimizerState } = options;
  check("optimizerState", [undefined, true, false].includes(optimizerState), "true or false", optimizerState);
  const isCount = Number.isSafeInteger(maxPending) && (maxPending as number) >= 1;
  check("maxPending", maxPending === undefined || isCount, "a positive integer", maxPending);
}

/** Returns how many snapshots of `parameterCount` numbers may wait for the disk. */
export function pendingLimit(maxPending: number | undefined, parameterCount: number): number {
  return maxPending ?? Math.min(64, Math.max(2, Math.floor(PENDING_BYTES / (4 * parameterCount))));
}

function check(where: string, isValid: boolean, expected: string, got: unknown): void {
  if (isValid) return;
  const shown = typeof got === "number" ? String(got) : (JSON.stringify(got) ?? String(got));
  throw new InvalidOptionError(where, expected, shown);
}
