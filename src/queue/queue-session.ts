import { randomBytes } from "node:crypto";
import { terminalText } from "../base/clean-text.js";
import { EvaluationError } from "../base/errors.js";
import { ownPackageVersion } from "../base/package-files.js";
import type { JobFolder } from "../jobs/job-folder.js";
import {
  createPendingTask,
  type OpenOptions,
  type PendingTask,
  type ProgramModule,
  type TaskOptions,
} from "../jobs/task-runner.js";
import type { ContentStore, StoredContent } from "./content-store.js";
import { answerOf, SubmissionContent, taskError } from "./submission-content.js";
import { TilePace } from "./tile-pace.js";
import {
  ALIVE_SECONDS,
  ATTEMPTS,
  countWorkers,
  type Present,
  type Tile,
  type TileAnswer,
  type TileLine,
  type TileQueue,
} from "./tile-queue.js";

/** Milliseconds between looks at tiles of which nothing was heard; of one tile first, and at most. */
const LOOK_TIME = 2000;
const MOST_LOOK_TIME = 10_000;
/** Tiles per process: one under way, one waiting. */
const TILES_AHEAD = 2;

/** How a submission's tiles are made and followed. */
export interface SessionOptions {
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
}

/** What a runner has sent. The sum of `again` and `repeats` is the number of tiles that may have been evaluated twice. */
export interface QueueCounts {
  tiles: number;
  /** Tiles sent again because the server had lost them. */
  again: number;
  /** Tiles begun again by another worker, because the first one had died, was frozen, or had failed. */
  repeats: number;
  /** Bytes of all messages. */
  bytes: number;
}

/** A task that waits, or is in a tile. */
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

interface SessionParts {
  readonly queue: TileQueue;
  readonly store: ContentStore;
  readonly folder: JobFolder;
  readonly options: SessionOptions;
  readonly counts: QueueCounts;
}

/** One program in the workers, as the one who asked sees it. */
export class QueueSession {
  readonly #parts: SessionParts;
  readonly #submission = randomBytes(8).toString("hex");
  readonly #tiles = new Map<string, SentTile>();
  readonly #content: SubmissionContent;
  readonly #pace: TilePace;
  #waiting: QueuedTask[] = [];
  #line: TileLine | null = null;
  #jobSet: StoredContent | null = null;
  #facts: unknown;
  #kind: string | undefined;
  #processes = 1;
  /** Whether the user was told that nobody is there. */
  #isLonely = false;
  #lastKey = "";
  #nextTask = 0;
  #nextTile = 0;
  #isScheduled = false;
  #isOver = false;
  #ending: Promise<void> | undefined;
  #timers: NodeJS.Timeout[] = [];

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#content = new SubmissionContent(parts.store, parts.folder, this.#submission);
    this.#pace = new TilePace(parts.options.tileSeconds);
  }

  get facts(): unknown {
    return this.#facts;
  }

  get concurrency(): number {
    return Math.max(1, this.#processes) * TILES_AHEAD * this.#pace.sizeOf(this.#lastKey);
  }

  async start(program: ProgramModule, order: unknown, how: OpenOptions<unknown, unknown>): Promise<void> {
    const { options } = this.#parts;
    await this.#sayAlive();
    this.#timers.push(setInterval(() => void this.#beat(), (1000 * ALIVE_SECONDS) / 3));
    this.#timers.push(setInterval(() => void this.#look(), LOOK_TIME));
    try {
      await this.#open(undefined);
      const probe = how.probe === undefined ? null : { operation: how.probe, expected: null };
      const first = await this.#content.putJobSet(program, order, probe);
      const { opened, kind } = await this.#openingTile(first, how.signal);
      this.#facts = await this.#content.decode(opened.facts);
      const settled = how.settle?.(order, this.#facts) ?? order;
      this.#jobSet = await this.#content.putJobSet(
        program,
        settled,
        probe && { ...probe, expected: opened.probe },
      );
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
    this.#pace.forget(key);
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
        const size = Math.max(1, Math.min(this.#pace.sizeOf(key), share));
        for (let at = 0; at < tasks.length; at += size) void this.#sendTasks(tasks.slice(at, at + size));
      }
    });
  }

  async #sendTasks(tasks: readonly QueuedTask[]): Promise<void> {
    try {
      const encoded: Tile["tasks"] = [];
      for (const { operation, input, how } of tasks) {
        encoded.push({ operation, input: await this.#content.encode(input, how.directory) });
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
    if (first !== undefined) this.#pace.learn(first.key, seconds / tasks.length, overhead + tile.adding);
    for (const [i, answer] of answers.entries()) {
      const task = tasks[i] as QueuedTask;
      if ("error" in answer) task.reject(taskError(task, answer.error, host));
      else await this.#content.outputOf(task, answer).then(task.resolve, task.reject);
    }
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

function groupByKey(tasks: readonly QueuedTask[]): Map<string, QueuedTask[]> {
  const groups = new Map<string, QueuedTask[]>();
  for (const task of tasks) groups.set(task.key, [...(groups.get(task.key) ?? []), task]);
  return groups;
}
