// The thread of the live view: follows the run's files and serves the page, so that training does not wait.

import { parentPort, workerData } from "node:worker_threads";
import { messageOf } from "../base/errors.js";
import { type LiveViewOptions, startLiveView } from "./start-live-view.js";

/** What the thread starts with. */
export interface LiveWorkerData {
  readonly directory: string;
  readonly options: LiveViewOptions;
}

/** The thread's reply: the page is open, or cannot be. */
export type LiveWorkerReply =
  | { readonly url: string }
  | { readonly error: { readonly where: string; readonly expected: string; readonly got: string } | string };

async function start(): Promise<void> {
  const { directory, options } = workerData as LiveWorkerData;
  const { url } = await startLiveView(directory, options);
  reply({ url });
}

function reply(message: LiveWorkerReply): void {
  parentPort?.postMessage(message);
}

start().catch((error: unknown) => {
  // A worker boundary strips an error of its class.
  if (error instanceof Error && "where" in error && "expected" in error && "got" in error) {
    const { where, expected, got } = error as Error & { where: string; expected: string; got: string };
    reply({ error: { where, expected, got } });
  } else reply({ error: messageOf(error) });
});
