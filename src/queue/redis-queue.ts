import type { Job, Worker } from "bullmq";
import type { Redis } from "ioredis";
import {
  connect,
  keysOf,
  loadQueuePackages,
  type QueuePackages,
  queueConnection,
} from "./queue-connection.js";
import {
  ALIVE_SECONDS,
  ATTEMPTS,
  parsedMessage,
  type TileLine,
  type TileQueue,
  type TileSource,
  tilesName,
  UnreadableTile,
  type WorkerFacts,
  workerSchema,
} from "./tile-queue.js";

/** A queue on a server: where it is, and its name. */
interface RedisPlace {
  readonly redis: string;
  readonly queue: string;
}

/**
 * Opens a submitter's end of a queue of BullMQ.
 *
 * @throws {@link EvaluationError} if the server does not answer; {@link MissingDependencyError} without `bullmq` or `ioredis`.
 */
export async function openRedisQueue({ redis, queue }: RedisPlace): Promise<TileQueue> {
  const packages = loadQueuePackages();
  const connection = await connect(packages, redis, queue);
  const keys = keysOf(queue);
  return {
    workers: () => presentWorkers(connection, keys.workers),
    openLine: (_submission, kind, events) => openLine(packages, { redis, queue }, tilesName(kind), events),
    async sayAlive(submission) {
      await connection.set(keys.jobSet(submission), "1", "EX", ALIVE_SECONDS);
    },
    async sayOver(submission) {
      await connection.del(keys.jobSet(submission));
    },
    close: () => connection.disconnect(),
  };
}

async function presentWorkers(connection: Redis, match: string): Promise<WorkerFacts[]> {
  const present: WorkerFacts[] = [];
  const pages = connection.scanStream({ match, count: 1000 }) as AsyncIterable<string[]>;
  for await (const keys of pages) {
    for (const text of keys.length === 0 ? [] : await connection.mget(keys)) {
      const found = workerSchema.safeParse(parsedMessage(text));
      if (found.success) present.push(found.data);
    }
  }
  return present;
}

async function openLine(
  { bullmq }: QueuePackages,
  { redis, queue: prefix }: RedisPlace,
  name: string,
  { done, failed }: Parameters<TileQueue["openLine"]>[2],
): Promise<TileLine> {
  const how = { connection: queueConnection(redis), prefix };
  const queue = new bullmq.Queue(name, how);
  const heard = new bullmq.QueueEvents(name, how);
  queue.on("error", () => undefined);
  heard.on("error", () => undefined);
  heard.on("completed", ({ jobId, returnvalue }) => done(jobId, returnvalue));
  heard.on("failed", ({ jobId, failedReason }) => failed(jobId, failedReason));
  await heard.waitUntilReady();
  return {
    async add(id, tile, priority) {
      await queue.add("tile", tile, {
        jobId: id,
        priority,
        attempts: ATTEMPTS,
        backoff: { type: "exponential", delay: 500 },
        removeOnComplete: { age: 600 },
        removeOnFail: { age: 600 },
      });
    },
    async look(id) {
      const job = await queue.getJob(id);
      if (job === undefined) return false;
      if (job.finishedOn === undefined || job.finishedOn === null) return true;
      if (job.failedReason) failed(id, job.failedReason);
      else done(id, job.returnvalue);
      return true;
    },
    async remove(id) {
      await queue.remove(id).catch(() => undefined);
    },
    async close() {
      for (const part of [heard, queue]) await part.close().catch(() => undefined);
    },
  };
}

/**
 * Opens a worker's end of a queue of BullMQ.
 *
 * @param id - what tells this worker from others.
 * @param lockSeconds - seconds after which a tile whose worker has not said that it is at it goes to another one.
 * @throws as {@link openRedisQueue}.
 */
export async function openRedisSource(
  { redis, queue }: RedisPlace,
  id: string,
  lockSeconds: number,
): Promise<TileSource> {
  const packages = loadQueuePackages();
  const connection = await connect(packages, redis, queue);
  const keys = keysOf(queue);
  const workers: Worker[] = [];
  return {
    isAwaited: async (submission) => (await connection.exists(keys.jobSet(submission))) === 1,
    async sayPresent(own) {
      await connection.set(keys.worker(id), JSON.stringify(own), "EX", ALIVE_SECONDS);
    },
    async pull(kinds, most, work) {
      const run = async (job: Pick<Job, "data" | "attemptsStarted">): Promise<string> => {
        try {
          return await work(job.data, job.attemptsStarted);
        } catch (error) {
          throw error instanceof UnreadableTile
            ? new packages.bullmq.UnrecoverableError(error.message)
            : error;
        }
      };
      for (const kind of kinds) {
        const worker: Worker = new packages.bullmq.Worker(tilesName(kind), run, {
          connection: queueConnection(redis),
          prefix: queue,
          concurrency: most,
          lockDuration: 1000 * lockSeconds,
          stalledInterval: 500 * lockSeconds,
          // Workers may be killed at any time: a tile that was under way then is no suspect.
          maxStalledCount: 1000,
          // Work wakes it at once; each look for some costs the server a little.
          drainDelay: 10,
        });
        worker.on("error", () => undefined);
        workers.push(worker);
      }
      await Promise.all(workers.map((worker) => worker.waitUntilReady()));
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.close()));
      await connection.del(keys.worker(id)).catch(() => undefined);
      connection.disconnect();
    },
  };
}
