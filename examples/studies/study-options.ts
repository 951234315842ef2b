import { resolve } from "node:path";
import { parseArgs } from "node:util";

/**
 * The same numbers on every machine; and networks as small as these spend their time on single operations, of which
 * WebAssembly makes twice as many a second as the native backend.
 */
export const STUDY_BACKEND = "wasm";

/** What a study is told on the command line. */
export interface StudyOptions {
  /** Folder for runs, pictures and text. */
  readonly out: string;
  /** A few seconds' worth, to see that everything works; its numbers mean nothing. */
  readonly quick: boolean;
  /** Processes that retrain. */
  readonly workers: number;
}

/** Reads `--out DIR`, `--quick` and `--workers N`. */
export function studyOptions(name: string): StudyOptions {
  const { values } = parseArgs({
    options: {
      out: { type: "string", default: `runs/${name}` },
      quick: { type: "boolean", default: false },
      workers: { type: "string", default: "2" },
    },
  });
  return { out: resolve(values.out), quick: values.quick, workers: Number(values.workers) };
}
