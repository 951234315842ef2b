import isEqual from "lodash/isEqual.js";
import { z } from "zod";
import { FormatError, InvalidDataError } from "../../base/errors.js";
import { warningsSchema } from "../../base/json-schema.js";
import type { Provenance } from "../../base/provenance.js";
import type { EpsilonSharpness } from "../../surface/lines/epsilon-sharpness.js";
import type { LineCurve, LineSlice } from "../../surface/lines/level-set-width.js";
import {
  float64Column,
  int32Column,
  parseDetails,
  readArtifact,
  writeArtifact,
} from "../results/artifact.js";
import { metricColumn, readCenter, surfaceDetails, surfaceDetailsSchema } from "./surface-file.js";

const detailsSchema = z.object({
  kind: z.string(),
  axis: z.string(),
  batchNorm: z.string(),
  marks: z.array(z.object({ alpha: z.number(), name: z.string() })),
  curves: z.array(z.object({ set: z.string(), seed: z.number().nullable(), values: surfaceDetailsSchema })),
  warnings: warningsSchema,
});

/**
 * Writes a one-dimensional slice as an Arrow file in long form: columns curve (its number), set, alpha, loss
 * and one for each metric, NaN where a curve does not have it. Where a curve was stopped early there is a column
 * `evaluated` beside them, 1 where the values were computed and 0 where they are NaN because they were not.
 *
 * @throws {@link InvalidDataError} if a curve does not have the slice's coordinates.
 * @example await writeLineSlice("random.arrow", slice, provenance);
 */
export async function writeLineSlice(file: string, slice: LineSlice, provenance: Provenance): Promise<void> {
  const { alpha, curves } = slice;
  const width = alpha.length;
  for (const { set, surface } of curves) {
    const values = [surface.loss, ...Object.values(surface.metrics)];
    const wrong = values.find(({ length }) => length !== width);
    if (wrong === undefined) continue;
    throw new InvalidDataError(`${file}: curve "${set}"`, `${width} values`, String(wrong.length));
  }
  const names = [...new Set(curves.flatMap(({ surface }) => Object.keys(surface.metrics)))];
  const long = (values: (curve: LineCurve) => ArrayLike<number> | undefined): Float64Array => {
    const out = new Float64Array(width * curves.length).fill(Number.NaN);
    curves.forEach((curve, c) => {
      out.set(values(curve) ?? [], c * width);
    });
    return out;
  };
  await writeArtifact(file, {
    columns: {
      curve: { values: Int32Array.from({ length: width * curves.length }, (_, i) => Math.floor(i / width)) },
      set: { values: curves.flatMap(({ set }) => Array.from(alpha, () => set)) },
      alpha: { values: long(() => alpha) },
      loss: { values: long(({ surface }) => surface.loss) },
      ...(curves.some(({ surface }) => surface.partial !== undefined)
        ? { evaluated: { values: Int32Array.from(long(evaluatedOf)) } }
        : {}),
      ...Object.fromEntries(
        names.map((name) => [metricColumn(name), { values: long(({ surface }) => surface.metrics[name]) }]),
      ),
    },
    details: {
      kind: slice.kind,
      axis: slice.axis,
      batchNorm: slice.batchNorm,
      marks: slice.marks.map(({ alpha: at, name }) => ({ alpha: at, name })),
      curves: curves.map(({ set, seed, surface }) => ({ set, seed, values: surfaceDetails(surface) })),
      warnings: slice.warnings.map(({ code, message }) => ({ code, message })),
    },
    provenance,
  });
}

/**
 * Reads a one-dimensional slice back, bit for bit.
 *
 * @param expected - provenance that it must have. Default: any.
 * @returns null if there is no file or it is stale.
 * @throws {@link FormatError} if the file is truncated, foreign, damaged or of a newer version.
 * @example const slice = await readLineSlice("runs/adam/lines/random.arrow"); // null if there is no such file
 */
export async function readLineSlice(file: string, expected?: Provenance): Promise<LineSlice | null> {
  const artifact = await readArtifact(file, expected);
  if (artifact === null) return null;
  const { curves, ...facts } = parseDetails(file, artifact, detailsSchema);
  const rows = int32Column(file, artifact, "curve").length;
  const width = curves.length === 0 ? 0 : rows / curves.length;
  if (!Number.isInteger(width) || width < 1 || curves.some(({ values }) => values.width !== width)) {
    throw new FormatError(file, "as many rows for each curve", `${rows} rows of ${curves.length} curves`);
  }
  const part = (name: string, c: number) =>
    float64Column(file, artifact, name).slice(c * width, (c + 1) * width);
  const alpha = part("alpha", 0);
  curves.forEach((_, c) => {
    if (isEqual(part("alpha", c), alpha)) return;
    throw new FormatError(`${file}: alpha`, "the same coordinates for each curve", `others for curve ${c}`);
  });
  const evaluatedIn = (c: number) =>
    Uint8Array.from(int32Column(file, artifact, "evaluated").subarray(c * width, (c + 1) * width));
  return {
    ...facts,
    alpha,
    curves: curves.map(({ set, seed, values }, c): LineCurve => {
      const { width: _, height: __, metrics, center, partial, ...rest } = values;
      return {
        set,
        seed,
        surface: {
          ...rest,
          alpha: part("alpha", c),
          beta: Float64Array.of(0),
          loss: part("loss", c),
          metrics: Object.fromEntries(metrics.map((name) => [name, part(metricColumn(name), c)])),
          center: readCenter(center),
          ...(partial === undefined ? {} : { partial: { evaluated: evaluatedIn(c), budget: partial } }),
        },
      };
    }),
  };
}

/** 1 where a curve has a value. */
function evaluatedOf({ surface: { alpha, partial } }: LineCurve): ArrayLike<number> {
  return partial?.evaluated ?? alpha.map(() => 1);
}

/** Writes an ε-sharpness as an Arrow file of one row for each direction of the box. */
export async function writeSharpness(
  file: string,
  { sharpness, maximum, at, halfWidths, epsilon }: EpsilonSharpness,
  provenance: Provenance,
): Promise<void> {
  const all = (value: number) => ({ values: Float64Array.from(halfWidths, () => value) });
  await writeArtifact(file, {
    columns: {
      halfWidth: { values: Float64Array.from(halfWidths) },
      at: { values: Float64Array.from(halfWidths, (_, k) => at[k] as number) },
      sharpness: all(sharpness),
      maximum: all(maximum),
      epsilon: all(epsilon),
    },
    details: null,
    provenance,
  });
}

/**
 * Reads an ε-sharpness back, bit for bit.
 *
 * @param expected - provenance that it must have.
 * @returns null if there is no file or it is stale.
 * @throws {@link FormatError} if the file is truncated, foreign, damaged or of a newer version.
 */
export async function readSharpness(file: string, expected: Provenance): Promise<EpsilonSharpness | null> {
  const artifact = await readArtifact(file, expected);
  if (artifact === null) return null;
  const values = (name: string) => Array.from(float64Column(file, artifact, name));
  const first = (name: string) => values(name)[0] ?? Number.NaN;
  const [alpha = 0, beta = 0] = values("at");
  return {
    sharpness: first("sharpness"),
    maximum: first("maximum"),
    at: [alpha, beta],
    halfWidths: values("halfWidth"),
    epsilon: first("epsilon"),
  };
}
