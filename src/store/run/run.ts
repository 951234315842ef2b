import { InvalidOptionError } from "../../base/errors.js";
import { sha256 } from "../../base/provenance.js";
import type { LandscapeWarning } from "../../base/warning.js";
import type { ParameterLayout } from "../../model/layout.js";
import type { RunManifest } from "../../model/manifest.js";

/** What a snapshot file says beside θ (one row of the run's index). */
export interface SnapshotInfo {
  /** Ordinal from 0; equals the file's number. */
  readonly step: number;
  /** Completed epochs. */
  readonly epoch: number;
  /** Optimizer updates done. */
  readonly iteration: number;
  /** Milliseconds since 1970, UTC. */
  readonly time: number;
  /** Learning rate used for the updates that led here; NaN if unknown. */
  readonly learningRate: number;
  /** Logs by name; empty at step 0, values may be non-finite. */
  readonly logs: Readonly<Record<string, number>>;
}

/** A snapshot to be written: its facts and θ (parameterCount, float32, in layout order). */
export interface Snapshot extends SnapshotInfo {
  readonly theta: Float32Array;
}

/** A run directory opened for reading: facts in memory, weights read on demand. */
export interface Run {
  /** Absolute path of the run directory. */
  readonly directory: string;
  readonly manifest: RunManifest;
  readonly layout: ParameterLayout;
  /** Complete snapshots in order of `step`. */
  readonly snapshots: readonly SnapshotInfo[];
  readonly warnings: readonly LandscapeWarning[];
  /** Whether it is only a part of the run in the directory: see `partOfRun`. Default false. */
  readonly isPart?: boolean;

  /**
   * Reads entries [start, start + out.length) of θ of the snapshot at position `index` into `out`,
   * touching only those bytes of the file. float16 is widened.
   */
  readThetaInto(index: number, start: number, out: Float32Array): Promise<void>;

  /** Reads the whole θ (parameterCount) of the snapshot at position `index`, verifying its sha-256. */
  readTheta(index: number): Promise<Float32Array>;

  /** sha-256 (hex) of the stored bytes of θ of the snapshot at position `index`. */
  thetaDigest(index: number): string;

  /** sha-256 (hex) over the layout digest and every snapshot's θ digest: the identity of the data. */
  digest(): Promise<string>;

  /** Closes the files that are open; reading opens them again. Only programs with many runs need it. */
  close(): Promise<void>;
}

/** Which snapshots of a run are analysed. */
export interface StepOptions {
  /** First step (ordinal of a snapshot). Default the run's first. */
  readonly from?: number | undefined;
  /** Last step, included. Default the run's last. */
  readonly until?: number | undefined;
}

/**
 * Returns the part of a run from one step to another, both included, as a run of its own: it has the digest of a
 * run that holds only these snapshots, so that results are shared with it.
 *
 * @throws {@link InvalidOptionError} if no snapshot lies between, or a step is no integer from 0 on.
 */
export function partOfRun(run: Run, { from, until }: StepOptions): Run {
  for (const [name, step] of Object.entries({ from, until })) {
    if (step === undefined || (Number.isInteger(step) && step >= 0)) continue;
    throw new InvalidOptionError(name, "a step, an integer from 0 on", String(step));
  }
  const [low, high] = [from ?? 0, until ?? Number.POSITIVE_INFINITY];
  const kept = run.snapshots.flatMap(({ step }, index) => (step >= low && step <= high ? [index] : []));
  if (kept.length === 0) {
    const [first, last] = [run.snapshots[0]?.step ?? 0, run.snapshots.at(-1)?.step ?? 0];
    const got = `${low} to ${high === Number.POSITIVE_INFINITY ? "the end" : high}`;
    throw new InvalidOptionError(run.directory, `steps within ${first} to ${last}`, got);
  }
  return selectSnapshots(run, kept);
}

/** Returns a run with only the snapshots at some positions, in increasing order. */
export function selectSnapshots(
  run: Run,
  kept: readonly number[],
  warnings: readonly LandscapeWarning[] = [],
): Run {
  if (kept.length === run.snapshots.length) return run;
  const at = (index: number): number => {
    const position = kept[index];
    if (position !== undefined) return position;
    throw new InvalidOptionError("index", `a snapshot from 0 to ${kept.length - 1}`, String(index));
  };
  return {
    ...run,
    isPart: true,
    snapshots: kept.map((position) => run.snapshots[position] as Run["snapshots"][number]),
    warnings: [...run.warnings, ...warnings],
    readThetaInto: async (index, start, out) => run.readThetaInto(at(index), start, out),
    readTheta: async (index) => run.readTheta(at(index)),
    thetaDigest: (index) => run.thetaDigest(at(index)),
    digest: async () =>
      runDigest(
        run.layout.digest,
        kept.map((position) => run.thetaDigest(position)),
      ),
  };
}

/** The identity of a run's weights: sha-256 (hex) over the layout's digest and those of the snapshots. */
export function runDigest(layout: string, thetas: readonly string[]): string {
  return sha256(`${layout}\n`, ...thetas.map((digest) => `${digest}\n`));
}

/** Weights larger than this belong to a training that diverged: beside them no other step can be seen. */
const LARGEST = 1e10;

/** Whether no weight is NaN, infinite, or so large that the training must have diverged. */
export function isFinitePoint(theta: Float32Array): boolean {
  // NaN fails the comparison as well.
  return theta.every((value) => Math.abs(value) <= LARGEST);
}

const finiteParts = new WeakMap<Run, Promise<Run>>();

/**
 * Returns the part of a run whose weights are finite, and at most 1e10: the whole run unless it diverged. A warning
 * names the steps that are left out. Cost: every snapshot is read once.
 */
export function finitePart(run: Run): Promise<Run> {
  const known = finiteParts.get(run);
  if (known !== undefined) return known;
  const found = findFinitePart(run);
  finiteParts.set(run, found);
  found.catch(() => finiteParts.delete(run));
  return found;
}

async function findFinitePart(run: Run): Promise<Run> {
  const kept: number[] = [];
  for (let index = 0; index < run.snapshots.length; index++) {
    if (isFinitePoint(await run.readTheta(index))) kept.push(index);
  }
  const left = run.snapshots.filter((_, index) => !kept.includes(index));
  if (left.length === 0) return run;
  const named = left.slice(0, 5).map(({ step }) => step);
  const steps = `${left.length === 1 ? "step" : "steps"} ${named.join(", ")}${left.length > 5 ? ", …" : ""}`;
  const message = `${run.manifest.name}: ${left.length} of ${run.snapshots.length} snapshots have diverged (weights that are not finite, or above 1e10) and are left out: ${steps}`;
  return selectSnapshots(run, kept, [{ code: "diverged-snapshots", message }]);
}
