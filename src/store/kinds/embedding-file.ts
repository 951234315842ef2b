import { z } from "zod";
import { FormatError, InvalidDataError } from "../../base/errors.js";
import { jsonNumber, numberSchema, warningsSchema } from "../../base/json-schema.js";
import type { JsonValue, Provenance } from "../../base/provenance.js";
import {
  EMBEDDING_METHODS,
  type EmbeddingStability,
  type EmbeddingTopology,
  type EmbeddingValue,
  type RunsEmbedding,
} from "../../embedding/runs-embedding.js";
import {
  type ArtifactColumn,
  float64Column,
  int32Column,
  parseDetails,
  readArtifact,
  writeArtifact,
} from "../results/artifact.js";

const numbers = z.array(numberSchema);
const float64 = numbers.transform((values) => Float64Array.from(values));
const int32 = numbers.transform((values) => Int32Array.from(values));
const vertex = z.int().min(-1);

const valueSchema: z.ZodType<EmbeddingValue> = z.union([
  numberSchema,
  z.string(),
  z.boolean(),
  z.null(),
  numbers,
]);

const stabilitySchema: z.ZodType<EmbeddingStability> = z.object({
  settings: z.array(z.record(z.string(), z.number())),
  disparities: float64,
  meanDisparity: numberSchema,
  maxDisparity: numberSchema,
});

const topologySchema: z.ZodType<EmbeddingTopology> = z.object({
  neighbours: z.int(),
  vertexCount: z.int(),
  edgeCount: z.int(),
  pairs: z.array(
    z.object({
      dimension: z.union([z.literal(0), z.literal(1)]),
      birth: numberSchema,
      death: numberSchema,
      birthVertex: vertex,
      deathVertex: vertex,
    }),
  ),
  levels: float64,
  betti0: int32,
  betti1: int32,
  null: z.object({
    observed: numberSchema,
    permuted: float64,
    pLower: numberSchema,
    pUpper: numberSchema,
  }),
});

const detailsSchema = z.object({
  method: z.enum(["inpca", ...EMBEDDING_METHODS]),
  /** The dimensions: files keep the name that they began with. */
  components: z.union([z.literal(2), z.literal(3)]),
  runs: z.array(z.object({ name: z.string() })),
  lossName: z.string(),
  parameters: z.record(z.string(), valueSchema),
  facts: z.record(z.string(), valueSchema),
  quality: z.object({
    trustworthiness: numberSchema,
    pathContinuity: numberSchema,
    pathContinuityPerRun: float64,
    nNeighbors: z.int(),
  }),
  stability: stabilitySchema.nullable(),
  topology: topologySchema.nullable(),
  warnings: warningsSchema,
});

const AXES = ["x", "y", "z"] as const;
const COUNTS = ["run", "step", "epoch", "iteration"] as const;
const VALUES = ["loss", "stepSize"] as const;

/**
 * Writes an embedding as an Arrow file: a row for each snapshot with run, step, epoch, iteration, x, y (z), loss
 * and step size; quality, parameters, stability and topology in the metadata.
 *
 * @throws {@link InvalidDataError} if lengths do not fit together.
 * @example await writeEmbedding("phate-2d.arrow", embedding, provenance);
 */
export async function writeEmbedding(
  file: string,
  embedding: RunsEmbedding,
  provenance: Provenance,
): Promise<void> {
  const { dimensions, coordinates } = embedding;
  const rows = embedding.run.length;
  if (coordinates.length !== rows * dimensions) {
    const got = String(coordinates.length);
    throw new InvalidDataError(`${file}: coordinates`, `${rows} × ${dimensions} numbers`, got);
  }
  const columns: Record<string, ArtifactColumn> = {};
  for (const name of COUNTS) columns[name] = { values: embedding[name] };
  AXES.slice(0, dimensions).forEach((name, axis) => {
    const values = Float64Array.from(
      { length: rows },
      (_, i) => coordinates[i * dimensions + axis] as number,
    );
    columns[name] = { values };
  });
  for (const name of VALUES) columns[name] = { values: embedding[name] };
  await writeArtifact(file, { columns, details: detailsOf(embedding), provenance });
}

/**
 * Reads an embedding back, bit for bit.
 *
 * @param expected - provenance that it must have. Default: any.
 * @returns null if there is no file or it is stale.
 * @throws {@link FormatError} if the file is truncated, foreign, damaged or of a newer version.
 * @example const embedding = await readEmbedding("runs/adam/embeddings/phate-2d.arrow"); // null if there is no such file
 */
export async function readEmbedding(file: string, expected?: Provenance): Promise<RunsEmbedding | null> {
  const artifact = await readArtifact(file, expected);
  if (artifact === null) return null;
  const details = parseDetails(file, artifact, detailsSchema);
  const { components: dimensions, ...rest } = details;
  const axes = AXES.slice(0, dimensions).map((name) => float64Column(file, artifact, name));
  const rows = axes[0]?.length ?? 0;
  const coordinates = new Float64Array(rows * dimensions);
  axes.forEach((values, axis) => {
    for (let i = 0; i < rows; i++) coordinates[i * dimensions + axis] = values[i] as number;
  });
  const counts = (name: string): Int32Array => int32Column(file, artifact, name);
  const run = counts("run");
  if (run.some((r) => r < 0 || r >= details.runs.length)) {
    throw new FormatError(`${file}: run`, `numbers below ${details.runs.length}, the runs`, "others");
  }
  return {
    ...rest,
    dimensions,
    coordinates,
    run,
    step: counts("step"),
    epoch: counts("epoch"),
    iteration: counts("iteration"),
    loss: float64Column(file, artifact, "loss"),
    stepSize: float64Column(file, artifact, "stepSize"),
  };
}

function detailsOf(embedding: RunsEmbedding): JsonValue {
  const { method, dimensions, runs, lossName, parameters, facts, quality, stability, topology, warnings } =
    embedding;
  return {
    method,
    components: dimensions,
    runs: runs.map(({ name }) => ({ name })),
    lossName,
    parameters: encoded(parameters),
    facts: encoded(facts),
    quality: encoded({ ...quality }),
    stability: stability === null ? null : encoded({ ...stability }),
    topology: topology === null ? null : encoded({ ...topology }),
    warnings: warnings.map(({ code, message }) => ({ code, message })),
  };
}

/** Data as JSON carries it: typed arrays as arrays, numbers without loss. */
function encoded(value: unknown): JsonValue {
  if (typeof value === "number") return jsonNumber(value);
  if (ArrayBuffer.isView(value)) return Array.from(value as Float64Array, jsonNumber);
  if (Array.isArray(value)) return value.map(encoded);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, encoded(entry)]));
  }
  return value as string | boolean | null;
}
