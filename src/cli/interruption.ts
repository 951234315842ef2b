import { constants } from "node:os";
import type { Output } from "./output.js";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** A command that was ended from outside, having stored what it had finished. */
export class Interruption extends Error {
  override readonly name = "Interruption";
  /** As a shell reports a process that a signal has ended. */
  readonly exitCode: number;

  constructor(signal: NodeJS.Signals) {
    super(`interrupted by ${signal}; the same command goes on with what was finished`);
    this.exitCode = 128 + constants.signals[signal];
  }
}

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
