/** Something that work uses, and that is freed once it is closed and no work is under way. */
export interface SharedUse {
  isClosed(): boolean;
  /** Runs work that uses it; what was begun before `close` still finds it. */
  run<T>(work: () => Promise<T>): Promise<T>;
  close(): void;
}

/** @param free - frees it; called once. */
export function createSharedUse(free: () => void): SharedUse {
  let pending = 0;
  let isClosed = false;
  let isFreed = false;
  const freeIfIdle = (): void => {
    if (!isClosed || isFreed || pending > 0) return;
    isFreed = true;
    free();
  };
  return {
    isClosed: () => isClosed,
    async run(work) {
      pending++;
      try {
        return await work();
      } finally {
        pending--;
        freeIfIdle();
      }
    },
    close() {
      isClosed = true;
      freeIfIdle();
    },
  };
}
