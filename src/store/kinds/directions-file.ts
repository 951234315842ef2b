import { z } from "zod";
import { FormatError, InvalidDataError } from "../../base/errors.js";
import { warningsSchema } from "../../base/json-schema.js";
import type { Provenance } from "../../base/provenance.js";
import type { Directions } from "../../directions/directions.js";
import {
  type Artifact,
  type ArtifactColumn,
  column,
  float64Column,
  parseDetails,
  readArtifact,
  textColumn,
  writeArtifact,
} from "../results/artifact.js";

const detailsSchema = z.object({ kind: z.string(), warnings: warningsSchema });

/** Rows: θ* first, then the vectors. Shares of θ* are NaN; a column is left out where shares are null. */
const columns = {
  label: "label",
  vector: "vector",
  explained: "explainedVarianceRatio",
  baseline: "randomWalkBaseline",
} as const;
const centerLabel = "center";

/**
 * Writes directions as an Arrow file: one row for θ* and one for each vector.
 *
 * @throws {@link InvalidDataError} if the vectors' lengths or numbers do not fit together.
 * @example await writeDirections("pca.arrow", directions, provenance);
 */
export async function writeDirections(
  file: string,
  directions: Directions,
  provenance: Provenance,
): Promise<void> {
  const { kind, center, vectors, labels, explainedVarianceRatio, randomWalkBaseline, warnings } = directions;
  const width = center.length;
  const flat = new Float32Array(width * (1 + vectors.length));
  flat.set(center);
  for (const [i, vector] of vectors.entries()) {
    if (vector.length !== width) throw wrong(file, `vectors[${i}]`, width, vector.length);
    flat.set(vector, width * (i + 1));
  }
  if (labels.length !== vectors.length) throw wrong(file, "labels", vectors.length, labels.length);
  const shares = (values: Float64Array | null, name: string): Record<string, ArtifactColumn> => {
    if (values === null) return {};
    if (values.length !== vectors.length) throw wrong(file, name, vectors.length, values.length);
    const withCenter = new Float64Array(values.length + 1);
    withCenter[0] = Number.NaN;
    withCenter.set(values, 1);
    return { [name]: { values: withCenter } };
  };
  const artifact: Artifact = {
    columns: {
      [columns.label]: { values: [centerLabel, ...labels] },
      [columns.vector]: { values: flat, width },
      ...shares(explainedVarianceRatio, columns.explained),
      ...shares(randomWalkBaseline, columns.baseline),
    },
    details: { kind, warnings: warnings.map(({ code, message }) => ({ code, message })) },
    provenance,
  };
  await writeArtifact(file, artifact);
}

/**
 * Reads directions back, bit for bit.
 *
 * @param expected - provenance that they must have. Default: any.
 * @returns null if there is no file or it is stale.
 * @throws {@link FormatError} if the file is truncated, foreign, damaged or of a newer version.
 * @example const directions = await readDirections("runs/adam/directions/pca.arrow"); // null if there is no such file
 */
export async function readDirections(file: string, expected?: Provenance): Promise<Directions | null> {
  const artifact = await readArtifact(file, expected);
  if (artifact === null) return null;
  const { kind, warnings } = parseDetails(file, artifact, detailsSchema);
  const { values: flat, width = 0 } = column(file, artifact, columns.vector);
  const labels = textColumn(file, artifact, columns.label);
  if (!(flat instanceof Float32Array) || width === 0) {
    throw new FormatError(`${file}: ${columns.vector}`, "lists of float32", "another type");
  }
  const rows = flat.length / width;
  if (rows < 1) throw new FormatError(file, "a row for the centre", "no rows");
  const vectors = Array.from({ length: rows - 1 }, (_, i) => flat.slice(width * (i + 1), width * (i + 2)));
  const shares = (name: string) =>
    Object.hasOwn(artifact.columns, name) ? float64Column(file, artifact, name).slice(1) : null;
  return {
    kind,
    center: flat.slice(0, width),
    vectors,
    labels: labels.slice(1),
    explainedVarianceRatio: shares(columns.explained),
    randomWalkBaseline: shares(columns.baseline),
    warnings,
  };
}

function wrong(file: string, what: string, expected: number, got: number): InvalidDataError {
  return new InvalidDataError(`${file}: ${what}`, `length ${expected}`, String(got));
}
