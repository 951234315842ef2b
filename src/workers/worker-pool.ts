import { EvaluationError } from "../errors.js";
import { decodeError, type WireError } from "../wire-error.js";
import type { WorkerFacts, WorkerOrder, WorkerReply, WorkerResult, WorkerWork } from "./worker-messages.js";
import { startWorker, type WorkerProcess } from "./worker-process.js";

/** Points that a worker has at a time: the next one is there when it has finished one. */
export const POINTS_PER_WORKER = 2;
/** So many deaths at one point, or at the start, are not chance. */
const MOST_DEATHS = 3;

/** Worker processes that compute what they are asked, in any order. */
export interface WorkerPool {
  /** What the first worker said of its evaluator. */
  readonly facts: WorkerFacts;
  /** Process ids of the workers that live. */
  workerIds(): readonly number[];
  /**
   * Has a worker compute something; a worker that dies is replaced and its work done again.
   *
   * @param name - what is computed, for errors.
   * @throws {@link EvaluationError} if three workers died at it, or workers cannot be started.
   */
  run(work: WorkerWork, name: string, signal?: AbortSignal): Promise<WorkerResult>;
  /** Has all workers forget a plane. */
  closePlane(id: number): void;
  /** Ends the workers; work under way fails. */
  dispose(): void;
}

interface Task {
  readonly id: number;
  readonly work: WorkerWork;
  readonly name: string;
  deaths: number;
  isSettled: boolean;
  settle(outcome: WorkerResult | Error): void;
}

interface Worker {
  readonly process: WorkerProcess;
  isReady: boolean;
  /** What it was asked and has not answered, in order: it is at the first. */
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
  let facts: WorkerFacts | undefined;
  let current = order;
  let failure: Error | undefined;
  let isClosed = false;
  let startDeaths = 0;
  let nextId = 0;
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
  const holdAll = (): void => {
    const isBusy =
      facts === undefined || queue.length > 0 || [...workers].some(({ tasks }) => tasks.length > 0);
    for (const { process } of workers) process.hold(isBusy);
  };
  const dispatch = (): void => {
    while (queue.length > 0) {
      const [worker] = [...workers]
        .filter(({ isReady, tasks }) => isReady && tasks.length < POINTS_PER_WORKER)
        .sort((a, b) => a.tasks.length - b.tasks.length);
      if (worker === undefined) break;
      const task = queue.shift() as Task;
      if (task.isSettled) continue;
      worker.tasks.push(task);
      worker.process.send({ type: "work", id: task.id, work: task.work });
    }
    holdAll();
  };
  const ready = (worker: Worker, found: WorkerFacts): void => {
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
      const at = worker.tasks.findIndex(({ id }) => id === message.id);
      const [task] = worker.tasks.splice(at, 1) as [Task];
      task.settle(message.type === "done" ? message.result : errorOf(message.error, task.name));
    }
    dispatch();
  };
  const end = (worker: Worker, how: string): void => {
    if (!workers.delete(worker) || isClosed || failure !== undefined) return;
    const [blamed, ...others] = worker.tasks;
    if (blamed === undefined && ++startDeaths >= MOST_DEATHS) {
      fail(
        new EvaluationError("worker processes", "to start", `${startDeaths} that died, the last by ${how}`),
      );
      return;
    }
    if (blamed !== undefined && ++blamed.deaths >= MOST_DEATHS) {
      blamed.settle(
        new EvaluationError(
          blamed.name,
          "a loss",
          `${MOST_DEATHS} workers that died there, the last by ${how}`,
        ),
      );
    }
    queue.unshift(...([blamed, ...others].filter((task) => task !== undefined && !task.isSettled) as Task[]));
    add();
    dispatch();
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
    facts: facts as unknown as WorkerFacts,
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
        queue.push(task);
        dispatch();
      });
    },
    closePlane(id) {
      for (const { process } of workers) process.send({ type: "close", plane: id });
    },
    dispose,
  };
}

/** What an abort rejects with need not be an error. */
function isResult(outcome: WorkerResult | Error): outcome is WorkerResult {
  const names = ["loss", "isCached", "classes", "dataDigest", "theta"];
  return typeof outcome === "object" && outcome !== null && names.some((name) => name in outcome);
}

/** The error of a worker: of its own class, or an {@link EvaluationError} of `place`. */
function errorOf(error: WireError, place: string): Error {
  if (error.own !== null) return decodeError(error);
  return new EvaluationError(place, "a loss", `an error in a worker process: ${error.message}`);
}
