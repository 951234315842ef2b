import { z } from "zod";
import { FormatError } from "../base/errors.js";
import { warningsSchema } from "../base/json-schema.js";
import type { Provenance } from "../base/provenance.js";
import {
  column,
  float64Column,
  parseDetails,
  readArtifact,
  writeArtifact,
} from "../store/results/artifact.js";
import { ALIGN_METHODS } from "./align-models.js";
import type { Connection } from "./connection.js";
import { curveFactsSchema } from "./curve-file.js";
import type { PathLosses } from "./path-losses.js";

const METRIC = "metric:";

const detailsSchema = z.object({
  names: z.tuple([z.string(), z.string()]),
  alignment: z
    .object({
      method: z.enum(ALIGN_METHODS),
      moved: z.int().nonnegative(),
      units: z.int().nonnegative(),
      distance: z.object({ before: z.number(), after: z.number() }),
      outputDifference: z.number(),
      groups: z.array(z.object({ layers: z.array(z.string()), from: z.array(z.int().nonnegative()) })),
    })
    .nullable(),
  paths: z.array(
    z.object({
      name: z.string(),
      policy: z.enum(["keep", "interpolate", "recalibrate", "repair", "none"]),
      points: z.int().positive(),
      sets: z.array(z.object({ set: z.string(), metrics: z.array(z.string()) })),
    }),
  ),
  /** Older files have none. */
  curve: curveFactsSchema.nullable().default(null),
  warnings: warningsSchema,
});

/**
 * Writes a connection as an Arrow file in long form: columns path, policy, set, t, arcLength, loss and one for each
 * metric ("metric:acc"), NaN where a set does not have it. The matching stands in the details.
 *
 * @example await writeConnection("connection.arrow", connection, provenance);
 */
export async function writeConnection(
  file: string,
  { names, alignment, paths, curve, warnings }: Connection,
  provenance: Provenance,
): Promise<void> {
  const rows = paths.flatMap((path) => path.values.map((values) => ({ path, values })));
  const metrics = [...new Set(rows.flatMap(({ values }) => Object.keys(values.metrics)))];
  const numbers = (of: (row: (typeof rows)[0]) => ArrayLike<number>) => ({
    values: Float64Array.from(rows.flatMap((row) => Array.from(of(row)))),
  });
  const texts = (of: (row: (typeof rows)[0]) => string) => ({
    values: rows.flatMap((row) => Array.from(row.path.t, () => of(row))),
  });
  const missing = ({ t }: PathLosses) => t.map(() => Number.NaN);
  await writeArtifact(file, {
    columns: {
      path: texts(({ path }) => path.name),
      policy: texts(({ path }) => path.policy),
      set: texts(({ values }) => values.set),
      t: numbers(({ path }) => path.t),
      arcLength: numbers(({ path }) => path.arcLength),
      loss: numbers(({ values }) => values.loss),
      ...Object.fromEntries(
        metrics.map((name) => [
          `${METRIC}${name}`,
          numbers(({ path, values }) => values.metrics[name] ?? missing(path)),
        ]),
      ),
    },
    details: {
      names: [...names],
      alignment:
        alignment === null
          ? null
          : {
              ...alignment,
              distance: { ...alignment.distance },
              groups: alignment.groups.map(({ layers, from }) => ({ layers: [...layers], from: [...from] })),
            },
      paths: paths.map(({ name, policy, t, values }) => ({
        name,
        policy,
        points: t.length,
        sets: values.map(({ set, metrics: own }) => ({ set, metrics: Object.keys(own) })),
      })),
      // Connections without a curve are written as they always were.
      ...(curve === null ? {} : { curve: { ...curve, losses: [...curve.losses] } }),
      warnings: warnings.map(({ code, message }) => ({ code, message })),
    },
    provenance,
  });
}

/**
 * Reads a connection back, bit for bit.
 *
 * @param expected - provenance that it must have. Default: any.
 * @returns null if there is no file or it is stale.
 * @throws {@link FormatError} if the file is truncated, foreign, damaged or of a newer version.
 * @example const connection = await readConnection("connection.arrow"); // null if there is no such file
 */
export async function readConnection(file: string, expected?: Provenance): Promise<Connection | null> {
  const artifact = await readArtifact(file, expected);
  if (artifact === null) return null;
  const { paths, ...facts } = parseDetails(file, artifact, detailsSchema);
  const rows = paths.reduce((sum, { points, sets }) => sum + points * sets.length, 0);
  const stored = column(file, artifact, "path").values.length;
  if (stored !== rows) throw new FormatError(file, `${rows} rows`, String(stored));
  let next = 0;
  return {
    ...facts,
    paths: paths.map(({ name, policy, points, sets }): PathLosses => {
      const first = next;
      next += points * sets.length;
      const part = (of: string, s: number) =>
        float64Column(file, artifact, of).slice(first + s * points, first + (s + 1) * points);
      return {
        name,
        policy,
        t: part("t", 0),
        arcLength: part("arcLength", 0),
        values: sets.map(({ set, metrics }, s) => ({
          set,
          loss: part("loss", s),
          metrics: Object.fromEntries(metrics.map((metric) => [metric, part(`${METRIC}${metric}`, s)])),
        })),
      };
    }),
  };
}
