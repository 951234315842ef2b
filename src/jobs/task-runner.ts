import type { LandscapeError, WireError } from "../base/errors.js";
import type { Stoppable } from "../base/work.js";

/** The operations of a program by name: from one input to one output, both plain data. */
export type Operations = {
  /** By name. */
  // biome-ignore lint/suspicious/noExplicitAny: each program has inputs and outputs of its own.
  readonly [name: string]: (input: any) => any;
};

/** What an operation gives. */
export type OutputOf<Ops extends Operations, K extends keyof Ops> = ReturnType<Ops[K]>;

/** A program that has been opened in a process: it has read what its order names, and answers. */
export interface OpenProgram<Facts, Ops extends Operations> {
  /** What the one who asked should know, as plain data. */
  readonly facts: Facts;
  /** One entry per operation. Operations of a process run one after another. */
  readonly operations: {
    readonly [K in keyof Ops]: (
      input: Parameters<Ops[K]>[0],
      signal: AbortSignal,
    ) => OutputOf<Ops, K> | Promise<OutputOf<Ops, K>>;
  };
  /** Frees what was kept under a key. Default nothing is kept. */
  forget?(key: string): void | Promise<void>;
  /** Whether an output took the time that its key usually takes: false where it ended early. Default it did. */
  isWhole?(output: unknown): boolean;
}

/** What a program's module exports as `openProgram`. */
export type ProgramOpener<Order, Facts, Ops extends Operations> = (
  order: Order,
) => Promise<OpenProgram<Facts, Ops>>;

/** A program by its compiled module, which exports `openProgram`. */
export interface ProgramModule {
  /** Path within this package: "dist/src/loss/workers/loss-program.js". */
  readonly file: string;
  /** Environment of its processes beside that of this one. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** Whether each task has a process of its own, which ends with it. Default a process does one task after another. */
  readonly isFresh?: boolean | undefined;
}

/** What opening a program takes beside its order. */
export interface OpenOptions<Order, Facts> {
  /**
   * Returns the order of the other processes from what the first one said: a choice that it made on a quiet machine.
   * Default the same order, and all processes start at once.
   */
  readonly settle?: ((order: Order, first: Facts) => Order) | undefined;
  /** Says what is wrong where a process says something else than the first. Default nothing is. */
  readonly check?: ((facts: Facts, first: Facts) => LandscapeError | null) | undefined;
  /**
   * Operation without input whose output, a text, is the same wherever values have the same bits: asked of machines
   * that may differ. Default none.
   */
  readonly probe?: string | undefined;
  /** Stops the start. Default none. */
  readonly signal?: AbortSignal | undefined;
}

/** How one task is run. */
export interface TaskOptions extends Stoppable {
  /** What it is called in errors: "grid point 12". */
  readonly name: string;
  /** What it should give, for errors: "a loss". */
  readonly expected: string;
  /** Tasks of one key take about the same time. Default the operation. */
  readonly key?: string | undefined;
  /**
   * Folder that the operation makes, whose path stands in its input. Where it runs on another machine, it makes one there, and
   * what is in it comes here. Default none.
   */
  readonly directory?: string | undefined;
  /** Whether what lies in that folder stays, but for the run there. Default false. */
  readonly keepsOthers?: boolean | undefined;
  /** Makes the error where several processes died at it. Default an `EvaluationError`. */
  readonly onDeaths?: ((deaths: number, how: string) => Error) | undefined;
}

/** A task that waits for its output. */
export interface PendingTask {
  readonly operation: string;
  readonly input: unknown;
  readonly key: string;
  readonly how: TaskOptions;
  /** Whether it has its output, or was given up: nothing changes that any more. */
  isSettled: boolean;
  resolve(output: unknown): void;
  /** @param reason - an error, or whatever a signal was aborted with. */
  reject(reason: unknown): void;
}

/**
 * Makes a task that settles a promise once; its signal rejects it.
 *
 * @param promise - `resolve` and `reject` of the promise, and what is done once the signal has rejected the task.
 */
export function createPendingTask(
  operation: string,
  input: unknown,
  how: TaskOptions,
  promise: {
    readonly resolve: (output: unknown) => void;
    readonly reject: (reason: unknown) => void;
    readonly onAbort: (task: PendingTask) => void;
  },
): PendingTask {
  const { key = operation, signal } = how;
  const settle = (finish: () => void): void => {
    if (task.isSettled) return;
    task.isSettled = true;
    signal?.removeEventListener("abort", onAbort);
    finish();
  };
  const onAbort = (): void => {
    task.reject(signal?.reason);
    promise.onAbort(task);
  };
  const task: PendingTask = {
    operation,
    input,
    key,
    how,
    isSettled: false,
    resolve: (output) => settle(() => promise.resolve(output)),
    reject: (reason) => settle(() => promise.reject(reason)),
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  return task;
}

/** A program that runs somewhere, and takes tasks in any order. */
export interface TaskSession<Facts, Ops extends Operations> {
  /** What the first process said. */
  readonly facts: Facts;
  /** How many tasks are to be under way at once, so that nothing waits; it may change. */
  readonly concurrency: number;
  /**
   * Runs an operation.
   *
   * @throws its error, with its class where it is one of this package.
   */
  run<K extends keyof Ops & string>(
    operation: K,
    input: Parameters<Ops[K]>[0],
    how: TaskOptions,
  ): Promise<OutputOf<Ops, K>>;
  /** Has what is kept under a key freed, wherever it is kept. */
  forget(key: string): void;
  /** Ends it; tasks under way fail. Idempotent. */
  dispose(): void;
}

/** Runs programs somewhere: in processes of this machine; later on others. */
export interface TaskRunner {
  /** Processes of each session. */
  readonly processes: number;
  /** Opens a program for an order, in each process. */
  open<Order, Facts, Ops extends Operations>(
    program: ProgramModule,
    order: Order,
    options?: OpenOptions<Order, Facts>,
  ): Promise<TaskSession<Facts, Ops>>;
  /** Process ids of what lives. */
  processIds(): readonly number[];
  /** Ends every session. Idempotent. */
  dispose(): void;
}

/** One thing to compute; its answer comes under the same number. */
export interface Task {
  readonly id: number;
  readonly operation: string;
  readonly input: unknown;
}

/** What became of a task, and what computing it took. */
export type TaskAnswer = { readonly id: number; readonly seconds: number } & (
  | { readonly output: unknown; readonly isWhole: boolean }
  | { readonly error: WireError }
);

/** To a process. */
export type TaskRequest =
  | { readonly type: "start"; readonly module: string; readonly order: unknown }
  | { readonly type: "work"; readonly tasks: readonly Task[] }
  | { readonly type: "abort"; readonly id: number }
  | { readonly type: "forget"; readonly key: string };

/** From a process. */
export type TaskReply =
  | { readonly type: "ready"; readonly facts: unknown }
  | { readonly type: "failed"; readonly error: WireError }
  | { readonly type: "answers"; readonly answers: readonly TaskAnswer[] };

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
