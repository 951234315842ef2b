import { decodeWriteError, encodeWriteError } from "./write-error.js";
import type { WriteSnapshot } from "./write-in-order.js";
import type { SnapshotSink } from "./write-queue.js";

/** Returns a sink that hashes and writes in the calling thread: for sources that are not compiled. */
export function createInlineSink(directory: string, write: WriteSnapshot): SnapshotSink {
  return {
    write: async (snapshot) => {
      try {
        await write(snapshot);
      } catch (error) {
        throw decodeWriteError(directory, snapshot.step, encodeWriteError(error));
      }
      return snapshot.theta;
    },
    close: async () => undefined,
  };
}
