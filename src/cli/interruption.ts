import type { Command } from "commander";
import { defined } from "../base/json.js";
import type { SurfaceBudget } from "../surface/evaluate-points.js";
import { parseCount, parsePositive } from "./command-options.js";
import { Interruption, type Output } from "./output.js";

/** Options of a surface that may be interrupted. */
export interface InterruptionCommandOptions {
  readonly resume?: boolean;
  readonly maxSeconds?: number;
  readonly maxPoints?: number;
  readonly maxSamples?: number;
}

/** Options of a surface, or of lines, that may end before they are complete. */
export function interruptionOptions(command: Command): Command {
  return command
    .option("--resume", "go on with an interrupted computation, or say why that cannot be")
    .option("--no-resume", "start anew, whatever an interrupted computation has left")
    .option("--max-seconds <n>", "stop after so long, with a coarser picture", parsePositive("--max-seconds"))
    .option("--max-points <n>", "stop after so many points", parseCount("--max-points"))
    .option(
      "--max-samples <n>",
      "stop after so many samples, all points together",
      parseCount("--max-samples"),
    );
}

/** The budget that options ask for. */
export function budgetOf(options: InterruptionCommandOptions): SurfaceBudget | undefined {
  const { maxSeconds: seconds, maxPoints: points, maxSamples: samples } = options;
  const budget = defined({ seconds, points, samples });
  return Object.keys(budget).length === 0 ? undefined : budget;
}

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/**
 * Runs work that Ctrl-C (or SIGTERM) stops within a batch, so that what is finished can be stored; a second one
 * ends the process at once.
 *
 * @throws {@link Interruption} where that is what ended the work.
 */
export async function interruptible<T>(
  output: Output,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const release = (): void => {
    for (const signal of SIGNALS) process.removeListener(signal, interrupt);
  };
  const interrupt = (signal: NodeJS.Signals): void => {
    // From here on a signal does what it does by itself.
    release();
    output.note("stopping, and storing what is finished; once more ends at once");
    controller.abort(new Interruption(signal));
  };
  for (const signal of SIGNALS) process.on(signal, interrupt);
  try {
    return await work(controller.signal);
  } finally {
    release();
  }
}
