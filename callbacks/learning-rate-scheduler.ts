import * as tf from "@tensorflow/tfjs";
import { InvalidOptionError, RunStateError } from "../src/base/errors.js";
import { changeLearningRate, readLearningRate } from "../src/model/optimizer.js";
import { type LearningRateSchedule, rate, resolveLearningRateSchedule } from "./learning-rate-schedule.js";

/** Options of {@link LearningRateScheduler}. */
export interface LearningRateSchedulerOptions {
  /** What time counts: epochs as `fit` numbers them, or optimizer updates of this training. Default "epoch". */
  readonly per?: "epoch" | "batch";
}

/**
 * Callback that sets the optimizer's learning rate before each epoch (or each batch).
 *
 * Works with every optimizer class of TF.js that has a rate, and leaves the last rate in place when
 * training ends. The schedule starts from the rate the optimizer has when training first begins; training
 * the same optimizer on with the same callback starts from that rate again and not from the decayed one.
 * A {@link TrajectoryCallback} beside it records each rate, in whatever order the two are listed.
 */
export class LearningRateScheduler extends tf.CustomCallback {
  readonly #rule: ReturnType<typeof resolveLearningRateSchedule>;
  readonly #per: "epoch" | "batch";
  #optimizer: tf.Optimizer | null = null;
  #initial = Number.NaN;
  #lastSet = Number.NaN;
  #updates = 0;

  /** @throws `InvalidOptionError` if the schedule or an option cannot be used. */
  constructor(schedule: LearningRateSchedule, options: LearningRateSchedulerOptions = {}) {
    super({});
    this.#rule = resolveLearningRateSchedule(schedule);
    const { per = "epoch" } = options;
    if (per !== "epoch" && per !== "batch") {
      throw new InvalidOptionError("per", '"epoch" or "batch"', JSON.stringify(per) ?? String(per));
    }
    this.#per = per;
  }

  /** Called by TensorFlow.js. @internal */
  override setModel(model: unknown): void {
    const { optimizer } = model as tf.LayersModel;
    const current = readLearningRate(optimizer);
    if (Number.isNaN(current)) {
      throw new RunStateError(
        "learning-rate scheduler",
        "an optimizer with a learning rate",
        optimizer?.getClassName?.() ?? "a model that is not compiled",
      );
    }
    if (optimizer !== this.#optimizer || current !== this.#lastSet) {
      this.#initial = this.#rule.initial ?? current;
    }
    this.#optimizer = optimizer;
    this.#updates = 0;
  }

  /** Called by TensorFlow.js. @internal */
  override async onEpochBegin(epoch: number, logs?: tf.Logs): Promise<void> {
    await super.onEpochBegin(epoch, logs);
    if (this.#per === "epoch") this.#apply(epoch);
  }

  /** Called by TensorFlow.js. @internal */
  override async onBatchBegin(batch: number, logs?: tf.Logs): Promise<void> {
    await super.onBatchBegin(batch, logs);
    if (this.#per === "batch") this.#apply(this.#updates++);
  }

  #apply(t: number): void {
    const optimizer = this.#optimizer as tf.Optimizer;
    const next = this.#rule.rateAt(t, this.#initial, readLearningRate(optimizer));
    this.#lastSet = rate(`learning rate of ${this.#per} ${t}`, next);
    changeLearningRate(optimizer, this.#lastSet);
  }
}

/**
 * Returns a callback that changes the learning rate by a schedule.
 *
 * @throws `InvalidOptionError` if the schedule or an option cannot be used.
 * @example
 * await model.fit(xs, ys, {
 *   epochs: 90,
 *   callbacks: [learningRateScheduler({ kind: "step", every: 30 }), trajectoryCallback({ directory })],
 * });
 */
export function learningRateScheduler(
  schedule: LearningRateSchedule,
  options: LearningRateSchedulerOptions = {},
): LearningRateScheduler {
  return new LearningRateScheduler(schedule, options);
}
