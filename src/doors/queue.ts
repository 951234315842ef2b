/**
 * Work on other machines: workers pull tiles of it from a Redis (or Valkey) server, which needs the packages `bullmq` and
 * `ioredis`, or from a folder that all machines see.
 *
 * @module tfjs-landscape/queue
 */

export { createQueueRunner, type QueueRunner, type QueueRunnerOptions } from "../queue/queue-runner.js";
export { type QueueWorker, type QueueWorkerOptions, startQueueWorker } from "../queue/queue-worker.js";
