import { FormatError, RunStateError } from "../base/errors.js";
import { canonicalJson, isStale, type JsonValue, type Provenance, sha256 } from "../base/provenance.js";
import type { LossEvaluator } from "../loss/loss-evaluator.js";
import { readManifest } from "../store/run/manifest-file.js";
import { openRun } from "../store/run/open-run.js";
import { inspectDirectory } from "../store/run/prepare-run.js";
import type { SnapshotInfo } from "../store/run/run.js";
import type { Jump } from "./jump-options.js";
import type { JumpSource } from "./jump-source.js";

/** Raised when jumps of equal options would come out differently. */
const VERSION = 1;

/** What all jumps of one call have in common, for their provenance. */
export interface JumpOrigin {
  /** sha-256 digests by name. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, JsonValue>>;
}

/**
 * Returns what jumps are made from: digests of θ*, layout, model and data, and every option that counts.
 *
 * @param evaluators - by the name of the set.
 * @param backend - its name: retraining on another one gives other bits.
 */
export function jumpOrigin(
  { recipe, theta, layout }: JumpSource,
  evaluators: Readonly<Record<string, LossEvaluator>>,
  backend: string,
): JumpOrigin {
  const { epochs, batchSize, optimizer, weightDecay, loss, direction } = recipe;
  const { ignore, normalize, oneDimensional } = direction;
  const data = Object.entries(evaluators).map(([name, { facts }]) => [name, facts.dataDigest]);
  return {
    inputs: {
      weights: sha256(theta),
      layout: layout.digest,
      model: evaluators.train?.facts.modelDigest ?? "",
      ...Object.fromEntries(data),
    },
    options: {
      epochs,
      batchSize,
      optimizer: { className: optimizer.className, config: optimizer.config },
      weightDecay,
      loss,
      direction: { normalize, ignore: [...ignore].sort(), oneDimensional },
      backend,
    },
  };
}

/** Returns the provenance of one jump. */
export function jumpProvenance({ seed, distance }: Jump, { inputs, options }: JumpOrigin): Provenance {
  return { kind: "jump", version: VERSION, options: { ...options, step: distance }, seed, inputs };
}

/** Names what differs between two provenances: `{ name: [stored, expected] }`, as short texts. */
export function provenanceDifferences(
  stored: Provenance,
  expected: Provenance,
): Record<string, readonly [string, string]> {
  const [a, b] = [facts(stored), facts(expected)];
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  return Object.fromEntries(
    names.filter((name) => a[name] !== b[name]).map((name) => [name, [a[name] ?? "none", b[name] ?? "none"]]),
  );
}

/** Every fact of a provenance by name, digests shortened. */
function facts({ kind, version, options, seed, inputs }: Provenance): Record<string, string> {
  const shown = Object.entries(options).map(([name, value]) => [name, canonicalJson(value)]);
  const digests = Object.entries(inputs).map(([name, digest]) => [name, digest.slice(0, 12)]);
  return {
    kind,
    version: String(version),
    seed: String(seed),
    ...Object.fromEntries([...shown, ...digests]),
  };
}

/**
 * Looks for a jump in its folder: its states if it is complete, null if it is to be made (anew).
 *
 * @param overwrite - lets a run of another origin, or a damaged one, be made anew.
 * @throws {@link RunStateError} if the folder holds a run that was made from something else, naming what
 * differs, or anything that is no run.
 * @throws {@link FormatError} if the run is damaged.
 */
export async function findJump(
  { directory }: Jump,
  provenance: Provenance,
  epochs: number,
  overwrite: boolean,
): Promise<readonly SnapshotInfo[] | null> {
  if ((await inspectDirectory(directory)) !== "run") return null;
  try {
    const { provenance: stored } = await readManifest(directory);
    if (stored === undefined || isStale(stored, provenance)) throw foreign(directory, stored, provenance);
    const { snapshots } = await openRun(directory);
    if (snapshots.length > epochs + 1) {
      const hint =
        "it was trained on; choose another directory, or replace it (overwrite: true, --overwrite)";
      const got = String(snapshots.length);
      throw new RunStateError(directory, `${epochs + 1} snapshots of a jump`, got, { hint });
    }
    return snapshots.length === epochs + 1 ? snapshots : null;
  } catch (error) {
    if (overwrite && (error instanceof RunStateError || error instanceof FormatError)) return null;
    throw error;
  }
}

function foreign(directory: string, stored: Provenance | undefined, wanted: Provenance): RunStateError {
  const hint = "choose another directory, or replace its jumps (overwrite: true, --overwrite)";
  if (stored === undefined) {
    return new RunStateError(directory, "a jump or nothing", "the run of a training", { hint });
  }
  const differences = Object.entries(provenanceDifferences(stored, wanted));
  const expected = differences.map(([name, [, now]]) => `${name} ${now}`).join(", ");
  const got = differences.map(([name, [then]]) => `${name} ${then}`).join(", ");
  return new RunStateError(directory, `a jump made with ${expected}`, `one made with ${got}`, { hint });
}
