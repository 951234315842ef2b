import { InvalidOptionError, messageOf } from "../src/base/errors.js";
import type { LandscapeWarning } from "../src/base/warning.js";
import { type LiveView, openLiveView } from "../src/live/start-live-view.js";

/** Options of the live page of a training. */
export interface LivePageOptions {
  /**
   * Serves a page on 127.0.0.1 that grows with the training, on the given port or any that is free. A separate thread
   * serves it until the process ends or `closeLive` is called; it does not keep the process alive. Default false.
   */
  readonly live?: boolean | { readonly port?: number };
  /**
   * Called with the URL of the live page when training begins. Default: the URL is emitted as a process warning
   * (`process.emitWarning`, code "live-view"). `liveUrl` holds it too.
   */
  readonly onLive?: (url: string) => void;
}

/** @throws `InvalidOptionError` if an option cannot be used. */
export function checkLivePageOptions({ live, onLive }: LivePageOptions): void {
  const port = typeof live === "object" ? live?.port : undefined;
  const isPort = port === undefined || (Number.isInteger(port) && port >= 0 && port <= 65_535);
  const isKnown =
    live === undefined || typeof live === "boolean" || (typeof live === "object" && live !== null);
  if (!isKnown || !isPort) {
    const got = JSON.stringify(live) ?? String(live);
    throw new InvalidOptionError("live", "true, false or { port } with a port from 0 to 65535", got);
  }
  if (onLive !== undefined && typeof onLive !== "function") {
    throw new InvalidOptionError("onLive", "a function", String(onLive));
  }
}

/** The live page of a callback: opened once. A page that cannot be opened stops no training. */
export class LivePage {
  readonly #directory: string;
  readonly #options: LivePageOptions;
  #view: LiveView | null = null;
  #warnings: readonly LandscapeWarning[] = [];

  constructor(directory: string, options: LivePageOptions) {
    this.#directory = directory;
    this.#options = options;
  }

  /** Address of the page, or null while none is open. */
  get url(): string | null {
    return this.#view?.url ?? null;
  }

  /** What the user should know about the page. */
  get warnings(): readonly LandscapeWarning[] {
    return this.#warnings;
  }

  /** Opens the page if it is wanted and not open; it follows the directory, also through a resumed training. */
  async open(): Promise<void> {
    const { live = false, onLive } = this.#options;
    if (live === false || this.#view !== null) return;
    try {
      const { view, warnings } = await openLiveView(this.#directory, live === true ? {} : live);
      this.#view = view;
      this.#warnings = warnings;
    } catch (error) {
      const reason = messageOf(error);
      const message = `${this.#directory}: training goes on without its live page: ${reason}`;
      this.#warnings = [{ code: "live-failed", message }];
      process.emitWarning(message, { type: "LandscapeWarning", code: "live-failed" });
      return;
    }
    const { url } = this.#view;
    if (onLive !== undefined) onLive(url);
    else {
      const message = `live page of ${this.#directory}: ${url}`;
      process.emitWarning(message, { type: "LandscapeNotice", code: "live-view" });
    }
  }

  /** Closes the page, if it is open. */
  async close(): Promise<void> {
    const view = this.#view;
    this.#view = null;
    await view?.close();
  }
}
