import { RunStateError } from "../src/base/errors.js";
import type { RecorderPosition } from "../src/capture/recorder.js";
import type { ScheduleRule } from "../src/capture/schedule.js";

export type { CaptureSchedule } from "../src/capture/schedule.js";

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
  constructor(rule: ScheduleRule, resumed: Pick<RecorderPosition, "epoch" | "iteration"> | null) {
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
