import { resolve } from "node:path";
import { Worker } from "node:worker_threads";
import { RunStateError } from "../base/errors.js";
import { compiledModule } from "../base/package-files.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { LiveWorkerData, LiveWorkerReply } from "./live-worker.js";
import { type LiveView, type LiveViewOptions, startLiveView } from "./start-live-view.js";

/** Share of one core that a live view's thread may take from the training that it shows. */
const SHARE = 0.02;

/** A live view beside a training, and what the user should know of it. */
export interface OpenedLiveView {
  readonly view: LiveView;
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * Opens the live page of a run that this process is writing, in a thread of its own, which reads the finished
 * snapshot files: the training thread does nothing for it. Neither thread nor page keeps the process alive.
 *
 * Where the compiled thread is missing (TypeScript sources run directly) the training thread serves the page,
 * with a warning.
 *
 * @throws {@link RunStateError} if the port is in use, or the thread cannot start.
 */
export async function openLiveView(
  directory: string,
  options: Pick<LiveViewOptions, "port"> = {},
): Promise<OpenedLiveView> {
  const file = compiledModule("src/live/live-worker.js");
  if (file !== undefined)
    return { view: await openWorker(file, directory, { ...options, share: SHARE }), warnings: [] };
  const view = await startLiveView(directory, options);
  view.unref();
  const message =
    "The live view is served by the training thread: its compiled thread is not beside the sources.";
  return { view, warnings: [{ code: "live-inline", message }] };
}

async function openWorker(file: string, directory: string, options: LiveViewOptions): Promise<LiveView> {
  const workerData: LiveWorkerData = { directory: resolve(directory), options };
  // No flags of the parent: a loader meant for its sources must not run again here.
  const worker = new Worker(file, { workerData, execArgv: [], name: "tfjs-landscape live view" });
  try {
    const url = await firstReply(worker, directory);
    worker.unref();
    // A thread that fails later takes the page with it, never the training.
    worker.on("error", () => undefined);
    return {
      url,
      unref: () => worker.unref(),
      close: async () => {
        await worker.terminate();
      },
    };
  } catch (error) {
    await worker.terminate();
    throw error;
  }
}

function firstReply(worker: Worker, directory: string): Promise<string> {
  return new Promise((resolveUrl, reject) => {
    const fail = (reason: string): void =>
      reject(new RunStateError(directory, "a thread for the live view", reason));
    worker.once("error", (error) => fail(`one that failed: ${error.message}`));
    worker.once("exit", (code) => fail(`one that ended with code ${code}`));
    worker.once("message", (reply: LiveWorkerReply) => {
      worker.removeAllListeners("error");
      worker.removeAllListeners("exit");
      if ("url" in reply) resolveUrl(reply.url);
      else if (typeof reply.error === "string") fail(reply.error);
      else reject(new RunStateError(reply.error.where, reply.error.expected, reply.error.got));
    });
  });
}
