import { z } from "zod";
import { FormatError } from "../errors.js";
import type { Approximation } from "../surface/approximation.js";
import type { Artifact, ArtifactColumn } from "./artifact.js";
import { column, float64Column } from "./artifact-file.js";
import { jsonNumber, numberSchema } from "./json-schema.js";
import type { JsonValue } from "./provenance.js";

const count = z.int().nonnegative();

/** Facts of an approximation beside its columns. */
export const approximationSchema = z.object({
  tolerance: z.number(),
  budget: z.number(),
  subsample: count,
  seed: z.number(),
  errorOn95: numberSchema,
  range: numberSchema,
  sampleEvaluations: count,
  exactSampleEvaluations: count,
});

const [METHOD, ERROR] = ["approximation:method", "approximation:error"];

/** The columns that say how good the values of an approximate surface are; none of an exact one. */
export function approximationColumns(
  approximation: Approximation | undefined,
): Record<string, ArtifactColumn> {
  if (approximation === undefined) return {};
  const { error, method, metricErrors } = approximation;
  const named = Object.entries(metricErrors).map(([name, values]) => [`${ERROR}:${name}`, { values }]);
  return { [METHOD]: { values: method }, [ERROR]: { values: error }, ...Object.fromEntries(named) };
}

/** The facts of an approximation beside its columns, as JSON. */
export function approximationDetails(approximation: Approximation): JsonValue {
  const { tolerance, budget, subsample, seed, errorOn95, range } = approximation;
  const { sampleEvaluations, exactSampleEvaluations } = approximation;
  const counts = { sampleEvaluations, exactSampleEvaluations };
  return {
    tolerance,
    budget,
    subsample,
    seed,
    errorOn95: jsonNumber(errorOn95),
    range: jsonNumber(range),
    ...counts,
  };
}

/**
 * Reads an approximation back.
 *
 * @throws {@link FormatError} if a column is missing or of another type.
 */
export function readApproximation(
  file: string,
  artifact: Artifact,
  metrics: readonly string[],
  details: z.infer<typeof approximationSchema>,
): Approximation {
  const { values: method } = column(file, artifact, METHOD);
  if (!(method instanceof Int32Array)) {
    throw new FormatError(`${file}: ${METHOD}`, "a column of int32", "another type");
  }
  const errorOf = (name: string) => [name, float64Column(file, artifact, `${ERROR}:${name}`)] as const;
  return {
    ...details,
    method,
    error: float64Column(file, artifact, ERROR),
    metricErrors: Object.fromEntries(metrics.map(errorOf)),
  };
}
