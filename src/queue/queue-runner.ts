import { createJobFolder } from "../jobs/job-folder.js";
import type { OpenOptions, Operations, ProgramModule, TaskRunner, TaskSession } from "../jobs/task-runner.js";
import { type QueuePlaceOptions, queuePlace } from "./queue-place.js";
import { type QueueCounts, QueueSession, type SessionOptions } from "./queue-session.js";
import { countWorkers } from "./tile-queue.js";

/** Options of {@link createQueueRunner}. */
export interface QueueRunnerOptions extends QueuePlaceOptions, SessionOptions {
  /** Stops the connecting. Default none. */
  readonly signal?: AbortSignal | undefined;
}

/** A runner over a queue, and what it has sent. */
export interface QueueRunner extends TaskRunner {
  readonly counts: Readonly<QueueCounts>;
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
