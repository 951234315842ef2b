import { z } from "zod";
import { FormatError } from "../../base/errors.js";
import { parseJsonText } from "../../base/json-schema.js";
import type { Provenance } from "../../base/provenance.js";
import type { LandscapeWarning } from "../../base/warning.js";
import type { StabilityPoint } from "../../curvature/stability-point.js";
import {
  type Artifact,
  float64Column,
  int32Column,
  parseDetails,
  readArtifact,
  textColumn,
  writeArtifact,
} from "../results/artifact.js";
import type { TileCodec } from "../results/tile-journal.js";

/** A snapshot of a run, and how sharp the loss is there. */
export interface SnapshotStability extends StabilityPoint {
  /** Step of the snapshot: its ordinal in the run. */
  readonly step: number;
}

/** How sharp the loss is along a run, for the optimizer that trained it. */
export interface StabilityPath {
  /** The run's name. */
  readonly name: string;
  /** Name of the data for captions; null where they have none. */
  readonly dataName: string | null;
  /** Class of the optimizer; null if it is not known. */
  readonly optimizer: string | null;
  readonly samples: number;
  readonly lossMode: string;
  /** Samples of a mini-batch; null where batch sharpness was not computed. */
  readonly minibatch: number | null;
  /** Kinds of layers that act otherwise in training than in evaluation mode, in which all of this is computed. */
  readonly trainingOnly: readonly string[];
  readonly points: readonly SnapshotStability[];
  readonly warnings: readonly LandscapeWarning[];
}

/** Where the stability is that is measured while a training runs, in the run directory. */
export const LIVE_STABILITY_FILE = "curvature/stability-live.arrow";

const NUMBERS = [
  "loss",
  "gradientNorm",
  "learningRate",
  "sharpness",
  "residual",
  "preconditioned",
  "preconditionedResidual",
  "threshold",
  "trace",
  "traceError",
  "batchSharpness",
  "batchError",
  "criticalSharpness",
  "products",
] as const satisfies readonly (keyof StabilityPoint)[];

const reasonsSchema = z.record(z.string(), z.string());

const detailsSchema = z.object({
  name: z.string(),
  dataName: z.string().nullable(),
  optimizer: z.string().nullable(),
  samples: z.number(),
  lossMode: z.string(),
  minibatch: z.number().nullable(),
  trainingOnly: z.array(z.string()),
  warnings: z.array(z.object({ code: z.string(), message: z.string() })),
});

function columnsOf(points: readonly SnapshotStability[]): Artifact["columns"] {
  return {
    step: { values: Int32Array.from(points, ({ step }) => step) },
    ...Object.fromEntries(
      NUMBERS.map((name) => [name, { values: Float64Array.from(points, (point) => point[name]) }]),
    ),
    reasons: { values: points.map(({ reasons }) => JSON.stringify(reasons)) },
  };
}

function pointsOf(file: string, artifact: Artifact): SnapshotStability[] {
  const columns = Object.fromEntries(
    NUMBERS.map((name) => [name, float64Column(file, artifact, name)]),
  ) as Record<(typeof NUMBERS)[number], Float64Array>;
  const reasons = textColumn(file, artifact, "reasons");
  return Array.from(int32Column(file, artifact, "step"), (step, row) => {
    const numbers = Object.fromEntries(NUMBERS.map((name) => [name, columns[name][row]]));
    return {
      step,
      ...(numbers as Omit<StabilityPoint, "reasons">),
      reasons: readReasons(file, reasons[row]),
    };
  });
}

function readReasons(file: string, text = "{}"): StabilityPoint["reasons"] {
  const parsed = reasonsSchema.safeParse(parseJsonText(`${file}: reasons`, text));
  if (parsed.success) return parsed.data;
  throw new FormatError(`${file}: reasons`, "reasons by quantity", text.slice(0, 60));
}

/** Snapshots in tiles, while not all are known. */
export const stabilityTiles: TileCodec<SnapshotStability> = { columnsOf, pointsOf };

/**
 * Writes the stability of a run as an Arrow file: one row for each snapshot.
 *
 * @throws {@link RunStateError} if the place cannot be written to.
 */
export async function writeStability(
  file: string,
  { points, ...facts }: StabilityPath,
  provenance: Provenance,
): Promise<void> {
  const details = {
    ...facts,
    trainingOnly: [...facts.trainingOnly],
    warnings: facts.warnings.map(({ code, message }) => ({ code, message })),
  };
  await writeArtifact(file, { columns: columnsOf(points), details, provenance });
}

/**
 * Reads the stability of a run back.
 *
 * @returns null if there is no file or it is stale.
 * @throws {@link FormatError} if the file is truncated, foreign, damaged or of a newer version.
 * @example const stability = await readStability("runs/adam/curvature/stability-1f2e3d4c.arrow");
 */
export async function readStability(file: string, expected?: Provenance): Promise<StabilityPath | null> {
  const artifact = await readArtifact(file, expected);
  if (artifact === null) return null;
  return { ...parseDetails(file, artifact, detailsSchema), points: pointsOf(file, artifact) };
}
