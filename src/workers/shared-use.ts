/** Something that work uses and that is freed once it is closed and no work is under way. */
export interface SharedUse {
  /** Runs work that uses it; after `close` it is refused. */
  run<T>(work: () => Promise<T>): Promise<T>;
  close(): void;
}

/**
 * Counts what is under way, so that work that was begun before `close` still finds what it uses.
 *
 * @param free - frees it, once.
 * @param refuse - makes the error of work that comes after `close`.
 */
export function createSharedUse(free: () => void, refuse: () => Error): SharedUse {
  let pending = 0;
  let isOpen = true;
  return {
    async run(work) {
      if (!isOpen) throw refuse();
      pending++;
      try {
        return await work();
      } finally {
        pending--;
        if (!isOpen && pending === 0) free();
      }
    },
    close() {
      if (!isOpen) return;
      isOpen = false;
      if (pending === 0) free();
    },
  };
}
