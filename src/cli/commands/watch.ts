import type { Command } from "commander";
import { defined } from "../../base/json.js";
import { startLiveView } from "../../live/start-live-view.js";
import { parseCount } from "../command-options.js";
import { createOutput, type Output } from "../output.js";

/** Declares the arguments and options of `watch`. */
export function declareWatch(command: Command): void {
  command
    .argument("<run>", "run directory")
    .option("--port <n>", "port on 127.0.0.1 (default: any that is free)", parseCount("--port", 0, 65_535))
    .action((run, options) => watch(run, options, createOutput(options)));
}

/** `watch RUN`: serves the page until the process is interrupted. */
async function watch(directory: string, options: { readonly port?: number }, output: Output): Promise<void> {
  const { port } = options;
  const view = await startLiveView(directory, defined({ port }));
  const ended = interrupted();
  output.result({ url: view.url });
  output.print(view.url);
  output.note("Ctrl-C ends");
  await ended;
  await view.close();
}

function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
}
