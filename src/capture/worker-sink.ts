import { Worker } from "node:worker_threads";
import { decodeError, messageOf, RunStateError, systemCode } from "../base/errors.js";
import { compiledModule } from "../base/package-files.js";
import type { LandscapeWarning } from "../base/warning.js";
import { explainWriteCode } from "../store/arrow/atomic-file.js";
import type { SnapshotTarget } from "../store/run/encode-snapshot.js";
import type { WorkerReply } from "./snapshot-worker.js";
import { createSnapshotWriter, type SnapshotSink, type WriteSnapshot } from "./write-queue.js";

interface Waiting {
  readonly step: number;
  readonly resolve: (theta: Float32Array) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Returns a sink that hashes, encodes and writes in a worker thread; θ's memory moves there and back
 * without being copied.
 *
 * The thread keeps the process alive only while a snapshot is on its way: an exception in training lets
 * what was recorded reach the disk and the process end.
 *
 * @param file - The compiled worker.
 */
export function createWorkerSink(file: string | URL, target: SnapshotTarget): SnapshotSink {
  // No flags of the parent: a loader meant for its sources must not run again here.
  const worker = new Worker(file, { workerData: target, execArgv: [], name: "tfjs-landscape writer" });
  const waiting: Waiting[] = [];
  let closed = false;
  let broken: Error | null = null;

  const settle = (settleOne: (first: Waiting) => void) => {
    const first = waiting.shift();
    if (first !== undefined) settleOne(first);
    if (waiting.length === 0) worker.unref();
  };
  const fail = (message: string) => {
    const reason = new Error(message);
    broken ??= reason;
    while (waiting.length > 0) {
      settle(({ step, reject }) => reject(writeFailure(target.directory, step, reason)));
    }
  };
  worker.on("message", (reply: WorkerReply) => {
    settle(({ step, resolve, reject }) => {
      if (reply.error === null) resolve(reply.theta);
      else reject(writeFailure(target.directory, step, decodeError(reply.error)));
    });
  });
  worker.on("error", (error) => fail(`the writing thread failed: ${error.message}`));
  worker.on("exit", (code) => {
    if (!closed) fail(`the writing thread ended with code ${code}`);
  });
  // After the listeners: one for messages makes the thread keep the process alive again.
  worker.unref();

  return {
    write: (snapshot) =>
      new Promise((resolve, reject) => {
        const { step, theta, optimizerState } = snapshot;
        if (broken !== null) {
          reject(writeFailure(target.directory, step, broken));
          return;
        }
        waiting.push({ step, resolve, reject });
        worker.ref();
        const arrays = [theta, ...Object.values(optimizerState?.slots ?? {})];
        worker.postMessage(
          snapshot,
          arrays.map(({ buffer }) => buffer as ArrayBuffer),
        );
      }),
    close: async () => {
      closed = true;
      await worker.terminate();
    },
  };
}

/** Returns the error to throw for a snapshot that could not be written. */
export function writeFailure(directory: string, step: number, error: unknown): RunStateError {
  const explanation = explainWriteCode(systemCode(error));
  // An error of ours that explains the same has only its file to add.
  const isSame = error instanceof RunStateError && error.got === explanation;
  const message = isSame ? error.where : messageOf(error);
  return new RunStateError(
    `snapshot ${step} of ${directory}`,
    "to be written",
    explanation === undefined ? message : `${explanation} (${message})`,
    { cause: error, hint: "earlier snapshots are complete; resume continues after them" },
  );
}

/** Returns a sink that hashes and writes in the calling thread: for sources that are not compiled. */
export function createInlineSink(directory: string, write: WriteSnapshot): SnapshotSink {
  return {
    write: async (snapshot) => {
      try {
        await write(snapshot);
      } catch (error) {
        throw writeFailure(directory, snapshot.step, error);
      }
      return snapshot.theta;
    },
    close: async () => undefined,
  };
}

/**
 * Returns the sink for a run: a worker thread, or the calling thread where the compiled worker is missing
 * (TypeScript sources run directly), with a warning. Both run the same code.
 */
export function createSink(target: SnapshotTarget): {
  readonly sink: SnapshotSink;
  readonly warnings: readonly LandscapeWarning[];
} {
  const file = compiledModule("src/capture/snapshot-worker.js");
  if (file !== undefined) return { sink: createWorkerSink(file, target), warnings: [] };
  const message =
    "Snapshots are written by the training thread: the compiled writer is not beside the sources.";
  return {
    sink: createInlineSink(target.directory, createSnapshotWriter(target)),
    warnings: [{ code: "capture-inline", message }],
  };
}
