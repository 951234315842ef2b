import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { STUDY_NETWORKS, type StudyNetwork } from "./study-network.js";

/**
 * The same numbers on every machine; and networks as small as these spend their time on single operations, of which
 * WebAssembly makes twice as many a second as the native backend.
 */
const STUDY_BACKEND = "wasm";

/** What every study is told on the command line. */
export interface CommonStudyOptions {
  /** Folder for runs, pictures and text. */
  readonly out: string;
  /** A few seconds' worth, to see that everything works; its numbers mean nothing. */
  readonly quick: boolean;
  /** Processes that retrain. */
  readonly workers: number;
}

/** What a study that can have another size is told. */
export interface StudyOptions extends CommonStudyOptions {
  readonly backend: "wasm" | "native";
  readonly network: StudyNetwork;
  /** "mnist", "fashion-mnist", or the folder of CIFAR-10's binary version. */
  readonly data: string;
  /** Whether images are halved in height and width. */
  readonly half: boolean;
  readonly images: number;
  /** Epochs of each training; undefined for the study's own. */
  readonly epochs: number | undefined;
}

const COMMON_FLAGS = {
  out: { type: "string" },
  quick: { type: "boolean", default: false },
  workers: { type: "string", default: "2" },
} as const;

/** Options of studies that are programs and can have another size. */
export const STUDY_FLAGS = {
  ...COMMON_FLAGS,
  backend: { type: "string", default: STUDY_BACKEND },
  network: { type: "string" },
  data: { type: "string" },
  full: { type: "boolean", default: false },
  images: { type: "string" },
  epochs: { type: "string" },
} as const;

/** Reads `--out DIR`, `--quick` and `--workers N`. */
export function commonOptions(name: string): CommonStudyOptions {
  return commonOf(name, parseArgs({ options: COMMON_FLAGS }).values);
}

/**
 * Reads `--out DIR`, `--quick`, `--workers N`, `--backend B`, and those of size: `--network NAME`, `--data NAME or FOLDER`,
 * `--full` (images are not halved), `--images N`, `--epochs N`.
 *
 * @param defaults - without a network where the study has some of its own; `networks` where it does not take all.
 */
export function studyOptions(
  name: string,
  defaults: Pick<StudyOptions, "data" | "images"> & {
    readonly network?: StudyNetwork;
    readonly networks?: readonly StudyNetwork[];
  },
  values: ReturnType<typeof parseFlags> = parseFlags(),
): StudyOptions {
  const { full, data = defaults.data, backend, quick } = values;
  for (const size of ["images", "epochs"] as const) {
    const got = values[size];
    if (quick && got !== undefined) throw new Error(`--${size}: expected none beside --quick, got ${got}`);
  }
  if (defaults.network === undefined && values.network !== undefined)
    throw new Error(`--network: expected none, since ${name} has networks of its own, got ${values.network}`);
  return {
    ...commonOf(name, values),
    backend: oneOf("backend", ["wasm", "native"], backend),
    network: oneOf(
      "network",
      defaults.networks ?? STUDY_NETWORKS,
      values.network ?? defaults.network ?? "mlp",
    ),
    data,
    half: !full,
    images: values.images === undefined ? defaults.images : count("images", values.images),
    epochs: values.epochs === undefined ? undefined : count("epochs", values.epochs),
  };
}

function parseFlags() {
  return parseArgs({ options: STUDY_FLAGS }).values;
}

function commonOf(
  name: string,
  { out = `runs/${name}`, quick, workers }: { out?: string; quick: boolean; workers: string },
): CommonStudyOptions {
  return { out: resolve(out), quick, workers: count("workers", workers) };
}

function oneOf<T extends string>(name: string, choices: readonly T[], got: string): T {
  if (choices.includes(got as T)) return got as T;
  throw new Error(`--${name}: expected one of ${choices.join(", ")}, got ${got}`);
}

/** Reads a count. */
export function count(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new Error(`--${name}: expected a whole number above 0, got ${text}`);
}
