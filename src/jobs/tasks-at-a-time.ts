/** Seconds of work whose answers a process sends in one message, where it has more to do. */
export const SECONDS_A_MESSAGE = 0.02;

/** A process has two tasks at least: the next one is there when it has finished one. */
export const FEWEST_TASKS = 2;
const MOST_TASKS = 64;

/** What tasks took, by key: tasks of one key take about the same time. */
export interface TaskTimes {
  /**
   * Takes in what a task took.
   *
   * @param isWhole - whether it was computed to the end. What failed, or ended early, tells only that tasks take as long
   * at least.
   */
  learn(key: string, seconds: number, isWhole: boolean): void;
  /**
   * Tasks queued per process: two if they are long, more if they are short, so that several share one message
   * (some 0.2 ms each).
   */
  tasksAtATime(key: string): number;
  forget(key: string): void;
}

/** Nothing is known at first. */
export function createTaskTimes(): TaskTimes {
  const times = new Map<string, number>();
  return {
    learn(key, seconds, isWhole) {
      const known = times.get(key);
      if (!isWhole && (known === undefined || seconds <= known)) return;
      if (known === undefined) times.set(key, seconds);
      // What takes much longer is believed sooner: too many long tasks are worse than too few short ones.
      else times.set(key, known + (seconds - known) * (seconds > 4 * known ? 1 / 2 : 1 / 8));
    },
    tasksAtATime(key) {
      const inMessage = Math.ceil(SECONDS_A_MESSAGE / (times.get(key) ?? SECONDS_A_MESSAGE));
      return Math.max(FEWEST_TASKS, Math.min(MOST_TASKS, 2 * inMessage));
    },
    forget: (key) => void times.delete(key),
  };
}
