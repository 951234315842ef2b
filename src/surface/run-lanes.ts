import { setMaxListeners } from "node:events";

/** Work that is done piece by piece, several pieces at once. */
export interface LaneWork {
  /** How many pieces are to be under way; it may change. */
  width(): number;
  /** Pieces that are not begun. */
  left(): number;
}

/**
 * Does pieces of work one after another until there are none; with `stop` it ends between them. After each piece it
 * asks whether to go on: more lanes may start, or this one may be one too many.
 */
export type Lane = (stop: AbortSignal | undefined, goesOn: () => boolean) => Promise<void>;

/**
 * Runs several lanes of the same work at once. The first failure stops the others, and is thrown when all have
 * ended, so that nothing goes on behind the caller's back.
 *
 * @param signal - stops all of them.
 */
export async function runLanes(work: LaneWork, signal: AbortSignal | undefined, lane: Lane): Promise<void> {
  if (Math.min(work.width(), work.left()) <= 1) return lane(signal, () => true);
  const failure = new AbortController();
  const stop = signal === undefined ? failure.signal : AbortSignal.any([signal, failure.signal]);
  // Each lane may listen to it, and Node.js takes more than ten listeners for a leak.
  setMaxListeners(0, stop);
  const lanes: Promise<void>[] = [];
  const first = work.width();
  let running = 0;
  let done = 0;
  const start = (busy: number): void => {
    // One more for each piece done: a width that comes of other pieces may be too much for these.
    const most = Math.min(work.width(), busy + work.left(), first + done);
    while (running < most && !failure.signal.aborted) {
      running++;
      lanes.push(lane(stop, goesOn).catch((error: unknown) => failure.abort(error)));
    }
  };
  const goesOn = (): boolean => {
    done++;
    if (running > 1 && running > work.width()) {
      running--;
      return false;
    }
    // The lane that asks is free.
    start(running - 1);
    return true;
  };
  start(0);
  for (let i = 0; i < lanes.length; i++) await lanes[i];
  failure.signal.throwIfAborted();
}
