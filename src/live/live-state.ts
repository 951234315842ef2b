import type { JsonNumber } from "../report/json-number.js";
import type { RunningPlane } from "./running-plane.js";

/** What is known of a snapshot, as JSON. */
export interface LivePoint {
  readonly step: number;
  readonly epoch: number;
  readonly iteration: number;
  readonly learningRate: JsonNumber;
  readonly logs: readonly (readonly [name: string, value: JsonNumber])[];
}

/** Everything that the live page shows, as JSON: what the server sends. */
export interface LiveState {
  /** Version of this form; raised when it changes. */
  readonly version: 1;
  /** Name of the run: data, never markup. */
  readonly name: string;
  /** "recording" while a process writes the run, else "idle". */
  readonly status: "recording" | "idle";
  /** Epochs that were asked for; null if unknown. */
  readonly epochs: number | null;
  /** Number of snapshots on disk. */
  readonly snapshots: number;
  /** Snapshots in order; of many, every n-th and the last. */
  readonly points: readonly LivePoint[];
  /** The path on its plane; null until there are three snapshots. */
  readonly plane: RunningPlane | null;
  /** Every how many snapshots one is on the plane, beside the newest. */
  readonly planeStride: number;
  /** What the reader should know: snapshots left out, files that cannot be read. */
  readonly notes: readonly string[];
}
