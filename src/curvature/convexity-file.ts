import { z } from "zod";
import { FormatError } from "../base/errors.js";
import type { Provenance } from "../base/provenance.js";
import { type Artifact, float64Column, int32Column } from "../store/results/artifact.js";
import type { TileCodec } from "../store/results/tile-journal.js";
import type { ConvexityMap, ConvexityPoint } from "./convexity-map.js";
import { type CurvaturePart, partFile } from "./curvature-file.js";

const NUMBERS = ["loss", "gradientNorm", "smallest", "largest", "residual", "products"] as const;

function columnsOf(points: readonly ConvexityPoint[]): Artifact["columns"] {
  return {
    index: { values: Int32Array.from(points, ({ index }) => index) },
    ...Object.fromEntries(
      NUMBERS.map((name) => [name, { values: Float64Array.from(points, (point) => point[name]) }]),
    ),
    isConverged: { values: Int32Array.from(points, ({ isConverged }) => Number(isConverged)) },
  };
}

function pointsOf(file: string, artifact: Artifact): ConvexityPoint[] {
  const values = Object.fromEntries(NUMBERS.map((name) => [name, float64Column(file, artifact, name)]));
  const isConverged = int32Column(file, artifact, "isConverged");
  return Array.from(int32Column(file, artifact, "index"), (index, row) => {
    const numbers = Object.fromEntries(NUMBERS.map((name) => [name, values[name]?.[row] ?? Number.NaN]));
    return {
      index,
      isConverged: isConverged[row] === 1,
      ...(numbers as Record<(typeof NUMBERS)[number], number>),
    };
  });
}

/** Points in tiles, while not all are known. */
export const convexityTiles: TileCodec<ConvexityPoint> = { columnsOf, pointsOf };

/** A convexity map: a row for each point of the grid with α and β, in the order of `index` = j·W + i. */
const mapFile = partFile<
  ConvexityMap,
  { width: number; height: number; warnings: { code: string; message: string }[] }
>(
  ({ alpha, beta, points, warnings }) => ({
    columns: {
      alpha: { values: Float64Array.from(points, ({ index }) => alpha[index % alpha.length] as number) },
      beta: {
        values: Float64Array.from(points, ({ index }) => beta[Math.floor(index / alpha.length)] as number),
      },
      ...columnsOf(points),
    },
    rest: {
      width: alpha.length,
      height: beta.length,
      warnings: warnings.map(({ code, message }) => ({ code, message })),
    },
  }),
  z.object({
    width: z.int().positive(),
    height: z.int().positive(),
    warnings: z.array(z.object({ code: z.string(), message: z.string() })),
  }),
  (file, artifact, { width, height, warnings }) => {
    const points = pointsOf(file, artifact);
    if (points.length !== width * height || points.some(({ index }, i) => index !== i)) {
      throw new FormatError(file, `the ${width} × ${height} points of a grid`, `${points.length} rows`);
    }
    const [alpha, beta] = [float64Column(file, artifact, "alpha"), float64Column(file, artifact, "beta")];
    return {
      alpha: alpha.slice(0, width),
      beta: Float64Array.from({ length: height }, (_, j) => beta[j * width] as number),
      points,
      warnings,
    };
  },
);

/** Writes a convexity map as an Arrow file. */
export const writeConvexityMap: (
  file: string,
  map: CurvaturePart<ConvexityMap>,
  provenance: Provenance,
) => Promise<void> = mapFile.write;

/** Reads a convexity map back, bit for bit; null if there is no file or it is stale. */
export const readConvexityMap: (
  file: string,
  expected?: Provenance,
) => Promise<CurvaturePart<ConvexityMap> | null> = mapFile.read;
