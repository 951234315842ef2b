import type * as tf from "@tensorflow/tfjs";
import { InvalidOptionError, RunStateError } from "../errors.js";
import type { BoundWeights } from "../params/bound-weights.js";
import type { ParameterLayout } from "../params/layout.js";
import type { RunManifest } from "../store/manifest.js";
import type { SnapshotInfo } from "../store/run.js";
import type { LandscapeWarning } from "../warning.js";
import { isSameTheta } from "./is-same-theta.js";
import { readLearningRate } from "./optimizer.js";
import type { ScheduleRule } from "./schedule.js";
import type { WriteQueue } from "./write-queue.js";

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
}

/** What a recorder is made of. */
export interface RecorderParts {
  readonly directory: string;
  readonly weights: BoundWeights;
  readonly queue: WriteQueue;
  readonly rule: ScheduleRule;
  readonly dtype: RunManifest["dtype"];
  readonly optimizer: tf.Optimizer | null;
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
    return this.#parts.warnings;
  }

  /**
   * Records the weights as they are now; resolves when there is room for another snapshot.
   *
   * @throws {@link InvalidOptionError} if the position holds something that is no number.
   * @throws {@link RunStateError} if the recorder is closed, or an earlier snapshot could not be written.
   */
  async record(position: RecorderPosition): Promise<void> {
    const checked = this.#check(position);
    await this.write(this.capture(), checked);
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
    if (isFirst) return this.writeInitial(this.capture(), checked);
    if (isDue) await this.write(this.capture(), checked);
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

  /** Copies the weights as they are now, to be handed to `write` or `writeInitial`. */
  capture(): CapturedWeights {
    this.#assertOpen();
    const theta = this.#parts.queue.acquire();
    return { theta: this.#parts.weights.readSync(theta), time: Date.now() };
  }

  /** Writes copied weights as the next snapshot; resolves when there is room for another one. */
  async write({ theta, time }: CapturedWeights, position: RecorderPosition): Promise<void> {
    const { epoch, iteration, logs = {} } = position;
    const learningRate = position.learningRate ?? readLearningRate(this.#parts.optimizer);
    this.#last = position;
    this.#resumedTheta = null;
    const step = this.#step++;
    await this.#parts.queue.push({ step, epoch, iteration, time, learningRate, logs, theta });
  }

  /**
   * Writes copied weights as those that training begins with, unless a run that is continued ends with
   * them; returns whether it did.
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
    await this.write(captured, position);
    return true;
  }

  /** Writes the final weights unless the last snapshot is of the same update and has the same bits. */
  async #writeFinal(position: RecorderPosition): Promise<void> {
    const { queue, weights, readBack, dtype } = this.#parts;
    const captured = { theta: weights.readSync(queue.acquire()), time: Date.now() };
    if (this.#step > 0 && this.#last?.iteration === position.iteration) {
      await queue.drain();
      if (isSameTheta(captured.theta, await readBack(this.#step - 1), dtype)) return;
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
