import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { FormatError, InvalidDataError } from "../base/errors.js";
import { removal } from "../base/platform.js";
import type { Provenance } from "../base/provenance.js";
import type { OptimizerState } from "../model/optimizer-state.js";
import { writeFileAtomic } from "../store/arrow/atomic-file.js";
import { namesInFolder } from "../store/arrow/regular-file.js";
import {
  column,
  encodeArtifact,
  int32Column,
  parseDetails,
  readArtifact,
} from "../store/results/artifact.js";
import { type SnapshotTarget, storedThetaDigest } from "../store/run/encode-snapshot.js";
import type { Run, Snapshot } from "../store/run/run.js";
import { optimizerFolder, optimizerPath } from "../store/run/snapshot-schema.js";

/** A snapshot as it is recorded: with the optimizer's state, where that is asked for. */
export interface RecordedSnapshot extends Snapshot {
  readonly optimizerState?: OptimizerState | undefined;
}

const detailsSchema = z.object({ weights: z.array(z.string()) });

/** The state belongs to the weights with that digest, and to no others. */
function provenanceOf(layoutDigest: string, thetaSha256: string): Provenance {
  const inputs = { layout: layoutDigest, snapshot: thetaSha256 };
  return { kind: "optimizer-state", version: 1, options: {}, seed: null, inputs };
}

/**
 * Writes the optimizer's state of a snapshot as `optimizer/NNNNNN.arrow`, atomically: one row, with the column
 * `iterations` and one list of D float32 for each slot.
 *
 * @throws {@link InvalidDataError} if a slot has another length than θ.
 */
export async function writeOptimizerState(
  { directory, layoutDigest, dtype }: SnapshotTarget,
  { step, theta }: Snapshot,
  { iterations, slots, weights }: OptimizerState,
): Promise<void> {
  for (const [name, { length }] of Object.entries(slots)) {
    if (length === theta.length) continue;
    throw new InvalidDataError(
      `snapshot ${step}: optimizer: ${name}`,
      `${theta.length} numbers`,
      `${length}`,
    );
  }
  const lists = Object.entries(slots).map(([name, values]) => [
    `slot:${name}`,
    { values, width: theta.length },
  ]);
  const file = optimizerPath(directory, step);
  const artifact = {
    columns: { iterations: { values: Int32Array.of(iterations) }, ...Object.fromEntries(lists) },
    details: { weights },
    provenance: provenanceOf(layoutDigest, storedThetaDigest(theta, dtype, `snapshot ${step}`)),
  };
  // In parts: nobody else has these arrays, which may be large.
  await writeFileAtomic(file, encodeArtifact(artifact, file));
}

/**
 * Reads what the optimizer kept at a snapshot, verified against its digest; null if it was not recorded.
 *
 * @param index - position of the snapshot in the run.
 * @throws {@link FormatError} if the file is truncated, foreign, damaged, or of another snapshot.
 * @example const state = await readOptimizerState(run, 12); // state?.slots.v: Adam's second moments
 */
export async function readOptimizerState(run: Run, index: number): Promise<OptimizerState | null> {
  const digest = run.thetaDigest(index);
  const file = optimizerPath(run.directory, run.snapshots[index]?.step ?? -1);
  const artifact = await readArtifact(file);
  if (artifact === null) return null;
  const expected = provenanceOf(run.layout.digest, digest);
  const { kind, version, inputs } = artifact.provenance;
  if (kind !== expected.kind || version > expected.version) {
    throw new FormatError(file, `${expected.kind} of version ${expected.version}`, `${kind} of ${version}`);
  }
  if (inputs.snapshot !== digest) {
    throw new FormatError(file, `the state of snapshot ${digest.slice(0, 12)}`, `${inputs.snapshot}`);
  }
  const { weights } = parseDetails(file, artifact, detailsSchema);
  const { parameterCount } = run.layout;
  const [iterations, ...others] = int32Column(file, artifact, "iterations");
  if (iterations === undefined || others.length > 0)
    throw new FormatError(file, "one row", `${others.length}`);
  const slots: Record<string, Float32Array> = {};
  for (const name of Object.keys(artifact.columns)) {
    if (!name.startsWith("slot:")) continue;
    const { values, width } = column(file, artifact, name);
    if (!(values instanceof Float32Array) || width !== parameterCount) {
      throw new FormatError(`${file}: ${name}`, `a list of ${parameterCount} float32`, `width ${width}`);
    }
    slots[name.slice("slot:".length)] = values;
  }
  return { iterations, slots, weights };
}

/** Removes the optimizer's states of a run; returns how many there were, and their bytes. */
export async function removeOptimizerStates(
  directory: string,
  isDry = false,
): Promise<{ readonly files: number; readonly bytes: number }> {
  const folder = optimizerFolder(directory);
  const names = (await namesInFolder(folder)).filter((name) => name.endsWith(".arrow"));
  let bytes = 0;
  for (const name of names) bytes += (await stat(join(folder, name))).size;
  if (!isDry) await rm(folder, removal());
  return { files: names.length, bytes };
}
