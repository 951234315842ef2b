/**
 * Evaluation on other machines: workers pull tiles of work from a Redis (or Valkey) server. Needs the packages `bullmq`
 * and `ioredis`.
 *
 * @module tfjs-landscape/queue
 */

export { createQueueRunner, type QueueRunner, type QueueRunnerOptions } from "../queue/queue-runner.js";
export { type QueueWorker, type QueueWorkerOptions, startQueueWorker } from "../queue/queue-worker.js";
