import type * as tf from "@tensorflow/tfjs";
import { InvalidOptionError, RunStateError } from "../src/base/errors.js";
import { changeLearningRate, readLearningRate } from "../src/model/describe-training.js";
import { FitCallback } from "./fit-callback.js";

/**
 * How the learning rate runs over training. `t` is the epoch or, with `per: "batch"`, the update, counted
 * from 0; `initial` is the optimizer's own rate when training begins unless given.
 *
 * - step: initial·factor^⌊t/every⌋ (`factor` 0.1 unless given).
 * - exponential: initial·factor^t.
 * - cosine: final + (initial − final)·(1 + cos(π·t/over))/2 for t < over, then `final` (0 unless given).
 * - piecewise: `initial` before the first boundary, then the rate of the last `at` ≤ t.
 * - a function of t and the rate in use.
 *
 * @see Loshchilov and Hutter 2017 (SGDR) for the cosine, without its restarts.
 */
export type LearningRateSchedule =
  | { readonly kind: "step"; readonly every: number; readonly factor?: number; readonly initial?: number }
  | { readonly kind: "exponential"; readonly factor: number; readonly initial?: number }
  | { readonly kind: "cosine"; readonly over: number; readonly final?: number; readonly initial?: number }
  | {
      readonly kind: "piecewise";
      readonly rates: readonly { readonly at: number; readonly rate: number }[];
      readonly initial?: number;
    }
  | ((t: number, rate: number) => number);

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
export class LearningRateScheduler extends FitCallback {
  readonly #rule: ReturnType<typeof resolveLearningRateSchedule>;
  readonly #per: "epoch" | "batch";
  #optimizer: tf.Optimizer | null = null;
  #initial = Number.NaN;
  #lastSet = Number.NaN;
  #updates = 0;

  /** @throws `InvalidOptionError` if the schedule or an option cannot be used. */
  constructor(schedule: LearningRateSchedule, options: LearningRateSchedulerOptions = {}) {
    super();
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
 *   callbacks: [
 *     learningRateScheduler({ kind: "step", every: 30 }),
 *     trajectoryCallback({ directory: "runs/sgd" }),
 *   ],
 * });
 */
export function learningRateScheduler(
  schedule: LearningRateSchedule,
  options: LearningRateSchedulerOptions = {},
): LearningRateScheduler {
  return new LearningRateScheduler(schedule, options);
}

/** A schedule made ready: its own initial rate, if it has one, and the rate at a time. */
interface LearningRateRule {
  readonly initial: number | null;
  /** The rate at `t`, from the rate at the start and the one in use. */
  rateAt(t: number, initial: number, current: number): number;
}

/**
 * Returns the rule of a learning-rate schedule, after checking its settings.
 *
 * @throws `InvalidOptionError` if the kind is unknown or a setting out of range.
 */
function resolveLearningRateSchedule(schedule: LearningRateSchedule): LearningRateRule {
  if (typeof schedule === "function") {
    return { initial: null, rateAt: (t, _initial, current) => schedule(t, current) };
  }
  if (typeof schedule !== "object" || schedule === null) throw unknownKind(schedule);
  const initial = schedule.initial === undefined ? null : rate("schedule.initial", schedule.initial);
  switch (schedule.kind) {
    case "step": {
      const every = positiveInteger("schedule.every", schedule.every);
      const factor = positive("schedule.factor", schedule.factor ?? 0.1);
      return { initial, rateAt: (t, start) => start * factor ** Math.floor(t / every) };
    }
    case "exponential": {
      const factor = positive("schedule.factor", schedule.factor);
      return { initial, rateAt: (t, start) => start * factor ** t };
    }
    case "cosine": {
      const over = positiveInteger("schedule.over", schedule.over);
      const final = rate("schedule.final", schedule.final ?? 0);
      return {
        initial,
        rateAt: (t, start) =>
          t >= over ? final : final + ((start - final) * (1 + Math.cos((Math.PI * t) / over))) / 2,
      };
    }
    case "piecewise":
      return { initial, rateAt: piecewise(schedule.rates) };
    default:
      throw unknownKind((schedule as { kind?: unknown }).kind);
  }
}

function piecewise(pieces: readonly { readonly at: number; readonly rate: number }[]) {
  if (!Array.isArray(pieces) || pieces.length === 0) {
    throw invalid("schedule.rates", "a list of { at, rate }", pieces);
  }
  pieces.forEach((piece, index) => {
    const where = `schedule.rates[${index}]`;
    if (!(Number.isSafeInteger(piece?.at) && piece.at >= 0)) {
      throw invalid(`${where}.at`, "an integer of at least 0", piece?.at);
    }
    rate(`${where}.rate`, piece.rate);
    if (index > 0 && piece.at <= pieces[index - 1].at) {
      throw invalid(`${where}.at`, `more than ${pieces[index - 1].at}`, piece.at);
    }
  });
  return (t: number, start: number) => pieces.findLast((piece) => piece.at <= t)?.rate ?? start;
}

/** Returns a learning rate that an optimizer can use: finite and not negative. */
function rate(where: string, value: number): number {
  if (!(Number.isFinite(value) && value >= 0)) throw invalid(where, "a finite rate of at least 0", value);
  return value;
}

function positive(where: string, value: number): number {
  if (!(Number.isFinite(value) && value > 0)) throw invalid(where, "a finite number above 0", value);
  return value;
}

function positiveInteger(where: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 1) throw invalid(where, "a positive integer", value);
  return value;
}

function unknownKind(got: unknown): InvalidOptionError {
  return invalid("schedule.kind", '"step", "exponential", "cosine", "piecewise" or a function', got);
}

function invalid(where: string, expected: string, got: unknown): InvalidOptionError {
  return new InvalidOptionError(
    where,
    expected,
    typeof got === "number" ? String(got) : (JSON.stringify(got) ?? String(got)),
  );
}
