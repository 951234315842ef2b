import { readFile } from "node:fs/promises";
import { availableParallelism, hostname } from "node:os";
import { resolve } from "node:path";
import type { Worker } from "bullmq";
import { EvaluationError, encodeError, InvalidOptionError } from "../base/errors.js";
import { issueText } from "../base/json-schema.js";
import type { JsonValue } from "../base/provenance.js";
import { sha256 } from "../base/provenance.js";
import { createJobFolder, isJobFile } from "../jobs/job-folder.js";
import { createProcessRunner } from "../jobs/process-runner.js";
import type { Operations, TaskSession } from "../jobs/task-runner.js";
import { openContentCache, type StoredContent } from "./content-store.js";
import { openStore } from "./object-store.js";
import {
  ALIVE_SECONDS,
  checkedQueue,
  checkRedisUrl,
  connect,
  type JobSet,
  jobSetSchema,
  keysOf,
  loadQueuePackages,
  machineFacts,
  machineKind,
  PROGRAMS,
  queueConnection,
  type Tile,
  type TileAnswer,
  tileSchema,
  tilesName,
} from "./queue-connection.js";
import { decodeWire, encodeWire } from "./wire.js";

/** Options of {@link startQueueWorker}. */
export interface QueueWorkerOptions {
  /** Address of the server, as the submitter has it. */
  readonly redis: string;
  /** The folder that the submitter puts its files into, as it is seen here, or the same `s3://bucket/folder`. */
  readonly store: string;
  /** Name of the queue, as the submitter has it. Default "tfjs-landscape". */
  readonly queue?: string | undefined;
  /** Processes that evaluate. Default one for each processor. */
  readonly processes?: number | undefined;
  /**
   * Module of the only code that is run beside this package's: it registers layers or exports `loadModel`, `loadLoss`,
   * `loadData`. A job names it by its sha-256; another one is refused. Default none.
   */
  readonly module?: string | undefined;
  /** Bytes of content that are kept here. Default 4 GiB. */
  readonly cacheBytes?: number | undefined;
  /** Seconds after which a worker that no longer says so counts as dead. Default 10. */
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
  /** Tiles under way. */
  busy: number;
  /** Tasks under way, and tasks done, of all its tiles. */
  running: number;
  done: number;
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
  const { processes = availableParallelism(), lockSeconds = 10, cacheBytes = 4 * GIB, onNotice } = options;
  if (!(Number.isInteger(processes) && processes >= 1 && processes <= 256)) {
    throw new InvalidOptionError("processes", "a whole number from 1 to 256", String(processes));
  }
  checkRedisUrl(options.redis);
  const queue = checkedQueue(options.queue);
  const keys = keysOf(queue);
  const module = options.module === undefined ? null : await readModule(resolve(options.module));
  const packages = loadQueuePackages();
  const connection = await connect(packages, options.redis, queue);
  const facts = machineFacts();
  const kind = machineKind(facts);
  const id = `${hostname()}:${process.pid}`;
  const store = await openStore(options.store);
  const folder = await createJobFolder();
  const cache = openContentCache(store, folder.path, cacheBytes);
  const runner = createProcessRunner(processes);
  const open = new Map<string, Promise<OpenJobSet>>();
  let temporaries = 0;
  const temporary = (): string => folder.file(`message-${temporaries++}`);
  const sink = { isFile: isJobFile, put: store.put, temporary };

  const openJobSet = async (content: StoredContent): Promise<OpenJobSet> => {
    const contents: StoredContent[] = [];
    const hold = async (one: StoredContent): Promise<string> => {
      const file = await cache.hold(one);
      contents.push(one);
      return file;
    };
    try {
      const found = jobSetSchema.safeParse(parsed(await readFile(await hold(content), "utf8")));
      if (!found.success) throw new EvaluationError("job set", "one of this version", issueText(found.error));
      const jobSet = found.data;
      const file = PROGRAMS[jobSet.program];
      if (file === undefined || !Object.hasOwn(PROGRAMS, jobSet.program)) {
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
      const program = { file, environment: jobSet.environment };
      const session = await runner.open<unknown, unknown, Operations>(program, order);
      try {
        return {
          jobSet,
          session,
          probe: await probe(jobSet, session),
          contents,
          busy: 0,
          running: 0,
          done: 0,
        };
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
        onNotice?.(`a job set was refused: ${error instanceof Error ? error.message : String(error)}`);
      });
    }
    return open.get(content.digest) as Promise<OpenJobSet>;
  };

  const work = async (job: { readonly data: unknown; readonly attemptsStarted: number }): Promise<string> => {
    const found = tileSchema.safeParse(job.data);
    if (!found.success)
      throw new packages.bullmq.UnrecoverableError(`a message that is no tile: ${issueText(found.error)}`);
    const tile: Tile = found.data;
    const answer = (rest: Pick<TileAnswer, "seconds" | "opened" | "answers">): string =>
      JSON.stringify({ host: hostname(), kind, starts: job.attemptsStarted, ...rest } satisfies TileAnswer);
    const isAwaited = (await connection.exists(keys.jobSet(tile.submission))) === 1;
    if (!isAwaited) return answer({ seconds: 0, opened: null, answers: [] });
    const here = await jobSetOf(tile.jobSet);
    if (here.jobSet.submission !== tile.submission)
      throw new EvaluationError("tile", "a job set of its submission", "another");
    here.busy++;
    try {
      if (tile.tasks.length === 0) {
        const facts = (await encodeWire(here.session.facts, sink)) as NonNullable<
          TileAnswer["opened"]
        >["facts"];
        return answer({ seconds: 0, opened: { facts, probe: here.probe }, answers: [] });
      }
      const begin = performance.now();
      const { done } = here;
      here.running += tile.tasks.length;
      const most = Math.min(processes, here.running);
      const answers = await Promise.all(
        tile.tasks.map(async ({ operation, input }) => {
          try {
            const held: StoredContent[] = [];
            const hold = async (one: StoredContent): Promise<string> => {
              held.push(one);
              return cache.hold(one);
            };
            const given = await decodeWire(input as JsonValue, { hold, temporary });
            const how = { name: operation, expected: "a value" };
            const output = await here.session.run(operation, given, how).finally(() => {
              for (const one of held) cache.release(one);
            });
            return { output: (await encodeWire(output ?? null, sink)) as never };
          } catch (error) {
            return { error: encodeError(error) as never };
          } finally {
            here.running--;
            here.done++;
          }
        }),
      );
      // Other tiles had a part of the time.
      const share = tile.tasks.length / (here.done - done);
      const seconds = ((performance.now() - begin) / 1000) * most * share;
      return answer({ seconds, opened: null, answers });
    } finally {
      here.busy--;
    }
  };

  const workers = [tilesName(), tilesName(kind)].map(
    (name): Worker =>
      new packages.bullmq.Worker(name, work, {
        connection: queueConnection(options.redis),
        prefix: queue,
        concurrency: 2,
        lockDuration: 1000 * lockSeconds,
        stalledInterval: 500 * lockSeconds,
        // Workers may be killed at any time: a tile that was under way then is no suspect.
        maxStalledCount: 1000,
        drainDelay: 1,
      }),
  );
  for (const worker of workers) worker.on("error", () => undefined);
  const beat = async (): Promise<void> => {
    const own = JSON.stringify({
      host: hostname(),
      pid: process.pid,
      processes,
      kind,
      version: facts.package,
    });
    await connection.set(keys.worker(id), own, "EX", ALIVE_SECONDS);
    for (const [digest, opening] of open) {
      const one = await opening.catch(() => undefined);
      if (one === undefined || one.busy > 0) continue;
      if ((await connection.exists(keys.jobSet(one.jobSet.submission))) === 0) await close(digest);
    }
  };
  await Promise.all(workers.map((worker) => worker.waitUntilReady()));
  await beat();
  const timer = setInterval(() => void beat().catch(() => undefined), (1000 * ALIVE_SECONDS) / 3);
  onNotice?.(`${processes} processes, kind ${kind}`);
  let closing: Promise<void> | undefined;
  const end = async (): Promise<void> => {
    clearInterval(timer);
    await Promise.all(workers.map((worker) => worker.close()));
    await connection.del(keys.worker(id)).catch(() => undefined);
    for (const digest of [...open.keys()]) await close(digest);
    runner.dispose();
    connection.disconnect();
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

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
