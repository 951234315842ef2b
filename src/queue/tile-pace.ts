import { MOST_TASKS } from "./tile-queue.js";

/** Seconds of work in a tile: as few as may be, so that no worker waits at the end for another one's. */
const [LEAST_SECONDS, MOST_SECONDS] = [5, 30] as const;
/** Most seconds of what is not work, as a share of a tile. */
const OVERHEAD_SHARE = 0.02;

/** Sizes tiles by what tasks have taken so far. */
export class TilePace {
  /** Seconds of a task, by key. */
  readonly #seconds = new Map<string, number>();
  /** Seconds of a tile that are no work. */
  #overhead = 0;
  readonly #asked: number | undefined;

  /** @param asked - seconds of a tile; undefined: as many as sending it is a small part of. */
  constructor(asked: number | undefined) {
    this.#asked = asked;
  }

  /** How many tasks of a key go into a tile; one where nothing is known of them. */
  sizeOf(key: string): number {
    const least = Math.max(LEAST_SECONDS, this.#overhead / OVERHEAD_SHARE);
    const tileSeconds = this.#asked ?? Math.min(MOST_SECONDS, least);
    const seconds = this.#seconds.get(key);
    if (seconds === undefined) return 1;
    return Math.max(1, Math.min(MOST_TASKS, Math.floor(tileSeconds / Math.max(seconds, 1e-6))));
  }

  /** Takes in what a task and the way of its tile have taken, in seconds. */
  learn(key: string, seconds: number, overhead: number): void {
    const known = this.#seconds.get(key);
    this.#seconds.set(key, known === undefined ? seconds : known + (seconds - known) / 4);
    this.#overhead += (overhead - this.#overhead) / 4;
  }

  forget(key: string): void {
    this.#seconds.delete(key);
  }
}
