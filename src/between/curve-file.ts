import { z } from "zod";
import { FormatError } from "../base/errors.js";
import type { Provenance } from "../base/provenance.js";
import { column, parseDetails, readArtifact, writeArtifact } from "../store/results/artifact.js";
import type { Curve, CurveKind } from "./curve.js";
import type { CurveState } from "./train-curve.js";

/** How a curve came about, as plain data. */
export interface CurveFacts {
  readonly kind: CurveKind;
  /** Bends or pivots between the ends. */
  readonly bends: number;
  /** Epochs, or cycles of a band, that it was trained. */
  readonly epochs: number;
  /** Gradients taken; for a band steps, with a gradient at each pivot. */
  readonly iterations: number;
  /** Seconds that its training took. */
  readonly seconds: number;
  /** Mean loss over each epoch; of a band the largest loss of the last batch of each cycle. */
  readonly losses: readonly number[];
}

/** A curve as it is stored: finished, or with what its training goes on from. */
export interface StoredCurve {
  readonly curve: Curve;
  readonly facts: CurveFacts;
  /** null: it is finished. */
  readonly left: CurveState | null;
}

/** {@link CurveFacts}, from a file. */
export const curveFactsSchema = z.object({
  kind: z.enum(["bezier", "polychain", "neb"]),
  bends: z.int().nonnegative(),
  epochs: z.int().nonnegative(),
  iterations: z.int().nonnegative(),
  seconds: z.number().nonnegative(),
  losses: z.array(z.number()),
});

const detailsSchema = z.object({
  facts: curveFactsSchema,
  parameterCount: z.int().positive(),
  left: z.object({ learningRate: z.number(), moments: z.int().nonnegative() }).nullable(),
});

/** Column of the k-th moments of an optimizer. */
const momentColumn = (k: number): string => `moment${k + 1}`;

/**
 * Writes a curve as an Arrow file: a row for each point with its θ, and the optimizer's moments beside it where training
 * is not finished.
 *
 * @example await writeCurve("curve.arrow", { curve, facts, left: null }, provenance);
 */
export async function writeCurve(
  file: string,
  { curve: { points }, facts, left }: StoredCurve,
  provenance: Provenance,
): Promise<void> {
  const [{ length: width }] = points;
  const kept = left?.moments[0]?.length ?? 0;
  const none = new Float32Array(width);
  const rows = (of: (k: number) => Float32Array) => {
    const values = new Float32Array(points.length * width);
    points.forEach((_, k) => {
      values.set(of(k), k * width);
    });
    return { values, width };
  };
  await writeArtifact(file, {
    columns: {
      theta: rows((k) => points[k]),
      ...Object.fromEntries(
        Array.from({ length: kept }, (_, m) => [
          momentColumn(m),
          rows((k) => left?.moments[k - 1]?.[m] ?? none),
        ]),
      ),
    },
    details: {
      facts: { ...facts, losses: [...facts.losses] },
      parameterCount: width,
      left: left === null ? null : { learningRate: left.learningRate, moments: kept },
    },
    provenance,
  });
}

/**
 * Reads a curve back, bit for bit.
 *
 * @param expected - provenance that it must have. Default: any.
 * @returns null if there is no file or it is stale.
 * @throws {@link FormatError} if the file is truncated, foreign, damaged or of a newer version.
 * @example const stored = await readCurve("curve.arrow"); // null if there is no such file
 */
export async function readCurve(file: string, expected?: Provenance): Promise<StoredCurve | null> {
  const artifact = await readArtifact(file, expected);
  if (artifact === null) return null;
  const { facts, left, parameterCount: width } = parseDetails(file, artifact, detailsSchema);
  const rows = facts.bends + 2;
  const split = (name: string): Float32Array[] => {
    const { values } = column(file, artifact, name);
    if (!(values instanceof Float32Array && values.length === rows * width)) {
      throw new FormatError(
        `${file}: ${name}`,
        `${rows} points of ${width} float32`,
        `${values.length} values`,
      );
    }
    return Array.from({ length: rows }, (_, k) => values.slice(k * width, (k + 1) * width));
  };
  const points = split("theta");
  if (left === null) return { curve: { kind: facts.kind, points }, facts, left };
  const moments = Array.from({ length: left.moments }, (_, m) => split(momentColumn(m)));
  return {
    curve: { kind: facts.kind, points },
    facts,
    left: {
      epoch: facts.epochs,
      iteration: facts.iterations,
      loss: facts.losses.at(-1) ?? Number.NaN,
      learningRate: left.learningRate,
      points,
      moments: points.slice(1, -1).map((_, k) => moments.map((all) => all[k + 1])),
    },
  };
}
