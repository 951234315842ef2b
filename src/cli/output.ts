import { Console } from "node:console";
import { toJson } from "../json.js";
import type { LandscapeWarning } from "../warning.js";
import { createProgress, type Progress } from "./progress.js";

/** Where a command writes. With `json`, stdout carries one object and nothing else. */
export interface Output {
  readonly json: boolean;
  /** A line about what goes on, on stderr. */
  note(line: string): void;
  /** Warnings, on stderr, each once. */
  warn(warnings: readonly LandscapeWarning[]): void;
  /** A line of the result for a person, on stdout; nothing with `json`. */
  print(line: string): void;
  /** The result for machines: the only line on stdout with `json`; nothing without. */
  result(value: unknown): void;
  /** A progress bar with the remaining time, on stderr where that is a terminal. */
  progress(title: string): Progress;
}

/** Creates the output of one command, and keeps what libraries print to the console off stdout. */
export function createOutput(json: boolean): Output {
  globalThis.console = new Console({ stdout: process.stderr, stderr: process.stderr });
  const writeOut = process.stdout.write.bind(process.stdout);
  // A user's module may write to stdout by itself: with --json that line is for machines alone.
  if (json) process.stdout.write = process.stderr.write.bind(process.stderr) as typeof process.stdout.write;
  const seen = new Set<string>();
  const note = (line: string): void => {
    process.stderr.write(`${line}\n`);
  };
  return {
    json,
    note,
    warn(warnings) {
      for (const { code, message } of warnings) {
        if (seen.has(message)) continue;
        seen.add(message);
        note(`warning (${code}): ${message}`);
      }
    },
    print(line) {
      if (!json) writeOut(`${line}\n`);
    },
    result(value) {
      if (json) writeOut(`${JSON.stringify(toJson(value))}\n`);
    },
    progress: (title) => createProgress(title, note),
  };
}
