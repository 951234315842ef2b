import { setMaxListeners } from "node:events";

/**
 * Does pieces of work one after another until there are none; with `stop` it ends between them. After each piece it
 * calls `widen`, which starts more lanes where more work may be under way by now.
 */
export type Lane = (stop: AbortSignal | undefined, widen: () => void) => Promise<void>;

/**
 * Runs several lanes of the same work at once. The first failure stops the others, and is thrown when all have
 * ended, so that nothing goes on behind the caller's back.
 *
 * @param width - how many lanes are to run; asked again between pieces of work, for it may grow.
 * @param signal - stops all of them.
 */
export async function runLanes(
  width: () => number,
  signal: AbortSignal | undefined,
  lane: Lane,
): Promise<void> {
  if (width() <= 1) return lane(signal, () => {});
  const failure = new AbortController();
  const stop = signal === undefined ? failure.signal : AbortSignal.any([signal, failure.signal]);
  // Each lane may listen to it, and Node.js takes more than ten listeners for a leak.
  setMaxListeners(0, stop);
  const lanes: Promise<void>[] = [];
  const widen = (): void => {
    while (lanes.length < width() && !failure.signal.aborted) {
      lanes.push(lane(stop, widen).catch((error: unknown) => failure.abort(error)));
    }
  };
  widen();
  for (let i = 0; i < lanes.length; i++) await lanes[i];
  failure.signal.throwIfAborted();
}
