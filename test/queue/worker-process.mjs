// A worker in a process of its own: node worker-process.mjs REDIS STORE QUEUE [MODULE] [OPTIONS, as JSON]. Says "ready" when it is.
import { startQueueWorker } from "../../dist/src/queue/queue-worker.js";

const [redis, store, queue, module, more = "{}"] = process.argv.slice(2);
const worker = await startQueueWorker({
  redis: redis || undefined,
  store: store || undefined,
  queue,
  module: module || undefined,
  processes: 1,
  // Tests kill workers, and do not want to wait for long.
  lockSeconds: 2,
  ...JSON.parse(more),
  onNotice: (text) => process.stdout.write(`${text}\n`),
});
process.stdout.write("ready\n");
process.once("SIGTERM", async () => {
  await worker.close();
  process.exit(0);
});
