import { resolve } from "node:path";
import { LiveFeed, type LiveFeedOptions } from "./live-feed.js";
import { livePage } from "./live-page.js";
import { createLiveServer } from "./live-server.js";

/** Options of {@link startLiveView}. */
export interface LiveViewOptions extends LiveFeedOptions {
  /** Port on 127.0.0.1; default 0, any that is free. */
  readonly port?: number;
}

/** A live page of a run, as long as it is open. */
export interface LiveView {
  /** Where it is: `http://127.0.0.1:PORT/`. */
  readonly url: string;
  /** Lets the process end although the page is open. */
  unref(): void;
  /** Ends the page. Idempotent. */
  close(): Promise<void>;
}

/**
 * Serves a page on 127.0.0.1 that shows a run directory and grows with it: the path on the principal plane so
 * far, loss and learning-rate curves. Works for a run that this or another process writes, and a finished one.
 *
 * @throws {@link RunStateError} if there is no run, or the port is in use; {@link FormatError} if a file of
 * the run is damaged.
 */
export async function startLiveView(directory: string, options: LiveViewOptions = {}): Promise<LiveView> {
  const { port, ...rest } = options;
  const page = livePage();
  const feed = new LiveFeed(resolve(directory), rest);
  await feed.begin();
  const server = await createLiveServer(page, port);
  const following = feed.follow((state) => server.publish(state));
  return {
    url: server.url,
    unref: () => server.unref(),
    async close() {
      feed.close();
      await following;
      await server.close();
    },
  };
}
