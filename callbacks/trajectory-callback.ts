import * as tf from "@tensorflow/tfjs";
import pick from "lodash/pick.js";
import {
  checkLiveStability,
  type LiveStability,
  type LiveStabilityOptions,
  openLiveStability,
} from "../src/analysis/live-stability.js";
import { describeCopies } from "../src/backend/tfjs-copies.js";
import { messageOf, RunStateError } from "../src/base/errors.js";
import { type OptionNames, refuseUnknown } from "../src/base/option-names.js";
import type { LandscapeWarning } from "../src/base/warning.js";
import { createTrajectoryRecorder } from "../src/capture/create-recorder.js";
import {
  CAPTURE_OPTION_NAMES,
  type CapturedWeights,
  type CaptureOptions,
  checkCaptureOptions,
  type RecorderPosition,
  type TrajectoryRecorder,
} from "../src/capture/recorder.js";
import { FitSchedule, resolveSchedule } from "../src/capture/schedule.js";
import { beforeExit } from "../src/capture/write-queue.js";
import { bindModel } from "../src/model/bound-weights.js";
import { describeOptimizer, readLearningRate } from "../src/model/describe-training.js";
import { type OptimizerState, readOptimizerState } from "../src/model/optimizer-state.js";
import { FitCallback, resolveLogsInto } from "./fit-callback.js";
import { checkLivePageOptions, LivePage, type LivePageOptions } from "./live-page.js";

/** Options of {@link TrajectoryCallback}: those of every capture, and of the live page. */
export interface TrajectoryCallbackOptions extends CaptureOptions, LivePageOptions {
  /**
   * Measures while training how sharp the loss is for its optimizer, at every n-th snapshot: λ₁ and gradient norm,
   * batch and critical sharpness against the optimizer's own threshold, on the live page and for `plot` afterwards.
   * Training waits for it and goes on as if it had not been: same weights, random numbers and history. Default none.
   */
  readonly stability?: LiveStabilityOptions | undefined;
}

/** The names of all {@link TrajectoryCallbackOptions}. */
export const TRAJECTORY_OPTION_NAMES: OptionNames<TrajectoryCallbackOptions> = {
  ...CAPTURE_OPTION_NAMES,
  live: true,
  onLive: true,
  stability: true,
};

/**
 * A captured but unwritten snapshot. Initial weights wait for the first batch (only then is the learning rate known);
 * weights of a batch wait for the next hook, which tells whether the epoch is complete.
 */
interface PendingSnapshot {
  readonly captured: CapturedWeights;
  /** What is measured of it once it is written; null where it is not due. */
  readonly measured: MeasuredSnapshot | null;
  /** Rate and logs of the update; null for the weights before the first one. */
  readonly update: Pick<RecorderPosition, "learningRate" | "logs"> | null;
}

/** Copies of what a measurement needs: the recorder's own are handed on to the disk. */
interface MeasuredSnapshot {
  readonly theta: Float32Array;
  readonly state: OptimizerState | null;
}

/** What one training needs; made when it begins, so that nothing of an earlier one is left over. */
interface Session {
  readonly recorder: TrajectoryRecorder;
  readonly schedule: FitSchedule;
  readonly optimizer: tf.Optimizer;
  /** Calls off what happens when the process ends and nobody has closed the callback. */
  readonly callOffExit: () => void;
  pending: PendingSnapshot | null;
  learningRate: number;
  /** Logs of the last epoch, and whether the weights have been given other values since. */
  logs: Readonly<Record<string, number>>;
  /** Whether the model has other weights than those that were recorded last. */
  hasOtherWeights: () => boolean;
  /** Measures the stability; null where nobody asked for it. */
  readonly stability: LiveStability | null;
}

/**
 * Callback that records the weights of a model while `fit` or `fitDataset` trains it.
 *
 * The weights before training and after it are recorded always, others by the schedule. They are copied
 * inside the hook, while `fit` waits, and written by a thread of their own. When training ends `fit` waits
 * for the disk. An exception in training fires no hook: call {@link TrajectoryCallback.close} (in a
 * `finally`) to wait for what was recorded, which otherwise reaches the disk before the process ends, as
 * long as it is not made to exit.
 *
 * A disk that fails stops the training with a `RunStateError` at the next snapshot; the model keeps
 * its weights. The rate recorded is the one in force at the end of the last batch, for the initial weights
 * at the end of the first: list this callback before others that change the rate in their own `onBatchEnd`.
 *
 * Must be used with the same copy of `@tensorflow/tfjs` as the model; every element of `callbacks` must
 * then be such an instance.
 */
export class TrajectoryCallback extends FitCallback {
  readonly #options: TrajectoryCallbackOptions;
  readonly #live: LivePage;
  #model: tf.LayersModel | null = null;
  #session: Session | null = null;
  #hasTrained = false;
  #stabilityWarnings: readonly LandscapeWarning[] = [];

  /** @throws `InvalidOptionError` if an option cannot be used; nothing is written yet. */
  constructor(options: TrajectoryCallbackOptions) {
    super();
    if (new.target === TrajectoryCallback) refuseUnknown(options, TRAJECTORY_OPTION_NAMES);
    checkCaptureOptions(options);
    resolveSchedule(options.schedule);
    checkLivePageOptions(options);
    if (options.stability !== undefined) checkLiveStability(options.stability);
    this.#options = options;
    this.#live = new LivePage(options.directory, options);
  }

  /** The run directory as given in the options. */
  get directory(): string {
    return this.#options.directory;
  }

  /** The present or last recorder, or null before training. */
  get recorder(): TrajectoryRecorder | null {
    return this.#session?.recorder ?? null;
  }

  /** What the user should know of the capture; empty before training. */
  get warnings(): readonly LandscapeWarning[] {
    return [...(this.recorder?.warnings ?? []), ...this.#live.warnings, ...this.#stabilityWarnings];
  }

  /** Address of the live page, or null if there is none. */
  get liveUrl(): string | null {
    return this.#live.url;
  }

  /** Ends the live page, which otherwise stays until the process ends. Idempotent. */
  async closeLive(): Promise<void> {
    await this.#live.close();
  }

  /** Called by TensorFlow.js. @internal */
  override setModel(model: Parameters<tf.CustomCallback["setModel"]>[0]): void {
    if (!(model instanceof tf.LayersModel)) {
      const hint = describeCopies() ?? "model and tfjs-landscape must use the same copy of @tensorflow/tfjs";
      throw new RunStateError("TrajectoryCallback", "a LayersModel", "another kind of model", { hint });
    }
    this.#model = model;
  }

  /** @throws `RunStateError` if the callback has recorded a training and `resume` is not set. */
  override async onTrainBegin(logs?: tf.Logs): Promise<void> {
    await super.onTrainBegin(logs);
    const model = this.#model;
    if (model === null) throw new RunStateError("TrajectoryCallback", "setModel before training", "none");
    const { resume = false } = this.#options;
    if (this.#hasTrained && resume === false) {
      throw new RunStateError(this.directory, "one training per callback", "a second one", {
        hint: 'make a new callback with a directory of its own, or append: resume: "process" (trainings of this process) or true',
      });
    }
    await this.close();
    const recorder = await createTrajectoryRecorder({
      ...(pick(this.#options, Object.keys(CAPTURE_OPTION_NAMES)) as CaptureOptions),
      model,
      fit: { ...scalarsOf(this.params), ...this.#options.fit },
    });
    this.#hasTrained = true;
    const schedule = new FitSchedule(recorder.schedule, recorder.resumedFrom);
    const captured = await recorder.capture();
    const stability = await this.#openStability(model, recorder, captured.theta);
    const measured = await this.#toMeasure({ recorder, stability, optimizer: model.optimizer }, captured);
    this.#session = {
      recorder,
      schedule,
      optimizer: model.optimizer,
      pending: { captured, measured, update: null },
      stability,
      callOffExit: beforeExit(() => this.close()),
      learningRate: Number.NaN,
      logs: {},
      hasOtherWeights: () => false,
    };
    announce(recorder, ["disk-space"]);
    await this.#live.open();
    // `fitDataset` does not say where it begins before its first epoch does.
    const { initialEpoch } = this.params ?? {};
    if (typeof initialEpoch === "number") await this.#beginEpoch(initialEpoch);
  }

  /** Called by TensorFlow.js. @internal */
  override async onEpochBegin(epoch: number, logs?: tf.Logs): Promise<void> {
    await super.onEpochBegin(epoch, logs);
    await this.#beginEpoch(epoch);
  }

  async #beginEpoch(epoch: number): Promise<void> {
    try {
      this.#session?.schedule.beginEpoch(epoch);
    } catch (error) {
      if (this.#session !== null) this.#session.pending = null;
      await this.close();
      throw error;
    }
  }

  /** Called by TensorFlow.js. @internal */
  override async onBatchBegin(batch: number, logs?: tf.Logs): Promise<void> {
    await super.onBatchBegin(batch, logs);
    // The rate of the initial weights may still be changed by callbacks after this one.
    if (this.#session?.pending?.update !== null) await this.#flush();
  }

  /** Called by TensorFlow.js. @internal */
  override async onBatchEnd(batch: number, logs?: tf.Logs): Promise<void> {
    const session = this.#session;
    if (session !== null) {
      session.learningRate = readLearningRate(session.optimizer);
      await this.#flush();
      if (session.schedule.endBatch()) {
        const captured = await session.recorder.capture();
        const measured = await this.#toMeasure(session, captured);
        const { learningRate } = session;
        session.pending = { captured, measured, update: { learningRate, logs: await batchLogs(logs) } };
      }
    }
    // Last, as it may give way to the event loop, in which the writing thread's answers arrive.
    await super.onBatchEnd(batch, logs);
  }

  /** Called by TensorFlow.js. @internal */
  override async onEpochEnd(epoch: number, logs?: tf.Logs): Promise<void> {
    const session = this.#session;
    if (session !== null) {
      // An epoch without a batch: the initial weights come first all the same.
      if (session.pending?.update === null) await this.#flush();
      const isDue = session.schedule.endEpoch(epoch);
      const captured = isDue ? await session.recorder.capture() : null;
      const measured = captured === null ? null : await this.#toMeasure(session, captured);
      session.hasOtherWeights = session.recorder.watch();
      session.logs = await resolveLogsInto(logs);
      if (captured !== null) {
        const step = session.recorder.nextStep;
        await session.recorder.write(captured, this.#position(session));
        await this.#measure(session, step, measured, session.learningRate);
      } else await this.#flush(session.logs);
    }
    await super.onEpochEnd(epoch, logs);
  }

  /** Called by TensorFlow.js. @internal */
  override async onTrainEnd(logs?: tf.Logs): Promise<void> {
    const session = this.#session;
    if (session !== null) {
      session.callOffExit();
      await this.#flush();
      // "Restore best weights": what the last epoch logged is not of those.
      if (session.hasOtherWeights()) session.logs = {};
      await session.recorder.close(this.#position(session));
      await this.#closeStability(session);
    }
    await super.onTrainEnd(logs);
  }

  /**
   * Waits until everything recorded is on disk. `fit` does so when training ends by itself; to be called
   * where it may have thrown. Idempotent.
   *
   * @throws `RunStateError` if the disk failed and nobody has been told.
   */
  async close(): Promise<void> {
    if (this.#session === null) return;
    this.#session.callOffExit();
    // A newer training that took the directory over has closed the recorder.
    if (this.#session.recorder.isClosed) this.#session.pending = null;
    try {
      await this.#flush();
    } finally {
      await this.#session.recorder.close();
      await this.#closeStability(this.#session);
    }
  }

  /** Where training is now, with what is known of the last epoch. */
  #position({ schedule, learningRate, logs }: Session): RecorderPosition {
    return { epoch: schedule.epoch, iteration: schedule.iteration, learningRate, logs };
  }

  /** Writes the snapshot that waits; `epochLogs` replace its batch's where it completes an epoch. */
  async #flush(epochLogs?: Readonly<Record<string, number>>): Promise<void> {
    const session = this.#session;
    const pending = session?.pending ?? null;
    if (session === null || pending === null) return;
    session.pending = null;
    const { epoch, iteration } = session.schedule;
    const { captured, measured, update } = pending;
    const step = session.recorder.nextStep;
    if (update === null) {
      const learningRate = readLearningRate(session.optimizer);
      const position = { epoch, iteration, learningRate, logs: {} };
      const isNew = await session.recorder.writeInitial(captured, position);
      announce(session.recorder, ["resumed-elsewhere"]);
      if (isNew) await this.#measure(session, step, measured, learningRate);
      return;
    }
    const logs = epochLogs ?? update.logs ?? {};
    await session.recorder.write(captured, { ...update, epoch, iteration, logs });
    await this.#measure(session, step, measured, update.learningRate ?? Number.NaN);
  }

  /** Opens what measures the stability; what cannot be measured is refused before the first batch. */
  async #openStability(
    model: tf.LayersModel,
    recorder: TrajectoryRecorder,
    theta: Float32Array,
  ): Promise<LiveStability | null> {
    const { stability, name = "" } = this.#options;
    if (stability === undefined) return null;
    const { batchSize } = this.params ?? {};
    const { directory, layout, nextStep: firstStep } = recorder;
    const run = {
      ...{ directory, layout, firstStep },
      name: name === "" ? directory : name,
      batchSize: typeof batchSize === "number" ? batchSize : null,
      optimizer: model.optimizer.getClassName(),
    };
    try {
      return await openLiveStability(model, run, theta, stability);
    } catch (error) {
      await recorder.close();
      throw error;
    }
  }

  /** Copies what a snapshot is measured by, if it is due. */
  async #toMeasure(
    { recorder, stability, optimizer }: Pick<Session, "recorder" | "stability" | "optimizer">,
    { theta, optimizerState }: CapturedWeights,
  ): Promise<MeasuredSnapshot | null> {
    if (stability === null || this.#model === null || !stability.isDue(recorder.nextStep)) return null;
    const read = () =>
      readOptimizerState(optimizer, bindModel(this.#model as tf.LayersModel, recorder.layout));
    // Adamax gives no state away: what needs it is then not defined, with the reason.
    const state = optimizerState ?? (await read().catch(() => null));
    return { theta: theta.slice(), state };
  }

  /** Measures a snapshot that is written. A failure costs the measurements, never the training. */
  async #measure(
    session: Session,
    step: number,
    measured: MeasuredSnapshot | null,
    learningRate: number,
  ): Promise<void> {
    const { stability, optimizer } = session;
    if (stability === null || measured === null || !stability.isDue(step)) return;
    try {
      await stability.measure({ ...measured, step, learningRate, optimizer: describeOptimizer(optimizer) });
    } catch (error) {
      // What was measured so far is the run's when that is finished.
      stability.stop();
      this.#warnOfStability(error);
    }
  }

  async #closeStability(session: Session): Promise<void> {
    try {
      await session.stability?.close();
    } catch (error) {
      this.#warnOfStability(error);
    }
  }

  #warnOfStability(error: unknown): void {
    const reason = messageOf(error);
    const message = `${this.directory}: training goes on without its stability: ${reason}`;
    this.#stabilityWarnings = [{ code: "stability-failed", message }];
    process.emitWarning(message, { type: "LandscapeWarning", code: "stability-failed" });
  }
}

/** Says in process warnings what a program should hear of while it trains, not only if it asks. */
function announce({ warnings }: TrajectoryRecorder, codes: readonly string[]): void {
  for (const { code, message } of warnings) {
    if (codes.includes(code)) process.emitWarning(message, { type: "LandscapeWarning", code });
  }
}

/** What `fit` says in plain values: lists and maps in its parameters are its own. */
function scalarsOf(params: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(params ?? {}).filter(([, value]) => typeof value !== "object"));
}

/** Returns what a mini-batch logged, without its number and size, with which `fit` mixes it. */
async function batchLogs(logs: tf.Logs | undefined): Promise<Record<string, number>> {
  const { batch: _batch, size: _size, ...results } = await resolveLogsInto(logs);
  return results;
}

/**
 * Returns a callback that records a training's weights into a run directory.
 *
 * @throws `InvalidOptionError` if an option cannot be used.
 * @example
 * await model.fit(xs, ys, { epochs: 20, callbacks: [trajectoryCallback({ directory: "runs/sgd" })] });
 */
export function trajectoryCallback(options: TrajectoryCallbackOptions): TrajectoryCallback {
  return new TrajectoryCallback(options);
}
