import { z } from "zod";
import { FormatError, InvalidDataError } from "../../base/errors.js";
import { defined } from "../../base/json.js";
import { jsonNumber, numberSchema, warningsSchema } from "../../base/json-schema.js";
import type { JsonValue, Provenance } from "../../base/provenance.js";
import type { LossValue } from "../../loss/loss-evaluator.js";
import type { Approximation, Surface } from "../../surface/surface.js";
import {
  type Artifact,
  type ArtifactColumn,
  float64Column,
  int32Column,
  parseDetails,
  readArtifact,
  writeArtifact,
} from "../results/artifact.js";
import { engineSchema, storedEngine } from "../results/tile-journal.js";
import { type PlaneFacts, planeFactsSchema } from "./surface-key.js";

const sampleCount = z.int().nonnegative();

/** Facts of an approximation beside its columns. */
export const approximationSchema = z.object({
  tolerance: z.number(),
  budget: z.number(),
  subsample: sampleCount,
  seed: z.number(),
  errorOn95: numberSchema,
  range: numberSchema,
  sampleEvaluations: sampleCount,
  exactSampleEvaluations: sampleCount,
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
  const { tolerance, share, subsample, seed, errorOn95, range } = approximation;
  const { sampleEvaluations, exactSampleEvaluations } = approximation;
  const counts = { sampleEvaluations, exactSampleEvaluations };
  return {
    tolerance,
    budget: share,
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
  { budget, ...details }: z.infer<typeof approximationSchema>,
): Approximation {
  const errorOf = (name: string) => [name, float64Column(file, artifact, `${ERROR}:${name}`)] as const;
  return {
    ...details,
    method: int32Column(file, artifact, METHOD),
    // The earlier name of the share.
    share: budget,
    error: float64Column(file, artifact, ERROR),
    metricErrors: Object.fromEntries(metrics.map(errorOf)),
  };
}

const count = z.int().nonnegative();

/** Facts of a surface beside its values. */
export const surfaceDetailsSchema = z.object({
  width: z.int().positive(),
  height: z.int().positive(),
  metrics: z.array(z.string()),
  center: z.object({
    loss: numberSchema,
    metrics: z.array(z.tuple([z.string(), numberSchema])),
    clippedShare: numberSchema.nullable(),
    cappedShare: numberSchema.nullable().optional(),
  }),
  nonFinite: count,
  clippedShare: numberSchema.nullable(),
  cappedShare: numberSchema.nullable().optional(),
  lossMode: z.enum(["model", "logits"]),
  weights: z.string().optional(),
  samples: count,
  engine: engineSchema,
  /** What was used up when it was stopped early. */
  partial: z.string().optional(),
  warnings: warningsSchema,
});

/** The same with those of an approximation. */
const fileSchema = surfaceDetailsSchema.extend({
  approximation: approximationSchema.optional(),
  plane: planeFactsSchema.optional(),
});

/**
 * Writes a surface as an Arrow file in long form: columns alpha, beta, loss and one for each metric, one
 * row for each grid point, alpha running fastest. A surface that was stopped early has a column `evaluated`
 * beside them, 1 where the values were computed and 0 where they are NaN because they were not; an approximate
 * one has the method of each point and the bounds of the errors.
 *
 * @param plane - what is needed to draw it again, stored beside it. Default nothing.
 * @throws {@link InvalidDataError} if a value array does not have H·W entries.
 * @example await writeSurface("pca.arrow", surface, provenance);
 */
export async function writeSurface(
  file: string,
  surface: Surface,
  provenance: Provenance,
  plane?: PlaneFacts,
): Promise<void> {
  const { alpha, beta, loss, metrics, approximation } = surface;
  const width = alpha.length;
  const size = width * beta.length;
  const grid: Record<string, ArtifactColumn> = {
    alpha: { values: Float64Array.from({ length: size }, (_, i) => alpha[i % width] ?? 0) },
    beta: { values: Float64Array.from({ length: size }, (_, i) => beta[Math.floor(i / width)] ?? 0) },
    loss: { values: loss },
  };
  const measured = Object.entries(metrics).map(([name, values]) => [metricColumn(name), { values }]);
  const columns: Record<string, ArtifactColumn> = {
    ...grid,
    ...(surface.partial === undefined
      ? {}
      : { evaluated: { values: Int32Array.from(surface.partial.evaluated) } }),
    ...Object.fromEntries(measured),
    ...approximationColumns(approximation),
  };
  for (const [name, { values }] of Object.entries(columns)) {
    if (values.length === size) continue;
    const expected = `${beta.length} × ${width} values`;
    throw new InvalidDataError(`${file}: ${name}`, expected, String(values.length));
  }
  const details = {
    ...surfaceDetails(surface),
    ...(approximation === undefined ? {} : { approximation: approximationDetails(approximation) }),
    ...(plane === undefined ? {} : { plane: plane as JsonValue }),
  };
  await writeArtifact(file, { columns, details, provenance });
}

/**
 * Reads a surface back, bit for bit.
 *
 * @param expected - provenance that it must have. Default: any.
 * @returns null if there is no file or it is stale.
 * @throws {@link FormatError} if the file is truncated, foreign, damaged or of a newer version.
 * @example const surface = await readSurface("runs/adam/surfaces/pca.arrow"); // null if there is no such file
 */
export async function readSurface(file: string, expected?: Provenance): Promise<Surface | null> {
  const artifact = await readArtifact(file, expected);
  if (artifact === null) return null;
  const details = parseDetails(file, artifact, fileSchema);
  const { width, height, metrics, center, partial, approximation, plane: _, ...facts } = details;
  const values = (name: string) => float64Column(file, artifact, name);
  const [alphas, betas] = [values("alpha"), values("beta")];
  if (alphas.length !== width * height) {
    throw new FormatError(file, `${height} × ${width} rows`, String(alphas.length));
  }
  const isGrid = alphas.every((alpha, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    return Object.is(alpha, alphas[x]) && Object.is(betas[i], betas[y * width]);
  });
  if (!isGrid) throw new FormatError(file, "the coordinates of a grid", "other ones");
  return {
    ...facts,
    alpha: alphas.slice(0, width),
    beta: Float64Array.from({ length: height }, (_, j) => betas[j * width] ?? 0),
    loss: values("loss"),
    metrics: Object.fromEntries(metrics.map((name) => [name, values(metricColumn(name))])),
    center: readCenter(center),
    ...(approximation === undefined
      ? {}
      : { approximation: readApproximation(file, artifact, metrics, approximation) }),
    ...(partial === undefined
      ? {}
      : { partial: { evaluated: readEvaluated(file, artifact), budget: partial } }),
  };
}

function readEvaluated(file: string, artifact: Artifact): Uint8Array {
  return Uint8Array.from(int32Column(file, artifact, "evaluated"));
}

/** The value at the centre. */
export function readCenter({
  cappedShare,
  metrics,
  ...rest
}: z.infer<typeof surfaceDetailsSchema>["center"]): LossValue {
  const value = { ...rest, metrics: Object.fromEntries(metrics) };
  return cappedShare === undefined ? value : { ...value, cappedShare };
}

/** The facts of a surface beside its values, as JSON. */
export function surfaceDetails(surface: Surface): { readonly [key: string]: JsonValue } {
  const { alpha, beta, metrics, center, clippedShare, cappedShare, engine, warnings } = surface;
  const { nonFinite, lossMode, weights, samples, partial } = surface;
  return {
    width: alpha.length,
    height: beta.length,
    metrics: Object.keys(metrics),
    center: centerDetails(center),
    nonFinite,
    clippedShare: shareDetails(clippedShare),
    ...(cappedShare === undefined ? {} : { cappedShare: shareDetails(cappedShare) }),
    lossMode,
    ...defined({ weights }),
    samples,
    engine: storedEngine(engine),
    ...defined({ partial: partial?.budget }),
    warnings: warnings.map(({ code, message }) => ({ code, message })),
  };
}

function centerDetails({ loss, metrics, clippedShare, cappedShare }: LossValue): JsonValue {
  return {
    loss: jsonNumber(loss),
    metrics: Object.entries(metrics).map(([name, value]) => [name, jsonNumber(value)]),
    clippedShare: shareDetails(clippedShare),
    ...(cappedShare === undefined ? {} : { cappedShare: shareDetails(cappedShare) }),
  };
}

function shareDetails(share: number | null): JsonValue {
  return share === null ? null : jsonNumber(share);
}

/** Name of a metric's column: its own, unless a column of coordinates (or another metric's) is called so. */
export function metricColumn(name: string): string {
  return /^(alpha|beta|loss|curve|set|index|evaluated|metric:.*|approximation:.*)$/s.test(name)
    ? `metric:${name}`
    : name;
}
