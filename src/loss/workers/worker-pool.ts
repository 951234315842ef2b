import { type ChildProcess, fork } from "node:child_process";
import { decodeError, EvaluationError, type WireError } from "../../base/errors.js";
import { packageFile } from "../../base/package-files.js";
import type { EvaluatorFacts } from "../loss-evaluator.js";
import {
  SECONDS_A_MESSAGE,
  type WorkerOrder,
  type WorkerReply,
  type WorkerRequest,
  type WorkerResult,
  type WorkerWork,
} from "./worker-messages.js";

/** A worker has two tasks at least: the next one is there when it has finished one. */
export const FEWEST_TASKS = 2;
const MOST_TASKS = 64;

/** What tasks took, by key: tasks of one key take about the same time. */
export interface TaskTimes {
  /**
   * Takes in what a task took.
   *
   * @param isWhole - whether it was computed to the end. What failed, or a point at which the loss is not defined, may
   * have ended early, and tells only that tasks take as long at least.
   */
  learn(key: string, seconds: number, isWhole: boolean): void;
  /** Tasks of a key that a worker is to have at a time: two, or twice what makes a message of short ones. */
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

/** Most characters that are kept of what a worker writes on stderr. */
const STDERR_KEPT = 2000;

/** What a worker process tells its pool. */
export interface WorkerEvents {
  reply(reply: WorkerReply): void;
  /** It ended, whatever the cause. */
  end(how: string): void;
}

/** One worker process. */
export interface WorkerProcess {
  readonly pid: number | undefined;
  send(request: WorkerRequest): void;
  /** Whether the process keeps this one alive. */
  hold(isHeld: boolean): void;
  kill(): void;
}

/**
 * Starts a worker process and sends it its order. What libraries print in it is not shown; the end of its
 * stderr becomes part of what is said if it dies.
 */
export function startWorker(order: WorkerOrder, events: WorkerEvents): WorkerProcess {
  const file = packageFile("dist/src/loss/workers/evaluation-worker.js", "build the package: npm run build");
  const threads = String(order.threads);
  const child = fork(file, [], {
    // No flags of the parent: a loader meant for its sources must not run again here.
    execArgv: [],
    serialization: "advanced",
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    env: {
      ...process.env,
      TFJS_LANDSCAPE_BACKEND: "",
      TF_CPP_MIN_LOG_LEVEL: process.env.TF_CPP_MIN_LOG_LEVEL ?? "2",
      TF_NUM_INTRAOP_THREADS: threads,
      TF_NUM_INTEROP_THREADS: "1",
      OMP_NUM_THREADS: threads,
    },
  });
  const stderr = tailOfStderr(child);
  let isOver = false;
  const end = (how: string): void => {
    if (isOver) return;
    isOver = true;
    const said = stderr();
    events.end(said === "" ? how : `${how}: ${said}`);
  };
  child.on("message", (reply: WorkerReply) => events.reply(reply));
  child.on("error", (error) => end(error.message));
  child.on("exit", (code, signal) => end(signal === null ? `exit code ${code}` : `signal ${signal}`));
  const send = (request: WorkerRequest): void => {
    // An error means that it is about to end, which the event above says.
    if (child.connected) child.send(request, () => undefined);
  };
  send({ type: "start", order });
  return {
    pid: child.pid,
    send,
    hold(isHeld) {
      for (const part of [child, child.channel, child.stderr as unknown as NodeJS.Timeout | null]) {
        if (isHeld) part?.ref();
        else part?.unref();
      }
    },
    kill: () => void child.kill("SIGKILL"),
  };
}

/** Returns the last line that the process wrote on stderr. */
function tailOfStderr({ stderr }: ChildProcess): () => string {
  let text = "";
  stderr?.setEncoding("utf8").on("data", (part: string) => {
    text = `${text}${part}`.slice(-STDERR_KEPT);
  });
  return () => text.trim().split("\n").at(-1)?.trim() ?? "";
}

/** So many deaths at one point, or at the start, are not chance. */
const MOST_DEATHS = 3;

/** Worker processes that compute what they are asked, in any order. */
export interface WorkerPool {
  /** What the first worker said of its evaluator. */
  readonly facts: EvaluatorFacts;
  /**
   * Tasks that a worker takes at a time, of the kind asked for last. Where they take long, and of work that is only
   * begun, it is two; of short ones more, which then go in one message, for a message costs both processes about a
   * tenth of a millisecond.
   */
  tasksAtATime(): number;
  /** Process ids of the workers that live. */
  workerIds(): readonly number[];
  /**
   * Has a worker compute something; a worker that dies is replaced and its work done again.
   *
   * @param name - what is computed, for errors.
   * @throws {@link EvaluationError} if three workers died at it, or workers cannot be started.
   */
  run(work: WorkerWork, name: string, signal?: AbortSignal): Promise<WorkerResult>;
  /** Has all workers forget a slice, or samples. */
  close(id: number): void;
  /** Ends the workers; work under way fails. */
  dispose(): void;
}

interface Task {
  readonly id: number;
  readonly work: WorkerWork;
  readonly key: string;
  readonly name: string;
  /** Workers that died while they had it. After one it is given to a worker that has nothing else. */
  deaths: number;
  isSettled: boolean;
  settle(outcome: WorkerResult | Error): void;
}

interface Worker {
  readonly process: WorkerProcess;
  isReady: boolean;
  /** What it was asked and has not answered. */
  readonly tasks: Task[];
}

/**
 * Starts a first worker, which chooses the engine on a quiet machine; the others get its choice.
 *
 * @throws what the worker could not do, as an error of its class.
 */
export async function createWorkerPool(
  order: WorkerOrder,
  count: number,
  signal?: AbortSignal,
): Promise<WorkerPool> {
  let facts: EvaluatorFacts | undefined;
  let current = order;
  let failure: Error | undefined;
  let isClosed = false;
  let startDeaths = 0;
  let nextId = 0;
  const times = createTaskTimes();
  let lastKey = "";
  let isScheduled = false;
  const workers = new Set<Worker>();
  const queue: Task[] = [];
  let started: () => void = () => {};
  let notStarted: (error: Error) => void = () => {};
  const first = new Promise<void>((resolve, reject) => {
    started = resolve;
    notStarted = reject;
  });

  const fail = (error: Error): void => {
    failure ??= error;
    notStarted(failure);
    for (const worker of workers) worker.process.kill();
    for (const task of [...queue.splice(0), ...[...workers].flatMap(({ tasks }) => tasks)]) {
      task.settle(failure);
    }
    workers.clear();
  };
  const isBusy = (): boolean => queue.length > 0 || [...workers].some(({ tasks }) => tasks.length > 0);
  const holdAll = (): void => {
    const isHeld = facts === undefined || isBusy();
    for (const { process } of workers) process.hold(isHeld);
  };
  const dispatch = (): void => {
    const given = new Map<Worker, Task[]>();
    for (let task = queue[0]; task !== undefined; task = queue[0]) {
      if (!task.isSettled) {
        const worker = freest(workers, task.deaths > 0 ? 1 : times.tasksAtATime(task.key));
        if (worker === undefined) break;
        worker.tasks.push(task);
        given.set(worker, [...(given.get(worker) ?? []), task]);
      }
      queue.shift();
    }
    for (const [{ process }, tasks] of given) {
      process.send({ type: "work", tasks: tasks.map(({ id, work }) => ({ id, work })) });
    }
    holdAll();
  };
  /** Hands out what is asked for in this turn of the event loop together. */
  const schedule = (): void => {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(() => {
      isScheduled = false;
      dispatch();
    });
  };
  const ready = (worker: Worker, found: EvaluatorFacts): void => {
    startDeaths = 0;
    worker.isReady = true;
    if (facts === undefined) {
      facts = found;
      const { engine } = found;
      current = { ...order, options: { ...order.options, reuse: engine } };
      started();
      for (let i = 1; i < count; i++) add();
    } else if (found.dataDigest !== facts.dataDigest) {
      const expected = `the same data in every process (digest ${facts.dataDigest.slice(0, 12)})`;
      fail(new EvaluationError("worker processes: data", expected, found.dataDigest.slice(0, 12)));
    }
  };
  const reply = (worker: Worker, message: WorkerReply): void => {
    if (message.type === "ready") ready(worker, message.facts);
    else if (message.type === "failed") fail(errorOf(message.error, "worker processes"));
    else {
      for (const answer of message.answers) {
        const at = worker.tasks.findIndex(({ id }) => id === answer.id);
        const [task] = worker.tasks.splice(at, 1) as [Task];
        times.learn(task.key, answer.seconds, "result" in answer && !isUndefined(answer.result));
        task.settle("result" in answer ? answer.result : errorOf(answer.error, task.name));
      }
    }
    schedule();
  };
  const end = (worker: Worker, how: string): void => {
    if (!workers.delete(worker) || isClosed || failure !== undefined) return;
    const { tasks } = worker;
    if (tasks.length === 0 && ++startDeaths >= MOST_DEATHS) {
      fail(
        new EvaluationError("worker processes", "to start", `${startDeaths} that died, the last by ${how}`),
      );
      return;
    }
    for (const task of tasks) {
      if (++task.deaths < MOST_DEATHS) continue;
      const got = `${MOST_DEATHS} workers that died there, the last by ${how}`;
      task.settle(new EvaluationError(task.name, "a loss", got));
    }
    queue.unshift(...tasks);
    add();
    schedule();
  };
  const add = (): void => {
    const tasks: Task[] = [];
    const worker: Worker = {
      isReady: false,
      tasks,
      process: startWorker(current, {
        reply: (message) => workers.has(worker) && reply(worker, message),
        end: (how) => end(worker, how),
      }),
    };
    workers.add(worker);
  };
  const abandon = (task: Task): void => {
    for (const { process, tasks } of workers) {
      if (tasks.includes(task)) process.send({ type: "abort", id: task.id });
    }
  };
  const dispose = (): void => {
    isClosed = true;
    fail(new EvaluationError("LossEvaluator", "one in use", "one that was disposed"));
  };

  const stop = (): void => fail(signal?.reason as Error);
  signal?.throwIfAborted();
  signal?.addEventListener("abort", stop, { once: true });
  add();
  try {
    await first;
  } finally {
    signal?.removeEventListener("abort", stop);
  }
  holdAll();
  return {
    facts: facts as unknown as EvaluatorFacts,
    tasksAtATime: () => (isBusy() ? times.tasksAtATime(lastKey) : FEWEST_TASKS),
    workerIds: () => [...workers].flatMap(({ process: { pid } }) => (pid === undefined ? [] : [pid])),
    async run(work, name, stopSignal) {
      stopSignal?.throwIfAborted();
      if (failure !== undefined) throw failure;
      return new Promise<WorkerResult>((resolve, reject) => {
        const onAbort = (): void => {
          task.settle(stopSignal?.reason as Error);
          abandon(task);
        };
        const task: Task = {
          id: nextId++,
          work,
          key: keyOf(work),
          name,
          deaths: 0,
          isSettled: false,
          settle(outcome) {
            if (task.isSettled) return;
            task.isSettled = true;
            stopSignal?.removeEventListener("abort", onAbort);
            if (isResult(outcome)) resolve(outcome);
            else reject(outcome);
          },
        };
        stopSignal?.addEventListener("abort", onAbort, { once: true });
        lastKey = task.key;
        queue.push(task);
        schedule();
      });
    },
    close(id) {
      times.forget(String(id));
      for (const { process } of workers) process.send({ type: "close", id });
    },
    dispose,
  };
}

/** The worker with the fewest tasks, of those that have less than `most` and none that a worker died at. */
function freest(workers: Iterable<Worker>, most: number): Worker | undefined {
  let found: Worker | undefined;
  for (const worker of workers) {
    const { isReady, tasks } = worker;
    const isAlone = tasks.some(({ deaths }) => deaths > 0);
    if (isReady && !isAlone && tasks.length < (found?.tasks.length ?? most)) found = worker;
  }
  return found;
}

/** Tasks of one key take about the same time: planes and samples are numbered by one count. */
function keyOf(work: WorkerWork): string {
  switch (work.kind) {
    case "point":
      return String(work.slice.id);
    case "samples":
      return String(work.samples.id);
    default:
      return work.kind;
  }
}

/** Whether there is no loss at a point. */
function isUndefined(result: WorkerResult): boolean {
  return "loss" in result && Number.isNaN(typeof result.loss === "number" ? result.loss : result.loss[0]);
}

/** What an abort rejects with need not be an error. */
function isResult(outcome: WorkerResult | Error): outcome is WorkerResult {
  const names = ["loss", "isPrepared", "classes"];
  return typeof outcome === "object" && outcome !== null && names.some((name) => name in outcome);
}

/** The error of a worker: of its own class, or an {@link EvaluationError} of `place`. */
function errorOf(error: WireError, place: string): Error {
  if (error.own !== null) return decodeError(error);
  return new EvaluationError(place, "a loss", `an error in a worker process: ${error.message}`);
}
