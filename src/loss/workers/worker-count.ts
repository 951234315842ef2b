import { availableParallelism, freemem } from "node:os";
import { InvalidOptionError } from "../../base/errors.js";

/** Memory of a worker process without model and data: Node.js, TensorFlow.js and an engine. */
const BASE_BYTES = 400 * 2 ** 20;
/** Copies of the data in a worker: in engine form and batches, and while they are prepared. */
const DATA_COPIES = 3;
/** Vectors as long as θ in a worker: θ*, two directions, θ, and the weights on the engine in two forms. */
const THETA_COPIES = 6;
const MOST_WORKERS = 256;

/** How many worker processes, and threads in each. */
export interface WorkerCount {
  readonly workers: number;
  readonly threads: number;
}

/** What the number of workers depends on. */
export interface WorkerNeeds {
  readonly dataBytes: number;
  readonly parameterCount: number;
}

/**
 * Settles the number of worker processes and of threads in each.
 *
 * "auto" is one process for each processor with one thread (two processes of one thread are faster than one
 * of two threads on every engine that was measured), fewer where memory does not hold so many, with more
 * threads in each then. A number given has one thread in each, whatever the number, so that values do not
 * depend on it.
 *
 * @throws {@link InvalidOptionError} if the number cannot be used.
 */
export function settleWorkerCount(
  asked: number | "auto",
  threads: number | undefined,
  needs: WorkerNeeds,
  machine: { readonly processors: number; readonly freeBytes: number } = {
    processors: availableParallelism(),
    freeBytes: freemem(),
  },
): WorkerCount {
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1)) {
    throw new InvalidOptionError("threads", "a whole number of at least 1", String(threads));
  }
  if (asked !== "auto") {
    if (Number.isInteger(asked) && asked >= 1 && asked <= MOST_WORKERS) {
      return { workers: asked, threads: threads ?? 1 };
    }
    throw new InvalidOptionError(
      "workers",
      `"auto", or a whole number from 1 to ${MOST_WORKERS}`,
      String(asked),
    );
  }
  const bytes = BASE_BYTES + DATA_COPIES * needs.dataBytes + 4 * THETA_COPIES * needs.parameterCount;
  const fitting = Math.max(1, Math.floor((0.8 * machine.freeBytes) / bytes));
  const workers = Math.min(Math.max(1, Math.floor(machine.processors / (threads ?? 1))), fitting);
  return { workers, threads: threads ?? Math.max(1, Math.floor(machine.processors / workers)) };
}
