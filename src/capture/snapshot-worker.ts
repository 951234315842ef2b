// The writing thread: takes snapshots from the training thread, answers when each is on disk.
import { parentPort, workerData } from "node:worker_threads";
import { encodeError, type WireError } from "../base/errors.js";
import type { SnapshotTarget } from "../store/run/encode-snapshot.js";
import type { RecordedSnapshot } from "./optimizer-state-file.js";
import { createSnapshotWriter } from "./write-queue.js";

/** Answer to one snapshot, in the order they came: θ's memory comes back, with the error if there was one. */
export interface WorkerReply {
  readonly theta: Float32Array;
  readonly error: WireError | null;
}

const write = createSnapshotWriter(workerData as SnapshotTarget);

async function answer(snapshot: RecordedSnapshot): Promise<void> {
  const error = await write(snapshot).then(() => null, encodeError);
  const reply: WorkerReply = { theta: snapshot.theta, error };
  parentPort?.postMessage(reply, [snapshot.theta.buffer as ArrayBuffer]);
}

parentPort?.on("message", (snapshot: RecordedSnapshot) => {
  void answer(snapshot);
});
