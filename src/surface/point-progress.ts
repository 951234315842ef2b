/** Called after each point with the points done, all to do, and the seconds left by the present speed. */
export type OnPointProgress = (done: number, total: number, etaSeconds: number) => void;

/**
 * Starts the clock of a progress report.
 *
 * @param before - points that are done already.
 * @returns what is to be called after each further point.
 */
export function pointProgress(
  before: number,
  total: number,
  onProgress: OnPointProgress | undefined,
): () => void {
  const start = performance.now();
  let now = 0;
  return () => {
    now++;
    const done = before + now;
    onProgress?.(done, total, ((performance.now() - start) / 1000 / now) * (total - done));
  };
}
