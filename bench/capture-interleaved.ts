import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { type TrajectoryCallback, trajectoryCallback } from "../callbacks/trajectory-callback.js";

/** A training to be timed, and how it is cut into blocks. */
export interface InterleavedTraining {
  readonly model: tf.LayersModel;
  readonly xs: tf.Tensor;
  readonly ys: tf.Tensor;
  readonly batchSize: number;
  /** Where the run is written. */
  readonly directory: string;
  /** Pairs of blocks, one with and one without the callback. */
  readonly pairs: number;
  /** Epochs a block. */
  readonly epochs: number;
  /**
   * Compares a callback with a live page with one without, instead of with none; told the page's address.
   * Default: none.
   */
  readonly onLive?: (url: string) => void;
}

/** Time of an epoch. */
export interface EpochTime {
  /** Seconds on the clock. */
  readonly wall: number;
  /** Seconds of all threads of the process: hardly moved by what else the machine does. */
  readonly cpu: number;
  /** Seconds on the clock within the hooks, with the wait for the disk: what training itself takes does not move it. */
  readonly hooks: number;
}

/** Time an epoch, by pair. */
export interface InterleavedTimes {
  readonly withCallback: readonly EpochTime[];
  readonly without: readonly EpochTime[];
  /** Seconds that the callback's onTrainBegin takes. */
  readonly startup: number;
}

/**
 * Trains once, through alternating blocks of epochs in which the callback gets its hooks or does not.
 *
 * Which of a pair comes first alternates too, so that a machine that slows down favours neither. At the
 * end of its block the callback has everything on disk: no block pays for another one's writing. One pair
 * is run before the clock starts to count.
 */
export async function measureInterleaved(
  training: InterleavedTraining,
  onPair: (done: number) => void,
): Promise<InterleavedTimes> {
  const { model, xs, ys, batchSize, epochs, pairs, directory, onLive } = training;
  const live = onLive === undefined ? {} : { live: true, onLive };
  const callback = trajectoryCallback({ directory: join(directory, "run"), ...live });
  const other = onLive === undefined ? null : trajectoryCallback({ directory: join(directory, "other") });
  const clock = new AlternatingBlocks(callback, other, epochs, onPair);
  await model.fit(xs, ys, {
    batchSize,
    epochs: 2 * epochs * (pairs + 1),
    verbose: 0,
    callbacks: [clock],
  });
  const [withCallback, without] = [clock.times.on.slice(1), clock.times.off.slice(1)];
  return { withCallback, without, startup: clock.startup };
}

/** Hands the hooks on in every other block, and takes the time of each block. */
class AlternatingBlocks extends tf.CustomCallback {
  readonly times: { readonly on: EpochTime[]; readonly off: EpochTime[] } = { on: [], off: [] };
  startup = Number.NaN;
  readonly #inner: TrajectoryCallback;
  readonly #other: TrajectoryCallback | null;
  readonly #epochs: number;
  readonly #onPair: (done: number) => void;
  #isOn = false;
  #inHooks = 0;
  #blockStart: EpochTime = now(0);

  constructor(
    inner: TrajectoryCallback,
    other: TrajectoryCallback | null,
    epochs: number,
    onPair: (done: number) => void,
  ) {
    super({});
    this.#inner = inner;
    this.#other = other;
    this.#epochs = epochs;
    this.#onPair = onPair;
  }

  override setParams(params: tf.CustomCallback["params"]): void {
    super.setParams(params);
    this.#inner.setParams(params);
    this.#other?.setParams(params);
  }

  override setModel(model: Parameters<tf.CustomCallback["setModel"]>[0]): void {
    this.#inner.setModel(model);
    this.#other?.setModel(model);
  }

  override async onTrainBegin(): Promise<void> {
    const start = performance.now();
    await this.#inner.onTrainBegin();
    this.startup = (performance.now() - start) / 1000;
    await this.#other?.onTrainBegin();
  }

  override async onEpochBegin(epoch: number): Promise<void> {
    if (epoch % this.#epochs === 0) {
      const block = epoch / this.#epochs;
      // off on, on off, off on, …
      this.#isOn = block % 4 === 1 || block % 4 === 2;
      this.#blockStart = now(this.#inHooks);
    }
    await this.#timed(() => this.#present?.onEpochBegin(epoch));
  }

  override async onBatchBegin(batch: number, logs?: tf.Logs): Promise<void> {
    await this.#timed(() => this.#present?.onBatchBegin(batch, logs));
  }

  override async onBatchEnd(batch: number, logs?: tf.Logs): Promise<void> {
    // The base class gives way to the event loop, with the callback or without it.
    await this.#timed(() => this.#present?.onBatchEnd(batch, logs) ?? super.onBatchEnd(batch, logs));
  }

  override async onEpochEnd(epoch: number, logs?: tf.Logs): Promise<void> {
    await this.#timed(() => this.#present?.onEpochEnd(epoch, logs));
    if ((epoch + 1) % this.#epochs !== 0) return;
    await this.#timed(() => this.#present?.recorder?.flush());
    const end = now(this.#inHooks);
    const perEpoch = (clock: keyof EpochTime) => (end[clock] - this.#blockStart[clock]) / this.#epochs;
    const time = { wall: perEpoch("wall"), cpu: perEpoch("cpu"), hooks: perEpoch("hooks") };
    (this.#isOn ? this.times.on : this.times.off).push(time);
    const { on, off } = this.times;
    if (on.length === off.length && on.length > 1) this.#onPair(on.length - 1);
  }

  override async onTrainEnd(): Promise<void> {
    await this.#inner.onTrainEnd();
    await this.#other?.onTrainEnd();
    await this.#inner.closeLive();
  }

  async #timed(hook: () => Promise<void> | undefined): Promise<void> {
    const start = performance.now();
    await hook();
    this.#inHooks += (performance.now() - start) / 1000;
  }

  /** The callback whose block this is. */
  get #present(): TrajectoryCallback | null {
    return this.#isOn ? this.#inner : this.#other;
  }
}

function now(hooks: number): EpochTime {
  const { user, system } = process.cpuUsage();
  return { wall: performance.now() / 1000, cpu: (user + system) / 1e6, hooks };
}
