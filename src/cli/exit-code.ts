import { CommanderError } from "commander";
import { LandscapeError } from "../errors.js";
import { Interruption } from "./interruption.js";

/** Exit codes of the command: done, a defect or a broken machine, input that cannot be used. */
export const EXIT = { ok: 0, failure: 1, badInput: 2 } as const;

/**
 * Says on stderr why a command ended and returns its exit code: one line for bad input (2) or an interruption
 * (130 for Ctrl-C); the stack for anything unexpected (1). Commander has printed its own errors already.
 */
export function reportError(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.badInput;
  if (error instanceof Interruption) {
    process.stderr.write(`tfjs-landscape: ${error.message}\n`);
    return error.exitCode;
  }
  if (error instanceof LandscapeError) {
    process.stderr.write(`tfjs-landscape: ${error.message.replace(/\s*\n\s*/g, " ")}\n`);
    return EXIT.badInput;
  }
  process.stderr.write(`tfjs-landscape: ${error instanceof Error ? error.stack : String(error)}\n`);
  return EXIT.failure;
}
