import { InvalidOptionError, RunStateError } from "../base/errors.js";

/**
 * When the weights are recorded, between the initial and the final ones, which are recorded always.
 *
 * - `"epoch"`: after every epoch.
 * - `{ everyEpochs: n }`: after each epoch whose number of completed epochs is a multiple of n.
 * - `{ everyBatches: n }`: after every n-th optimizer update.
 * - `{ epochs: [1, 5, 20] }`: when so many epochs are completed.
 * - `{ iterations: [1, 10, 100] }`: after so many optimizer updates.
 * - `{ geometric: { first: 1, ratio: 2 } }`: after round(first·ratio^k) updates, k = 0, 1, 2, …: dense where
 *   training moves fast, sparse later. `first` is 1 unless given.
 */
export type CaptureSchedule =
  | "epoch"
  | { readonly everyEpochs: number }
  | { readonly everyBatches: number }
  | { readonly epochs: readonly number[] }
  | { readonly iterations: readonly number[] }
  | { readonly geometric: { readonly first?: number; readonly ratio: number } };

/** A schedule made ready for asking: what it counts, and whether a snapshot is due at a count. */
export interface ScheduleRule {
  /** What `isDue` is asked about: completed epochs or optimizer updates. */
  readonly unit: "epoch" | "iteration";
  /** Says whether a snapshot is due once `count` units (a positive integer) are done. */
  isDue(count: number): boolean;
}

const EXPECTED =
  '"epoch" or one of { everyEpochs }, { everyBatches }, { epochs }, { iterations }, { geometric }';

/**
 * Returns the rule of a schedule, after checking every number in it.
 *
 * @param schedule - Default `"epoch"`.
 * @throws {@link InvalidOptionError} if the schedule has another form, or a number that is no positive
 *   integer (`ratio`: a finite number above 1).
 */
export function resolveSchedule(schedule: CaptureSchedule = "epoch"): ScheduleRule {
  if (schedule === "epoch") return everyNth("epoch", 1);
  const [key, ...others] =
    typeof schedule === "object" && schedule !== null ? Object.keys(schedule) : [undefined];
  if (key === undefined || others.length > 0) throw invalid("schedule", EXPECTED, schedule);
  if ("everyEpochs" in schedule) {
    return everyNth("epoch", positiveInteger("schedule.everyEpochs", schedule.everyEpochs));
  }
  if ("everyBatches" in schedule) {
    return everyNth("iteration", positiveInteger("schedule.everyBatches", schedule.everyBatches));
  }
  if ("epochs" in schedule) return listed("epoch", "schedule.epochs", schedule.epochs);
  if ("iterations" in schedule) return listed("iteration", "schedule.iterations", schedule.iterations);
  if ("geometric" in schedule) return geometric(schedule.geometric);
  throw invalid("schedule", EXPECTED, schedule);
}

function everyNth(unit: ScheduleRule["unit"], n: number): ScheduleRule {
  return { unit, isDue: (count) => count % n === 0 };
}

function listed(unit: ScheduleRule["unit"], where: string, counts: readonly number[]): ScheduleRule {
  if (!Array.isArray(counts)) throw invalid(where, "a list of positive integers", counts);
  const due = new Set(counts.map((count, index) => positiveInteger(`${where}[${index}]`, count)));
  return { unit, isDue: (count) => due.has(count) };
}

/** A member of the series is found from k = log(count / first) / log(ratio), so that nothing is stored. */
function geometric(options: { readonly first?: number; readonly ratio: number }): ScheduleRule {
  const where = "schedule.geometric";
  if (typeof options !== "object" || options === null) throw invalid(where, "{ first?, ratio }", options);
  const { first = 1, ratio } = options;
  positiveInteger(`${where}.first`, first);
  if (!(Number.isFinite(ratio) && ratio > 1)) {
    throw invalid(`${where}.ratio`, "a finite number above 1", ratio);
  }
  const member = (k: number) => Math.round(first * ratio ** k);
  const isDue = (count: number) => {
    if (count < first) return false;
    const near = (edge: number) => Math.log(edge / first) / Math.log(ratio);
    // Every k with round(first·ratio^k) = count lies between these two bounds, give or take rounding.
    const highest = Math.ceil(near(count + 0.5));
    for (let k = Math.max(0, Math.floor(near(count - 0.5))); k <= highest; k++) {
      if (member(k) === count) return true;
    }
    return false;
  };
  return { unit: "iteration", isDue };
}

function positiveInteger(where: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 1) throw invalid(where, "a positive integer", value);
  return value;
}

function invalid(where: string, expected: string, got: unknown): InvalidOptionError {
  return new InvalidOptionError(where, expected, JSON.stringify(got) ?? String(got));
}

/**
 * Counts epochs and updates along the hooks of `fit`, and says when a snapshot is due.
 *
 * Epochs are counted as completed ones: `fit` numbers them from `initialEpoch`, so that its epoch e ends
 * with e + 1. A run that is resumed without `initialEpoch` counts on from where it ended, as updates do.
 */
export class FitSchedule {
  readonly #rule: ScheduleRule;
  readonly #resumedEpoch: number;
  #shift: number | null = null;
  #epoch: number;
  #iteration: number;

  /** @param resumed - Where the run ended that is continued, or null for a new one. */
  constructor(rule: ScheduleRule, resumed: { readonly epoch: number; readonly iteration: number } | null) {
    this.#rule = rule;
    this.#resumedEpoch = resumed?.epoch ?? 0;
    this.#epoch = this.#resumedEpoch;
    this.#iteration = resumed?.iteration ?? 0;
  }

  /** Completed epochs. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Optimizer updates done. */
  get iteration(): number {
    return this.#iteration;
  }

  /**
   * Takes `fit`'s number of the epoch that begins.
   *
   * @throws `RunStateError` if that is before the end of the run that is continued.
   */
  beginEpoch(fitEpoch: number): void {
    if (this.#shift === null && fitEpoch > 0 && fitEpoch < this.#resumedEpoch) {
      const expected = `${this.#resumedEpoch} or more, the epochs that the resumed run has completed, or 0`;
      throw new RunStateError("initialEpoch", expected, String(fitEpoch));
    }
    this.#shift ??= fitEpoch === 0 ? this.#resumedEpoch : 0;
    this.#epoch = fitEpoch + this.#shift;
  }

  /** Counts an update; tells whether a snapshot is due after it. */
  endBatch(): boolean {
    this.#iteration++;
    return this.#rule.unit === "iteration" && this.#rule.isDue(this.#iteration);
  }

  /** Counts a completed epoch; tells whether a snapshot is due after it. */
  endEpoch(fitEpoch: number): boolean {
    this.#epoch = fitEpoch + (this.#shift ?? 0) + 1;
    return this.#rule.unit === "epoch" && this.#rule.isDue(this.#epoch);
  }
}
