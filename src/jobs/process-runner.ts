import { decodeError, EvaluationError, type WireError } from "../base/errors.js";
import { startProcess, type TaskProcess } from "./task-process.js";
import {
  createPendingTask,
  createTaskTimes,
  FEWEST_TASKS,
  type OpenOptions,
  type Operations,
  type PendingTask,
  type ProgramModule,
  type TaskOptions,
  type TaskReply,
  type TaskRunner,
  type TaskSession,
  type TaskTimes,
} from "./task-runner.js";

/** So many deaths at one task, or at the start, are not chance. */
const MOST_DEATHS = 3;

/** Creates what runs programs in so many processes of this machine. */
export function createProcessRunner(processes: number): TaskRunner {
  const sessions = new Set<ProcessSession<unknown, unknown>>();
  return {
    processes,
    async open<Order, Facts, Ops extends Operations>(
      program: ProgramModule,
      order: Order,
      options: OpenOptions<Order, Facts> = {},
    ) {
      const session = new ProcessSession<Order, Facts>(program, order, processes, options);
      sessions.add(session as ProcessSession<unknown, unknown>);
      await session.start(options.signal);
      return session as unknown as TaskSession<Facts, Ops>;
    },
    processIds: () => [...sessions].flatMap((session) => session.processIds()),
    dispose() {
      for (const session of sessions) session.dispose();
    },
  };
}

interface ProcessTask extends PendingTask {
  readonly id: number;
  /** Processes that died while they had it. After one it is given to a process that has nothing else. */
  deaths: number;
}

interface Worker {
  readonly process: TaskProcess;
  isReady: boolean;
  /** What it was asked and has not answered. */
  readonly tasks: ProcessTask[];
}

/** The processes of one program, and the tasks that wait for them. */
class ProcessSession<Order, Facts> {
  readonly #program: ProgramModule;
  readonly #count: number;
  readonly #options: OpenOptions<Order, Facts>;
  readonly #times: TaskTimes = createTaskTimes();
  readonly #workers = new Set<Worker>();
  readonly #queue: ProcessTask[] = [];
  #order: Order;
  #facts: { readonly of: Facts } | undefined;
  #failure: { readonly reason: unknown } | undefined;
  #startDeaths = 0;
  #nextId = 0;
  #lastKey = "";
  #isScheduled = false;
  #started: () => void = () => {};
  #notStarted: (reason: unknown) => void = () => {};

  constructor(program: ProgramModule, order: Order, count: number, options: OpenOptions<Order, Facts>) {
    this.#program = program;
    this.#order = order;
    this.#count = count;
    this.#options = options;
  }

  /** Starts a first process, and the others when it is ready; all at once where nothing is to be settled. */
  async start(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    const first = new Promise<void>((resolve, reject) => {
      this.#started = resolve;
      this.#notStarted = reject;
    });
    const stop = (): void => this.#fail(signal?.reason);
    signal?.addEventListener("abort", stop, { once: true });
    try {
      const now = this.#options.settle === undefined ? this.#count : 1;
      for (let i = 0; i < now; i++) this.#add();
      await first;
    } finally {
      signal?.removeEventListener("abort", stop);
    }
    this.#holdAll();
  }

  get facts(): Facts {
    return (this.#facts as { readonly of: Facts }).of;
  }

  get concurrency(): number {
    return this.#count * (this.#isBusy() ? this.#times.tasksAtATime(this.#lastKey) : FEWEST_TASKS);
  }

  processIds(): readonly number[] {
    return [...this.#workers].flatMap(({ process: { pid } }) => (pid === undefined ? [] : [pid]));
  }

  async run(operation: string, input: unknown, how: TaskOptions): Promise<unknown> {
    how.signal?.throwIfAborted();
    if (this.#failure !== undefined) throw this.#failure.reason;
    return new Promise((resolve, reject) => {
      const onAbort = () => this.#abandon(task);
      const waiting = createPendingTask(operation, input, how, { resolve, reject, onAbort });
      const task: ProcessTask = Object.assign(waiting, { id: this.#nextId++, deaths: 0 });
      this.#lastKey = task.key;
      this.#queue.push(task);
      this.#schedule();
    });
  }

  forget(key: string): void {
    this.#times.forget(key);
    for (const { process } of this.#workers) process.send({ type: "forget", key });
  }

  dispose(): void {
    this.#fail(new EvaluationError("worker processes", "ones in use", "ones that were disposed"));
  }

  #fail(reason: unknown): void {
    this.#failure ??= { reason };
    this.#notStarted(this.#failure.reason);
    for (const { process } of this.#workers) process.kill();
    const tasks = [...this.#queue.splice(0), ...[...this.#workers].flatMap((worker) => worker.tasks)];
    for (const task of tasks) task.reject(this.#failure.reason);
    this.#workers.clear();
  }

  #isBusy(): boolean {
    return this.#queue.length > 0 || [...this.#workers].some(({ tasks }) => tasks.length > 0);
  }

  /** Processes keep this one alive only while there is something to wait for. */
  #holdAll(): void {
    const isHeld = this.#facts === undefined || this.#isBusy();
    for (const { process } of this.#workers) process.hold(isHeld);
  }

  #dispatch(): void {
    const given = new Map<Worker, ProcessTask[]>();
    for (let task = this.#queue[0]; task !== undefined; task = this.#queue[0]) {
      if (!task.isSettled) {
        const most =
          task.deaths > 0 || this.#program.isFresh === true ? 1 : this.#times.tasksAtATime(task.key);
        const worker = freest(this.#workers, most);
        if (worker === undefined) break;
        worker.tasks.push(task);
        given.set(worker, [...(given.get(worker) ?? []), task]);
      }
      this.#queue.shift();
    }
    for (const [{ process }, tasks] of given) {
      const sent = tasks.map(({ id, operation, input }) => ({ id, operation, input }));
      process.send({ type: "work", tasks: sent });
    }
    this.#holdAll();
  }

  /** Hands out what is asked for in this turn of the event loop together. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#dispatch();
    });
  }

  #ready(worker: Worker, facts: Facts): void {
    const { settle, check } = this.#options;
    this.#startDeaths = 0;
    worker.isReady = true;
    if (this.#facts === undefined) {
      this.#facts = { of: facts };
      this.#started();
      if (settle === undefined) return;
      this.#order = settle(this.#order, facts);
      for (let i = 1; i < this.#count; i++) this.#add();
      return;
    }
    const wrong = check?.(facts, this.#facts.of) ?? null;
    if (wrong !== null) this.#fail(wrong);
  }

  #reply(worker: Worker, message: TaskReply): void {
    if (message.type === "ready") this.#ready(worker, message.facts as Facts);
    else if (message.type === "failed") {
      this.#fail(errorOf(message.error, { name: "worker processes", expected: "to start" }));
    } else {
      for (const answer of message.answers) {
        const at = worker.tasks.findIndex(({ id }) => id === answer.id);
        const [task] = worker.tasks.splice(at, 1) as [ProcessTask];
        const isDone = "output" in answer;
        this.#times.learn(task.key, answer.seconds, isDone && answer.isWhole);
        if (isDone) task.resolve(answer.output);
        else task.reject(errorOf(answer.error, task.how));
      }
      if (this.#program.isFresh === true) this.#replace(worker);
    }
    this.#schedule();
  }

  #end(worker: Worker, how: string): void {
    if (!this.#workers.delete(worker) || this.#failure !== undefined) return;
    const { tasks } = worker;
    if (tasks.length === 0 && ++this.#startDeaths >= MOST_DEATHS) {
      const got = `${this.#startDeaths} that died, the last by ${how}`;
      this.#fail(new EvaluationError("worker processes", "to start", got));
      return;
    }
    for (const task of tasks) {
      if (++task.deaths >= MOST_DEATHS) task.reject(deathError(task.how, how));
    }
    this.#queue.unshift(...tasks);
    this.#add();
    this.#schedule();
  }

  #replace(worker: Worker): void {
    this.#workers.delete(worker);
    worker.process.kill();
    this.#add();
  }

  #add(): void {
    const worker: Worker = {
      isReady: false,
      tasks: [],
      process: startProcess(this.#program, this.#order, {
        reply: (message) => this.#workers.has(worker) && this.#reply(worker, message),
        end: (how) => this.#end(worker, how),
      }),
    };
    this.#workers.add(worker);
  }

  #abandon(task: ProcessTask): void {
    for (const { process, tasks } of this.#workers) {
      if (tasks.includes(task)) process.send({ type: "abort", id: task.id });
    }
  }
}

/** The worker with the fewest tasks, of those that have less than `most` and none that a process died at. */
function freest(workers: Iterable<Worker>, most: number): Worker | undefined {
  let found: Worker | undefined;
  for (const worker of workers) {
    const { isReady, tasks } = worker;
    const isAlone = tasks.some(({ deaths }) => deaths > 0);
    if (isReady && !isAlone && tasks.length < (found?.tasks.length ?? most)) found = worker;
  }
  return found;
}

function deathError({ name, expected, onDeaths }: TaskOptions, how: string): Error {
  if (onDeaths !== undefined) return onDeaths(MOST_DEATHS, how);
  return new EvaluationError(name, expected, `${MOST_DEATHS} workers that died there, the last by ${how}`);
}

/** The error of a process: of its own class, or an {@link EvaluationError} of the task. */
function errorOf(error: WireError, { name, expected }: Pick<TaskOptions, "name" | "expected">): Error {
  if (error.own !== null) return decodeError(error);
  return new EvaluationError(name, expected, `an error in a worker process: ${error.message}`);
}
