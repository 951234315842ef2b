import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Worker } from "node:worker_threads";
import { RunStateError } from "../base/errors.js";
import { compiledModule, packageFile } from "../base/package-files.js";
import type { LandscapeWarning } from "../base/warning.js";
import { fontFaceCss } from "../figure/files/font-files.js";
import { contentPolicy, PAGE_STYLE } from "../figure/files/render-html.js";
import { LiveFeed, type LiveFeedOptions } from "./live-feed.js";
import { createLiveServer, type LivePage } from "./live-server.js";
import type { LiveWorkerData, LiveWorkerReply } from "./live-worker.js";

/** The page asks its own server for states, and is shown in no other page. */
const DIRECTIVES = ["img-src data:", "connect-src 'self'", "frame-ancestors 'none'"];

/** Where the build puts the bundled code of the page. */
const LIVE_SCRIPT = "dist/src/live/page/page.js";

const STYLE = `
.status{display:flex;flex-wrap:wrap;gap:4px 16px;align-items:baseline;margin:-12px 0 24px;color:var(--muted);font-size:14px}
.status strong{color:var(--text)}
.status strong::before{content:"";display:inline-block;width:10px;height:10px;margin-right:8px;border-radius:50%;background:var(--muted)}
.status[data-status=recording] strong::before{background:#009e73}
.status[data-status=lost] strong::before{background:#d55e00}
.latest{display:grid;grid-template-columns:repeat(auto-fill,minmax(120px,1fr));gap:8px;margin:0 0 24px}
.latest div{padding:8px 12px;border-radius:6px;background:var(--panel);min-width:0}
.latest dt{color:var(--muted);font-size:12px}
.latest dd{margin:0;font-size:17px;font-variant-numeric:tabular-nums}
`;

/**
 * Returns the live page: complete in itself but for the states that it asks its own server for. The text is
 * the same for every run: names and numbers come as data, and go in as text.
 *
 * @throws `MissingDependencyError` if the page's code has not been built.
 */
export function livePage(): LivePage {
  const script = readFileSync(packageFile(LIVE_SCRIPT, "run npm run build"), "utf8");
  const style = `${fontFaceCss("")}${PAGE_STYLE}${STYLE}`;
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="tfjs-landscape">
<link rel="icon" href="data:,">
<title>Live view</title>
<style>${style}</style>
</head>
<body>
<main>
<h1 id="name">Live view</h1>
<p class="status" id="status" role="status"><strong>connecting</strong></p>
<dl class="latest" id="latest"></dl>
<section>
<h2>Path on the plane so far</h2>
<figure>
<div class="chart" id="plane" role="img"></div>
<figcaption><p class="caption" id="plane-caption"></p></figcaption>
</figure>
</section>
<section>
<h2>Curves</h2>
<figure>
<div class="chart" id="curves" role="img"></div>
<figcaption><p class="caption" id="curves-caption"></p></figcaption>
</figure>
</section>
<section id="stability-section" hidden>
<h2>Edge of stability so far</h2>
<figure>
<div class="chart" id="stability" role="img"></div>
<figcaption><p class="caption" id="stability-caption"></p></figcaption>
</figure>
</section>
<ul class="notes" id="notes"></ul>
</main>
<script>${script}</script>
</body>
</html>
`;
  return { html, policy: contentPolicy([script], style, DIRECTIVES) };
}

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
 * @example const view = await startLiveView("runs/adam"); // open view.url in a browser
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
