import { randomBytes } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { terminalText } from "../base/clean-text.js";
import { decodeError, EvaluationError } from "../base/errors.js";
import { ownPackageVersion } from "../base/package-files.js";
import type { JsonValue } from "../base/provenance.js";
import { sha256 } from "../base/provenance.js";
import { createJobFolder, isJobFile, type JobFolder } from "../jobs/job-folder.js";
import {
  createPendingTask,
  type OpenOptions,
  type Operations,
  type PendingTask,
  type ProgramModule,
  type TaskOptions,
  type TaskRunner,
  type TaskSession,
} from "../jobs/task-runner.js";
import type { ContentStore, StoredContent } from "./content-store.js";
import { unpackFolder } from "./folder-parcel.js";
import { type QueuePlaceOptions, queuePlace } from "./queue-place.js";
import {
  ALIVE_SECONDS,
  ANY_VALUE,
  ATTEMPTS,
  answerSchema,
  type JobSet,
  MOST_TASKS,
  PROGRAMS,
  parsedMessage,
  type Tile,
  type TileAnswer,
  type TileLine,
  type TileQueue,
} from "./tile-queue.js";
import { decodeWire, encodeWire, type WireSink, type WireSource } from "./wire.js";

/** Options of {@link createQueueRunner}. */
export interface QueueRunnerOptions extends QueuePlaceOptions {
  /**
   * Whether machines of several kinds (versions, instruction sets) may share a job set. Their values may differ in the
   * last bits; a worker whose values differ at the probe is refused all the same. Default false: the kind of the first
   * worker that answers.
   */
  readonly mixed?: boolean | undefined;
  /**
   * Seconds of work in one tile. Default 5, and up to 30 where sending a tile and bringing its inputs takes more than 2 % of
   * that, as it was measured.
   */
  readonly tileSeconds?: number | undefined;
  /** Called with what the user should know: that no worker is there, or left out. Default nothing is said. */
  readonly onNotice?: ((text: string) => void) | undefined;
  /** Stops the connecting. Default none. */
  readonly signal?: AbortSignal | undefined;
}

/** Milliseconds between looks at tiles of which nothing was heard; of one tile first, and at most. */
const LOOK_TIME = 2000;
const MOST_LOOK_TIME = 10_000;
/** Seconds of work in a tile: as few as may be, so that no worker waits at the end for another one's. */
const [LEAST_SECONDS, MOST_SECONDS] = [5, 30] as const;
/** Most seconds of what is not work, as a share of a tile. */
const OVERHEAD_SHARE = 0.02;
/** Tiles per process: one under way, one waiting. */
const TILES_AHEAD = 2;

/** A runner over a queue, and what it has sent. */
export interface QueueRunner extends TaskRunner {
  readonly counts: Readonly<QueueCounts>;
}

/** What a runner has sent. The sum of `again` and `repeats` is the number of tiles that may have been evaluated twice. */
interface QueueCounts {
  tiles: number;
  /** Tiles sent again because the server had lost them. */
  again: number;
  /** Tiles begun again by another worker, because the first one had died, was frozen, or had failed. */
  repeats: number;
  /** Bytes of all messages. */
  bytes: number;
}

interface QueuedTask extends PendingTask {
  /** Tasks that were asked for before it. Callers ask from coarse to fine. */
  readonly sequence: number;
}

interface SentTile {
  readonly id: string;
  readonly data: Tile;
  readonly tasks: readonly QueuedTask[];
  sent: number;
  /** When the queue is asked for it. */
  lookAt: number;
  /** Seconds that sending took. */
  adding: number;
}

/**
 * Creates what runs programs in workers on any machine that pulls from a queue: BullMQ on a Redis or Valkey server, or a
 * folder that all machines see. It takes the place of worker processes: `createLossEvaluator(model, data, { runner })`.
 *
 * Tasks are sent in tiles of some seconds. A tile whose worker dies is done by another one; one that the server has
 * lost is sent again; whatever is done twice counts once. Values are those of worker processes, bit for bit, with the
 * same engine, batch size, threads and kind of machine: each worker computes a probe first, and is refused where its
 * bits differ.
 *
 * @throws {@link EvaluationError} if the server does not answer or refuses; {@link MissingDependencyError} if `bullmq`
 * or `ioredis` is not installed; {@link InvalidOptionError} for an address or folder that cannot be used.
 * @example
 * const runner = await createQueueRunner({ redis: "redis://localhost", store: "/shared/landscape" });
 * const evaluator = await createLossEvaluator(model, { xs, ys }, { runner });
 * const { loss } = await evaluator.evaluate(theta);
 * evaluator.dispose();
 * runner.dispose();
 */
export async function createQueueRunner(options: QueueRunnerOptions): Promise<QueueRunner> {
  const place = queuePlace(options);
  const queue = await place.openQueue();
  try {
    options.signal?.throwIfAborted();
    const store = await place.openStore();
    const folder = await createJobFolder();
    const processes = Math.max(1, Math.min(256, (await countWorkers(queue)).processes));
    const counts: QueueCounts = { tiles: 0, again: 0, repeats: 0, bytes: 0 };
    const sessions = new Set<QueueSession>();
    return {
      processes,
      counts,
      async open<Order, Facts, Ops extends Operations>(
        program: ProgramModule,
        order: Order,
        how: OpenOptions<Order, Facts> = {},
      ) {
        const session = new QueueSession({ queue, store, folder, options, counts });
        sessions.add(session);
        await session.start(program, order, how as OpenOptions<unknown, unknown>);
        return session as unknown as TaskSession<Facts, Ops>;
      },
      processIds: () => [],
      dispose() {
        const ends = [...sessions].map((session) => session.end());
        sessions.clear();
        void Promise.allSettled(ends).then(() => queue.close());
        folder.remove();
      },
    };
  } catch (error) {
    queue.close();
    throw error;
  }
}

/** Workers that are there now. */
interface Present {
  /** Processes of those that may do the work. */
  readonly processes: number;
  /** Processes of those that may not: of another kind, or another version of this package. */
  readonly others: number;
  /** Versions of theirs, where they are other ones. */
  readonly versions: readonly string[];
}

async function countWorkers(queue: TileQueue, kind?: string): Promise<Present> {
  let [processes, others] = [0, 0];
  const versions = new Set<string>();
  for (const worker of await queue.workers()) {
    const isCurrent = worker.version === ownPackageVersion();
    if (!isCurrent) versions.add(worker.version);
    if (isCurrent && (kind === undefined || worker.kind === kind)) processes += worker.processes;
    else others += worker.processes;
  }
  return { processes, others, versions: [...versions].sort() };
}

interface SessionParts {
  readonly queue: TileQueue;
  readonly store: ContentStore;
  readonly folder: JobFolder;
  readonly options: QueueRunnerOptions;
  readonly counts: QueueCounts;
}

/** One program in the workers, as the one who asked sees it. */
class QueueSession {
  readonly #parts: SessionParts;
  readonly #submission = randomBytes(8).toString("hex");
  readonly #tiles = new Map<string, SentTile>();
  /** Seconds of a task, by key. */
  readonly #seconds = new Map<string, number>();
  readonly #sink: WireSink;
  readonly #source: WireSource;
  readonly #known = new Map<string, Promise<StoredContent>>();
  #waiting: QueuedTask[] = [];
  #line: TileLine | null = null;
  #jobSet: StoredContent | null = null;
  #facts: unknown;
  #kind: string | undefined;
  #processes: number;
  /** Whether the user was told that nobody is there. */
  #isLonely = false;
  #lastKey = "";
  #nextTask = 0;
  #nextTile = 0;
  /** Seconds of a tile that are no work. */
  #overhead = 0;
  #temporary = 0;
  #isScheduled = false;
  #isOver = false;
  #ending: Promise<void> | undefined;
  #timers: NodeJS.Timeout[] = [];

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#processes = 1;
    const { store, folder } = parts;
    const temporary = (): string => folder.file(`message-${this.#submission}-${this.#temporary++}`);
    const put = (file: string): Promise<StoredContent> => {
      // A file of a job folder is written once, but for those of JSON.
      if (file.includes("message-")) return store.put(file);
      const known = this.#known.get(file) ?? store.put(file);
      this.#known.set(file, known);
      known.catch(() => this.#known.delete(file));
      return known;
    };
    this.#sink = { isFile: isJobFile, put, temporary };
    this.#source = {
      temporary,
      async hold(content) {
        const file = temporary();
        await store.fetch(content, file);
        return file;
      },
      drop: (file) => rm(file, { force: true }),
    };
  }

  get facts(): unknown {
    return this.#facts;
  }

  get concurrency(): number {
    return Math.max(1, this.#processes) * TILES_AHEAD * this.#tileSize(this.#lastKey);
  }

  async start(program: ProgramModule, order: unknown, how: OpenOptions<unknown, unknown>): Promise<void> {
    const { options } = this.#parts;
    await this.#sayAlive();
    this.#timers.push(setInterval(() => void this.#beat(), (1000 * ALIVE_SECONDS) / 3));
    this.#timers.push(setInterval(() => void this.#look(), LOOK_TIME));
    try {
      await this.#open(undefined);
      const probe = how.probe === undefined ? null : { operation: how.probe, expected: null };
      const first = await this.#describe(program, order, probe);
      const { opened, kind } = await this.#openingTile(first, how.signal);
      this.#facts = await decodeWire(opened.facts, this.#source);
      const settled = how.settle?.(order, this.#facts) ?? order;
      this.#jobSet = await this.#describe(program, settled, probe && { ...probe, expected: opened.probe });
      if (options.mixed !== true) {
        this.#kind = kind;
        await this.#close();
        await this.#open(kind);
      }
      const { others } = await this.#lookForWorkers();
      if (others > 0) {
        options.onNotice?.(
          `${this.#processes} processes of kind ${kind} work; ${others} of other kinds or versions get nothing`,
        );
      }
    } catch (error) {
      await this.end();
      throw error;
    }
  }

  run(operation: string, input: unknown, how: TaskOptions): Promise<unknown> {
    return new Promise((resolve, reject) => {
      how.signal?.throwIfAborted();
      if (this.#isOver) throw new EvaluationError("queue", "a session in use", "one that was disposed");
      const onAbort = () => this.#dropSettled();
      const task = this.#queued(createPendingTask(operation, input, how, { resolve, reject, onAbort }));
      this.#lastKey = task.key;
      this.#waiting.push(task);
      this.#schedule();
    });
  }

  /** What workers keep under a key goes with the job set. */
  forget(key: string): void {
    this.#seconds.delete(key);
  }

  dispose(): void {
    void this.end();
  }

  /** Ends it: waiting tiles are taken back. Idempotent. */
  end(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    this.#fail(new EvaluationError("queue", "a session in use", "one that was disposed"));
    this.#isOver = true;
    for (const timer of this.#timers) clearInterval(timer);
    await this.#parts.queue.sayOver(this.#submission).catch(() => undefined);
    await this.#close();
  }

  async #open(kind: string | undefined): Promise<void> {
    this.#line = await this.#parts.queue.openLine(this.#submission, kind, {
      done: (id, answer) => void this.#completed(id, answer),
      failed: (id, reason) => this.#failed(id, reason),
    });
    await this.#lookForWorkers();
  }

  #queued(task: PendingTask): QueuedTask {
    return Object.assign(task, { sequence: this.#nextTask++ });
  }

  /** Counts those who may do the work, and says once when nobody is there. */
  async #lookForWorkers(): Promise<Present> {
    const { queue, options } = this.#parts;
    const present = await countWorkers(queue, this.#kind);
    const { processes, others, versions } = present;
    this.#processes = processes;
    if (processes === 0 && !this.#isLonely) {
      const which = this.#kind === undefined ? `version ${ownPackageVersion()}` : `kind ${this.#kind}`;
      const left = versions.length > 0 ? ` (version ${versions.join(", ")})` : "";
      const rest = others > 0 ? `; ${others} other processes${left} get nothing of this` : "";
      const text = `waiting: no worker of ${which} is there; start some with \`tfjs-landscape worker\`${rest}`;
      options.onNotice?.(terminalText(text));
    }
    this.#isLonely = processes === 0;
    return present;
  }

  async #close(): Promise<void> {
    const line = this.#line;
    this.#line = null;
    await line?.close();
  }

  async #describe(program: ProgramModule, order: unknown, probe: JobSet["probe"]): Promise<StoredContent> {
    const name = Object.keys(PROGRAMS).find((one) => PROGRAMS[one]?.file === program.file);
    if (name === undefined)
      throw new EvaluationError("queue", Object.keys(PROGRAMS).join(", "), program.file);
    const { setup, ...rest } = order as { readonly setup?: string | null };
    const isModule = typeof setup === "string";
    const jobSet: JobSet = {
      program: name,
      environment: { ...program.environment },
      order: (await encodeWire(
        { ...rest, setup: isModule ? "module" : null },
        this.#sink,
      )) as JobSet["order"],
      module: isModule ? sha256(await readFile(setup)) : null,
      submission: this.#submission,
      probe,
    };
    return this.#putText(JSON.stringify(jobSet));
  }

  async #putText(text: string): Promise<StoredContent> {
    const file = this.#sink.temporary();
    await writeFile(file, text, { flag: "wx" });
    try {
      return await this.#parts.store.put(file);
    } finally {
      await rm(file, { force: true });
    }
  }

  /** Sends a tile without tasks: whoever takes it opens the program and says what comes out. */
  #openingTile(jobSet: StoredContent, signal: AbortSignal | undefined) {
    return new Promise<{ opened: NonNullable<TileAnswer["opened"]>; kind: string }>((resolve, reject) => {
      // The signal may have come before there was a task.
      signal?.throwIfAborted();
      const how = { name: "workers", expected: "to start", signal };
      const task = createPendingTask("open", null, how, {
        resolve: (output) => resolve(output as { opened: NonNullable<TileAnswer["opened"]>; kind: string }),
        reject,
        onAbort: () => this.#dropSettled(),
      });
      this.#send([this.#queued(task)], jobSet, []).catch(task.reject);
    });
  }

  #tileSize(key: string): number {
    const { tileSeconds = Math.min(MOST_SECONDS, Math.max(LEAST_SECONDS, this.#overhead / OVERHEAD_SHARE)) } =
      this.#parts.options;
    const seconds = this.#seconds.get(key);
    if (seconds === undefined) return 1;
    return Math.max(1, Math.min(MOST_TASKS, Math.floor(tileSeconds / Math.max(seconds, 1e-6))));
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      const waiting = this.#waiting.filter(({ isSettled }) => !isSettled);
      this.#waiting = [];
      for (const [key, tasks] of groupByKey(waiting)) {
        // All processes get something of what is there; where they have enough to do, tiles are whole.
        const lacking = Math.max(1, this.#processes * TILES_AHEAD - this.#tiles.size);
        const share = Math.ceil(tasks.length / lacking);
        const size = Math.max(1, Math.min(this.#tileSize(key), share));
        for (let at = 0; at < tasks.length; at += size) void this.#sendTasks(tasks.slice(at, at + size));
      }
    });
  }

  async #sendTasks(tasks: readonly QueuedTask[]): Promise<void> {
    try {
      const encoded: Tile["tasks"] = [];
      for (const { operation, input, how } of tasks) {
        const sink = { ...this.#sink, directory: how.directory };
        encoded.push({ operation, input: (await encodeWire(input, sink)) as never });
      }
      await this.#send(tasks, this.#jobSet as StoredContent, encoded);
    } catch (error) {
      for (const task of tasks) task.reject(error);
    }
  }

  async #send(tasks: readonly QueuedTask[], jobSet: StoredContent, encoded: Tile["tasks"]): Promise<void> {
    const data: Tile = { submission: this.#submission, jobSet, tasks: encoded };
    const tile: SentTile = {
      id: `${this.#submission}-${this.#nextTile++}`,
      data,
      tasks,
      sent: 0,
      lookAt: 0,
      adding: 0,
    };
    this.#tiles.set(tile.id, tile);
    this.#parts.counts.tiles++;
    await this.#add(tile);
  }

  /** Tiles of coarse points go before those of fine ones, whoever sent them: each doubling of what was asked for is a step. */
  async #add(tile: SentTile): Promise<void> {
    tile.sent = Date.now();
    tile.lookAt = tile.sent + LOOK_TIME;
    this.#parts.counts.bytes += JSON.stringify(tile.data).length;
    const priority = Math.floor(Math.log2(1 + (tile.tasks[0]?.sequence ?? 0)));
    const begin = performance.now();
    await this.#line?.add(tile.id, tile.data, priority);
    tile.adding = (performance.now() - begin) / 1000;
  }

  /** Sends a tile as a new one: under its own id nobody would take it any more. */
  async #addAnew({ data, tasks }: SentTile): Promise<void> {
    this.#parts.counts.again++;
    try {
      await this.#sayAlive();
      await this.#send(tasks, data.jobSet, data.tasks);
    } catch (error) {
      for (const task of tasks) task.reject(error);
    }
  }

  /** Asks for tiles of which nothing was heard: events may be lost, and so may jobs, if the server was killed. */
  async #look(): Promise<void> {
    const now = Date.now();
    for (const tile of [...this.#tiles.values()]) {
      const line = this.#line;
      if (line === null || this.#isOver) return;
      if (now < tile.lookAt) continue;
      // Less often for those that take long: thousands may be under way.
      tile.lookAt = now + Math.min(MOST_LOOK_TIME, now - tile.sent);
      try {
        const isKnown = await line.look(tile.id);
        if (isKnown || !this.#tiles.has(tile.id) || line !== this.#line) continue;
        this.#parts.counts.again++;
        await this.#add(tile);
      } catch {
        // The server is away: later.
        return;
      }
    }
  }

  async #beat(): Promise<void> {
    try {
      await this.#sayAlive();
      await this.#lookForWorkers();
    } catch {
      // The server is away: later.
    }
  }

  async #sayAlive(): Promise<void> {
    await this.#parts.queue.sayAlive(this.#submission);
  }

  async #completed(id: string, returned: unknown): Promise<void> {
    const tile = this.#tiles.get(id);
    if (tile === undefined) return;
    this.#tiles.delete(id);
    try {
      await this.#takeIn(tile, answerOf(returned));
    } catch (error) {
      for (const task of tile.tasks) task.reject(error);
    }
  }

  /** @throws {@link EvaluationError} for an answer that is none. */
  async #takeIn(tile: SentTile, found: TileAnswer | null): Promise<void> {
    const { tasks } = tile;
    if (found !== null && found.opened === null && found.answers.length === 0) {
      // The worker believed that nobody waits: a server that was away for long has forgotten who does.
      await this.#addAnew(tile);
      return;
    }
    if (found === null || (found.opened === null && found.answers.length !== tasks.length)) {
      throw new EvaluationError(
        "queue",
        "the answer to a tile",
        "another message: is it a worker of this version?",
      );
    }
    const { opened, answers, seconds, overhead, starts, kind, host } = found;
    this.#parts.counts.repeats += starts - 1;
    this.#parts.counts.bytes += JSON.stringify(found).length;
    if (opened !== null) {
      tasks[0]?.resolve({ opened, kind });
      return;
    }
    const [first] = tasks;
    if (first !== undefined) this.#learn(first.key, seconds / tasks.length);
    this.#overhead += (overhead + tile.adding - this.#overhead) / 4;
    for (const [i, answer] of answers.entries()) {
      const task = tasks[i] as QueuedTask;
      if ("error" in answer) task.reject(taskError(task, answer.error, host));
      else await this.#outputOf(task, answer).then(task.resolve, task.reject);
    }
  }

  /** Returns what a task gave, after the folder that it has made is here. */
  async #outputOf({ how }: QueuedTask, { output, files }: TaskOutput): Promise<unknown> {
    const { directory, keepsOthers } = how;
    if (directory !== undefined) await unpackFolder(files ?? [], directory, this.#parts.store, keepsOthers);
    return decodeWire(output as JsonValue, this.#source);
  }

  #learn(key: string, seconds: number): void {
    const known = this.#seconds.get(key);
    this.#seconds.set(key, known === undefined ? seconds : known + (seconds - known) / 4);
  }

  /** A worker failed as a whole: several tasks are tried one by one, a single one is given up. */
  #failed(id: string, reason: string): void {
    const tile = this.#tiles.get(id);
    if (tile === undefined) return;
    this.#tiles.delete(id);
    const tasks = tile.tasks.filter(({ isSettled }) => !isSettled);
    if (tile.tasks.length > 1) {
      for (const task of tasks) void this.#sendTasks([task]);
      return;
    }
    for (const { how, reject } of tasks) {
      reject(
        how.onDeaths?.(ATTEMPTS, reason) ??
          new EvaluationError(how.name, how.expected, `${reason} (${ATTEMPTS} tries)`),
      );
    }
  }

  /** Takes back tiles that nobody waits for. */
  #dropSettled(): void {
    for (const [id, { tasks }] of this.#tiles) {
      if (!tasks.every(({ isSettled }) => isSettled)) continue;
      if (this.#tiles.delete(id)) void this.#line?.remove(id).catch(() => undefined);
    }
  }

  #fail(reason: unknown): void {
    for (const task of [...this.#waiting, ...[...this.#tiles.values()].flatMap(({ tasks }) => tasks)])
      task.reject(reason);
    this.#waiting = [];
    this.#dropSettled();
  }
}

/** null where a message is no answer: it comes from another machine, and may be anything. */
function answerOf(returned: unknown): TileAnswer | null {
  try {
    const found = answerSchema.safeParse(typeof returned === "string" ? parsedMessage(returned) : returned);
    return found.success ? found.data : null;
  } catch {
    // Nested too deeply to be looked through.
    return null;
  }
}

function groupByKey(tasks: readonly QueuedTask[]): Map<string, QueuedTask[]> {
  const groups = new Map<string, QueuedTask[]>();
  for (const task of tasks) groups.set(task.key, [...(groups.get(task.key) ?? []), task]);
  return groups;
}

type TaskOutput = Extract<TileAnswer["answers"][number], { output: unknown }>;
type AnswerError = Extract<TileAnswer["answers"][number], { error: unknown }>["error"];

function taskError({ how, operation }: PendingTask, error: AnswerError, host: string): Error {
  const { own } = error;
  if (own === null)
    return new EvaluationError(how.name, how.expected, `an error in a worker on ${host}: ${error.message}`);
  // There the task has no name but its operation's.
  if (own.where === operation && own.expected === ANY_VALUE)
    return new EvaluationError(how.name, how.expected, own.got);
  return decodeError({ ...error, stack: error.stack });
}
