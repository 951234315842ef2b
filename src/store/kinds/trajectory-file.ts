import { z } from "zod";
import { FormatError, InvalidDataError } from "../../base/errors.js";
import { warningsSchema } from "../../base/json-schema.js";
import type { Provenance } from "../../base/provenance.js";
import type { Trajectory } from "../../directions/project.js";
import {
  type Artifact,
  type ArtifactColumn,
  float64Column,
  int32Column,
  parseDetails,
  readArtifact,
  writeArtifact,
} from "../results/artifact.js";

const detailsSchema = z.object({ dimensions: z.int().min(1).max(1000), warnings: warningsSchema });

/** Columns of per-snapshot values; the others are left out where they were not evaluated. */
const always = ["inPlaneShare", "distance"] as const;
const optional = ["trueLoss", "planeLoss", "recalibratedLoss"] as const;

/**
 * Writes a trajectory as an Arrow file: one row for each snapshot, columns alpha, beta, … and fidelity.
 *
 * @throws {@link InvalidDataError} if lengths do not fit together.
 * @example await writeTrajectory("pca.arrow", trajectory, provenance);
 */
export async function writeTrajectory(
  file: string,
  trajectory: Trajectory,
  provenance: Provenance,
): Promise<void> {
  const { coordinates, dimensions, warnings, evaluated } = trajectory;
  const rows = coordinates.length / dimensions;
  const columns: Record<string, ArtifactColumn> = {};
  for (let axis = 0; axis < dimensions; axis++) {
    const values = Float64Array.from({ length: rows }, (_, i) => coordinates[i * dimensions + axis] ?? 0);
    columns[axisName(axis)] = { values };
  }
  for (const name of [...always, ...optional]) {
    const values = trajectory[name];
    if (values === null || values === undefined) continue;
    if (values.length !== rows) {
      throw new InvalidDataError(`${file}: ${name}`, `length ${rows}`, String(values.length));
    }
    columns[name] = { values };
  }
  if (evaluated !== undefined) {
    const isKnown = new Set(evaluated);
    columns.evaluated = { values: Int32Array.from({ length: rows }, (_, i) => Number(isKnown.has(i))) };
  }
  const details = { dimensions, warnings: warnings.map(({ code, message }) => ({ code, message })) };
  await writeArtifact(file, { columns, details, provenance });
}

/**
 * Reads a trajectory back, bit for bit.
 *
 * @param expected - provenance that it must have. Default: any.
 * @returns null if there is no file or it is stale.
 * @throws {@link FormatError} if the file is truncated, foreign, damaged or of a newer version.
 * @example const trajectory = await readTrajectory("runs/adam/fidelity/pca.arrow"); // null if there is no such file
 */
export async function readTrajectory(file: string, expected?: Provenance): Promise<Trajectory | null> {
  const artifact = await readArtifact(file, expected);
  if (artifact === null) return null;
  const { dimensions, warnings } = parseDetails(file, artifact, detailsSchema);
  const axes = Array.from({ length: dimensions }, (_, i) => float64Column(file, artifact, axisName(i)));
  const rows = axes[0]?.length ?? 0;
  const coordinates = new Float64Array(rows * dimensions);
  for (const [axis, values] of axes.entries()) {
    for (let i = 0; i < rows; i++) coordinates[i * dimensions + axis] = values[i] ?? 0;
  }
  const recalibratedLoss = optionalColumn(file, artifact, "recalibratedLoss");
  return {
    coordinates,
    dimensions,
    inPlaneShare: float64Column(file, artifact, "inPlaneShare"),
    distance: float64Column(file, artifact, "distance"),
    trueLoss: optionalColumn(file, artifact, "trueLoss"),
    planeLoss: optionalColumn(file, artifact, "planeLoss"),
    ...(recalibratedLoss === null ? {} : { recalibratedLoss }),
    ...(Object.hasOwn(artifact.columns, "evaluated") ? { evaluated: readEvaluated(file, artifact) } : {}),
    warnings,
  };
}

function readEvaluated(file: string, artifact: Artifact): Int32Array {
  const flags = int32Column(file, artifact, "evaluated");
  const wrong = flags.findIndex((flag) => flag !== 0 && flag !== 1);
  if (wrong >= 0) throw new FormatError(file, `evaluated[${wrong}] 0 or 1`, String(flags[wrong]));
  return Int32Array.from(Array.from(flags.keys()).filter((i) => flags[i] === 1));
}

function optionalColumn(file: string, artifact: Artifact, name: string): Float64Array | null {
  return Object.hasOwn(artifact.columns, name) ? float64Column(file, artifact, name) : null;
}

/** Name of a coordinate's column: alpha, beta, gamma, then axis4 and so on. */
function axisName(axis: number): string {
  return ["alpha", "beta", "gamma"][axis] ?? `axis${axis + 1}`;
}
