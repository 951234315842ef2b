import type { JsonValue, Provenance } from "../base/provenance.js";
import type { ParameterLayout } from "./layout.js";

/** Contents of run.json. */
export interface RunManifest {
  /** Always "tfjs-landscape-run". */
  readonly format: "tfjs-landscape-run";
  /** Version of the format, an integer; readers refuse newer ones. */
  readonly formatVersion: number;
  /** Human-readable name of the run, used in titles. */
  readonly name: string;
  /** Creation time, ISO 8601 UTC. */
  readonly createdAt: string;
  /** Versions by package: tfjs-landscape, @tensorflow/tfjs, the backend's package, node. */
  readonly packages: Readonly<Record<string, string>>;
  /** The model's class and topology as `model.toJSON` gives it, or null for custom loops. */
  readonly model: JsonValue;
  readonly layout: ParameterLayout;
  /** Element type of θ on disk. */
  readonly dtype: "float32" | "float16";
  /** Optimizer class name and its settings, or null if unknown. */
  readonly optimizer: { readonly className: string; readonly config: JsonValue } | null;
  /** Compiled loss, the newest: names (a string, a list, a map by output), "custom" for functions, or null. */
  readonly loss: JsonValue;
  /** Compiled metric names in the order of the compile call; "custom" for functions. */
  readonly metrics: JsonValue;
  /** What `fit` was called with: epochs, batchSize, samples, steps, initialEpoch, … */
  readonly fit: { readonly [key: string]: JsonValue };
  /** Backend that trained, and why it was chosen. */
  readonly backend: { readonly name: string; readonly package: string; readonly reason: string };
  /** Seed that the user declared, or null. */
  readonly seed: number | null;
  /** What a run that this package trained by itself was made from (jumps). Absent for trainings of the user's. */
  readonly provenance?: Provenance;
  /** One entry for each time that the run was resumed. Absent if it never was. */
  readonly resumes?: readonly RunResume[];
}

/** A continuation of a run: when, from where, and what was different then. */
export interface RunResume {
  /** Time, ISO 8601 UTC. */
  readonly at: string;
  /** Ordinal of the first snapshot after it. */
  readonly step: number;
  readonly optimizer: RunManifest["optimizer"];
  readonly fit: RunManifest["fit"];
  readonly backend: RunManifest["backend"];
  /** Names of the weights that are trained from here on, where others were before. */
  readonly trainable?: readonly string[] | undefined;
  /** Compiled loss and metrics before, where others were compiled. `loss` and `metrics` of the run are the new ones. */
  readonly replaced?: Pick<RunManifest, "loss" | "metrics"> | undefined;
}

/** What a caller says of a new run; format and version are filled in. */
export type RunDescription = Omit<RunManifest, "format" | "formatVersion"> &
  Partial<Pick<RunManifest, "format" | "formatVersion">>;
