import { existsSync } from "node:fs";
import type { SnapshotTarget } from "../store/write-snapshot-file.js";
import type { LandscapeWarning } from "../warning.js";
import { createInlineSink } from "./inline-sink.js";
import { createSnapshotWriter } from "./snapshot-writer.js";
import { createWorkerSink } from "./worker-sink.js";
import type { SnapshotSink } from "./write-queue.js";

/**
 * Returns the sink for a run: a worker thread, or the calling thread where the compiled worker is missing
 * (TypeScript sources run directly), with a warning. Both run the same code.
 */
export function createSink(target: SnapshotTarget): {
  readonly sink: SnapshotSink;
  readonly warnings: readonly LandscapeWarning[];
} {
  const file = new URL("./snapshot-worker.js", import.meta.url);
  if (existsSync(file)) return { sink: createWorkerSink(file, target), warnings: [] };
  const message =
    "Snapshots are written by the training thread: the compiled writer is not beside the sources.";
  return {
    sink: createInlineSink(target.directory, createSnapshotWriter(target)),
    warnings: [{ code: "capture-inline", message }],
  };
}
