import { readFile, rm } from "node:fs/promises";
import { availableParallelism, hostname } from "node:os";
import { resolve } from "node:path";
import { terminalText } from "../base/clean-text.js";
import { EvaluationError, encodeError, InvalidOptionError, messageOf } from "../base/errors.js";
import { issueText } from "../base/json-schema.js";
import { removal } from "../base/platform.js";
import type { JsonValue } from "../base/provenance.js";
import { sha256 } from "../base/provenance.js";
import { createJobFolder, isJobFile } from "../jobs/job-folder.js";
import { createProcessRunner } from "../jobs/process-runner.js";
import type { Operations, TaskSession } from "../jobs/task-runner.js";
import { openContentCache, type StoredContent } from "./content-store.js";
import { packFolder } from "./folder-parcel.js";
import { machineFacts, machineKind } from "./queue-connection.js";
import { type QueuePlaceOptions, queuePlace } from "./queue-place.js";
import {
  ALIVE_SECONDS,
  ANY_VALUE,
  type JobSet,
  jobSetSchema,
  PROGRAMS,
  parsedMessage,
  type Tile,
  type TileAnswer,
  tileSchema,
  UnreadableTile,
} from "./tile-queue.js";
import { decodeWire, encodeWire } from "./wire.js";

/** Options of {@link startQueueWorker}: where the submitter is told to send, as it is seen here. */
export interface QueueWorkerOptions extends QueuePlaceOptions {
  /** Processes that evaluate. Default one for each processor. */
  readonly processes?: number | undefined;
  /**
   * Module of the only code that is run beside this package's: it registers layers, exports `loadModel`, `loadLoss`,
   * `loadData`, or the `train` of a sweep. A job names it by its sha-256; another one is refused. Default none.
   */
  readonly module?: string | undefined;
  /** Bytes of content that are kept here; a job set that needs more is refused. Default 4 GiB. */
  readonly cacheBytes?: number | undefined;
  /** Seconds after which a worker that no longer says so counts as dead. Default 10 on a server, 30 in a folder. */
  readonly lockSeconds?: number | undefined;
  /** Called with what happens, in words. Default nothing is said. */
  readonly onNotice?: ((text: string) => void) | undefined;
}

/** A worker that pulls tiles until it is closed. */
export interface QueueWorker {
  /** Short name of the kind of machine: workers of one kind give the same bits. */
  readonly kind: string;
  /** Stops after the tiles that are under way. Idempotent. */
  close(): Promise<void>;
}

/** A program that is open here, for one job set. */
interface OpenJobSet {
  readonly jobSet: JobSet;
  readonly session: TaskSession<unknown, Operations>;
  readonly probe: string | null;
  readonly contents: readonly StoredContent[];
  /** Stops what is under way, when nobody waits for it any more. */
  readonly abort: AbortController;
  readonly clock: BusyClock;
  /** Tiles under way. */
  busy: number;
  /** How often in a row nobody was found to wait for it. */
  unawaited: number;
}

const GIB = 2 ** 30;
/** Job sets that are open at once: each has its own processes. */
const MOST_OPEN = 2;

/**
 * Starts a worker of this machine: it pulls tiles from the queue, evaluates them in processes of its own, and answers.
 * Evaluation never holds up the lock on a tile, however long a point takes.
 *
 * @throws {@link EvaluationError} if the server does not answer or refuses; {@link MissingDependencyError} if `bullmq`
 * or `ioredis` is not installed; {@link InvalidOptionError} for an option that cannot be used.
 * @example
 * const worker = await startQueueWorker({ redis: "redis://localhost", store: "/shared/landscape" });
 * await worker.close();
 */
export async function startQueueWorker(options: QueueWorkerOptions): Promise<QueueWorker> {
  const { processes = availableParallelism(), cacheBytes = 4 * GIB, lockSeconds } = options;
  if (!(Number.isInteger(processes) && processes >= 1 && processes <= 256)) {
    throw new InvalidOptionError("processes", "a whole number from 1 to 256", String(processes));
  }
  if (lockSeconds !== undefined && !(lockSeconds >= 1 && lockSeconds <= 3600))
    throw new InvalidOptionError("lockSeconds", "from 1 to 3600", String(lockSeconds));
  const onNotice = (text: string): void => options.onNotice?.(terminalText(text));
  const place = queuePlace(options);
  const module = options.module === undefined ? null : await readModule(resolve(options.module));
  const facts = machineFacts();
  const kind = machineKind(facts);
  // The store first: an open connection keeps the process alive where it cannot be used.
  const store = await place.openStore();
  const source = await place.openSource(`${hostname()}:${process.pid}`, lockSeconds);
  const folder = await createJobFolder();
  const cache = openContentCache(store, folder.path, cacheBytes);
  const runner = createProcessRunner(processes);
  const open = new Map<string, Promise<OpenJobSet>>();
  let temporaries = 0;
  const temporary = (): string => folder.file(`message-${temporaries++}`);
  const sink = { isFile: isJobFile, put: store.put, temporary };

  const openJobSet = async (content: StoredContent): Promise<OpenJobSet> => {
    const contents: StoredContent[] = [];
    let bytes = 0;
    const hold = async (one: StoredContent): Promise<string> => {
      bytes += one.bytes;
      if (bytes > cacheBytes) throw tooLarge("job set", cacheBytes);
      const file = await cache.hold(one);
      contents.push(one);
      return file;
    };
    try {
      const found = jobSetSchema.safeParse(parsedMessage(await readFile(await hold(content), "utf8")));
      if (!found.success) throw new EvaluationError("job set", "one of this version", issueText(found.error));
      const jobSet = found.data;
      const named = PROGRAMS[jobSet.program];
      if (named === undefined || !Object.hasOwn(PROGRAMS, jobSet.program)) {
        throw new EvaluationError(
          "job set",
          `a program: ${Object.keys(PROGRAMS).join(", ")}`,
          jobSet.program,
        );
      }
      checkModule(jobSet, module);
      const decoded = (await decodeWire(jobSet.order as JsonValue, { hold, temporary })) as Record<
        string,
        unknown
      >;
      const order = { ...decoded, setup: jobSet.module === null ? null : (module?.file ?? null) };
      const program = { ...named, environment: jobSet.environment };
      const session = await runner.open<unknown, unknown, Operations>(program, order);
      try {
        const found = await probe(jobSet, session);
        const [abort, clock] = [new AbortController(), createBusyClock(processes)];
        return { jobSet, session, probe: found, contents, abort, clock, busy: 0, unawaited: 0 };
      } catch (error) {
        session.dispose();
        throw error;
      }
    } catch (error) {
      for (const one of contents) cache.release(one);
      throw error;
    }
  };
  const close = async (digest: string): Promise<void> => {
    const one = open.get(digest);
    open.delete(digest);
    const { session, contents } = (await one?.catch(() => undefined)) ?? {};
    session?.dispose();
    for (const content of contents ?? []) cache.release(content);
  };
  const makeRoom = async (): Promise<void> => {
    for (const [digest, opening] of open) {
      if (open.size < MOST_OPEN) return;
      const one = await opening.catch(() => undefined);
      if (one === undefined || one.busy === 0) await close(digest);
    }
  };
  const jobSetOf = async (content: StoredContent): Promise<OpenJobSet> => {
    if (!open.has(content.digest)) {
      await makeRoom();
      const opening = open.get(content.digest) ?? openJobSet(content);
      open.set(content.digest, opening);
      opening.catch((error: unknown) => {
        open.delete(content.digest);
        onNotice(`a job set was refused: ${messageOf(error)}`);
      });
    }
    return open.get(content.digest) as Promise<OpenJobSet>;
  };

  /** Does one task: brings its inputs here, and puts away what it gives. */
  const doTask = async (
    { session, abort }: OpenJobSet,
    { operation, input }: Tile["tasks"][number],
    onInput: () => void,
  ): Promise<TileAnswer["answers"][number]> => {
    const held: StoredContent[] = [];
    const made: string[] = [];
    try {
      const given = await decodeWire(input as JsonValue, {
        temporary,
        async hold(one) {
          if (one.bytes > cacheBytes) throw tooLarge("task", cacheBytes);
          held.push(one);
          return cache.hold(one);
        },
        directory() {
          made.push(`${temporary()}-folder`);
          return made.at(-1) as string;
        },
      });
      onInput();
      const how = { name: operation, expected: ANY_VALUE, signal: abort.signal };
      const output = (await encodeWire((await session.run(operation, given, how)) ?? null, sink)) as never;
      const [directory] = made;
      return directory === undefined ? { output } : { output, files: await packFolder(directory, store) };
    } catch (error) {
      return { error: encodeError(error) as never };
    } finally {
      for (const one of held) cache.release(one);
      for (const directory of made) await rm(directory, removal()).catch(() => undefined);
    }
  };

  const work = async (data: unknown, starts: number): Promise<string> => {
    const tile = readTile(data);
    const answer = (rest: Partial<TileAnswer>): string =>
      JSON.stringify({
        ...{ host: hostname(), kind, starts, seconds: 0, overhead: 0, opened: null, answers: [] },
        ...rest,
      } satisfies TileAnswer);
    if (!(await source.isAwaited(tile.submission))) return answer({});
    const here = await jobSetOf(tile.jobSet);
    if (here.jobSet.submission !== tile.submission)
      throw new EvaluationError("tile", "a job set of its submission", "another");
    here.busy++;
    try {
      if (tile.tasks.length === 0) {
        const encoded = (await encodeWire(here.session.facts, sink)) as NonNullable<
          TileAnswer["opened"]
        >["facts"];
        return answer({ opened: { facts: encoded, probe: here.probe } });
      }
      const begin = performance.now();
      let ready = Number.POSITIVE_INFINITY;
      const onInput = (): void => {
        ready = Math.min(ready, performance.now());
      };
      const end = here.clock.begin(tile.tasks.length);
      const answers = await Promise.all(tile.tasks.map((task) => doTask(here, task, onInput))).finally(end);
      // It was stopped: whoever waits after all sends it again.
      if (here.abort.signal.aborted) return answer({});
      const overhead = Number.isFinite(ready) ? (ready - begin) / 1000 : 0;
      return answer({ seconds: end(), overhead, answers });
    } finally {
      here.busy--;
    }
  };

  const beat = async (): Promise<void> => {
    const own = { host: hostname(), pid: process.pid, processes, kind, version: facts.package };
    await source.sayPresent(own);
    for (const [digest, opening] of open) {
      const one = await opening.catch(() => undefined);
      if (one === undefined) continue;
      one.unawaited = (await source.isAwaited(one.jobSet.submission)) ? 0 : one.unawaited + 1;
      // A server that comes back may have forgotten who waits, until it is said again.
      if (one.unawaited === 0 || (one.busy > 0 && one.unawaited === 1)) continue;
      one.abort.abort(new EvaluationError("job set", "somebody who waits for it", "nobody"));
      await close(digest);
    }
  };
  await source.pull([undefined, kind], processes, work);
  await beat();
  const timer = setInterval(() => void beat().catch(() => undefined), (1000 * ALIVE_SECONDS) / 3);
  onNotice(`${processes} processes, kind ${kind}`);
  let closing: Promise<void> | undefined;
  const end = async (): Promise<void> => {
    clearInterval(timer);
    await source.close();
    for (const digest of [...open.keys()]) await close(digest);
    runner.dispose();
    folder.remove();
  };
  return {
    kind,
    close: () => {
      closing ??= end();
      return closing;
    },
  };
}

/** @throws {@link UnreadableTile} for what is no tile; it comes from anybody who reaches the queue. */
function readTile(data: unknown): Tile {
  let got: string;
  try {
    const found = tileSchema.safeParse(data);
    if (found.success) return found.data;
    got = issueText(found.error);
  } catch {
    got = "nested too deeply";
  }
  throw new UnreadableTile(`a message that is no tile: ${got.slice(0, 1000)}`);
}

function tooLarge(where: string, cacheBytes: number): EvaluationError {
  const expected = `at most ${(cacheBytes / GIB).toPrecision(3)} GiB of files for this worker`;
  return new EvaluationError(where, expected, "more", { hint: "cacheBytes (--cache-gb) allows more" });
}

/** Counts the seconds of processes that each tile takes: those under way share them evenly. */
interface BusyClock {
  /** Begins a tile of so many tasks; the answer ends it, and says the seconds. */
  begin(tasks: number): () => number;
}

function createBusyClock(processes: number): BusyClock {
  const tiles = new Set<{ readonly tasks: number; seconds: number }>();
  let last = performance.now();
  const advance = (): void => {
    const now = performance.now();
    for (const tile of tiles)
      tile.seconds += ((now - last) / 1000) * Math.min(tile.tasks, processes / tiles.size);
    last = now;
  };
  return {
    begin(tasks) {
      advance();
      const tile = { tasks, seconds: 0 };
      tiles.add(tile);
      return () => {
        advance();
        tiles.delete(tile);
        return tile.seconds;
      };
    },
  };
}

/** Asks a program for what tells machines apart, and compares it with what the first one said. */
async function probe(
  { probe: asked }: JobSet,
  session: TaskSession<unknown, Operations>,
): Promise<string | null> {
  if (asked === null) return null;
  const found = String(await session.run(asked.operation, null, { name: "the probe", expected: "a text" }));
  if (asked.expected === null || asked.expected === found) return found;
  throw new EvaluationError(
    "the probe",
    `the bits of the first worker (${asked.expected})`,
    `others (${found})`,
  );
}

interface OwnModule {
  readonly file: string;
  readonly digest: string;
}

async function readModule(file: string): Promise<OwnModule> {
  try {
    return { file, digest: sha256(await readFile(file)) };
  } catch (cause) {
    throw new InvalidOptionError("module", "a file", `${file}: ${(cause as Error).message}`, { cause });
  }
}

function checkModule({ module: wanted }: JobSet, own: OwnModule | null): void {
  if (wanted === null || wanted === own?.digest) return;
  const got = own === null ? "none" : `another one (${own.digest.slice(0, 12)})`;
  throw new EvaluationError("job set", `a worker started with the module ${wanted.slice(0, 12)}`, got, {
    hint: "start it with --module FILE: jobs bring data, never code",
  });
}
