/** Does pieces of work one after another until there are none; with `stop` it ends between them. */
export type Lane = (stop: AbortSignal | undefined) => Promise<void>;

/**
 * Runs several lanes of the same work at once. The first failure stops the others, and is thrown when all have
 * ended, so that nothing goes on behind the caller's back.
 *
 * @param signal - stops all of them.
 */
export async function runLanes(count: number, signal: AbortSignal | undefined, lane: Lane): Promise<void> {
  if (count <= 1) return lane(signal);
  const failure = new AbortController();
  const stop = signal === undefined ? failure.signal : AbortSignal.any([signal, failure.signal]);
  const outcomes = await Promise.allSettled(
    Array.from({ length: count }, () =>
      lane(stop).catch((error: unknown) => {
        failure.abort(error);
        throw error;
      }),
    ),
  );
  if (outcomes.some(({ status }) => status === "rejected")) throw failure.signal.reason;
}
