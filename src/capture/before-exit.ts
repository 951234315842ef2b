const waiting = new Set<() => Promise<void>>();

/**
 * Has work done when the process is about to end by itself, which then waits for it; an exception nobody
 * catches and `process.exit` do not wait. A rejection is one that nobody handles.
 *
 * @returns a function that calls it off.
 */
export function beforeExit(work: () => Promise<void>): () => void {
  if (waiting.size === 0) process.on("beforeExit", workOff);
  waiting.add(work);
  return () => {
    waiting.delete(work);
    if (waiting.size === 0) process.off("beforeExit", workOff);
  };
}

function workOff(): void {
  // Node asks again once that is done: each is done once.
  const works = [...waiting];
  waiting.clear();
  process.off("beforeExit", workOff);
  for (const work of works) void work();
}
