import { createLinearAlgebra } from "../backend/linear-algebra/create-linear-algebra.js";
import type { Followed } from "../base/work.js";
import { type Curve, curveKnots, curveWeights } from "../between/curve.js";
import { type Directions, memoryRowSource } from "../directions/directions.js";
import { pcaDirections } from "../directions/pca.js";
import { hasStatistics } from "../loss/slice-loss.js";
import type { ParameterLayout } from "../model/layout.js";
import { listSurfaces } from "../store/kinds/stored-surfaces.js";
import { readSurface } from "../store/kinds/surface-file.js";
import type { SetSurface } from "../surface/lines/evaluate-sets.js";
import type { EvaluationSet } from "../surface/lines/level-set-width.js";
import { analyzePlane } from "./analyze-plane.js";
import type { ModelPoint } from "./model-point.js";

/** The plane that holds a curve, or most of it. */
export interface CurvePlane {
  readonly directions: Directions;
  /** Coordinates (points of the curve, 2) of its bends and ends, in units of weights. */
  readonly coordinates: Float64Array;
  /** Share of the curve's squared distance from the line that lies in the plane; 1 for one bend. */
  readonly held: number;
}

/**
 * Returns the plane through both ends of a curve and its bend: θ_A at (0, 0), the line to θ_B along the first axis, both
 * axes in units of weights. With several bends the second axis is the principal component of their distances from the
 * line. Statistics of batch norm do not count.
 *
 * @returns null where the curve is the line itself.
 * @see Garipov et al. 2018, figure 1.
 */
export async function curvePlane(
  { points }: Curve,
  names: readonly [string, string],
  layout: ParameterLayout,
): Promise<CurvePlane | null> {
  const [center] = points;
  const isState = new Uint8Array(center.length);
  for (const { role, offset, size } of layout.parameters) {
    if (role === "state") isState.fill(1, offset, offset + size);
  }
  const apart = points.map((theta) => theta.map((value, i) => (isState[i] === 1 ? 0 : value - center[i])));
  const whole = Math.sqrt(dot(apart[points.length - 1], apart[points.length - 1]));
  if (!(whole > 0)) return null;
  const along = apart[points.length - 1].map((value) => value / whole);
  const rests = apart.slice(0, -1).map((vector) => {
    const by = dot(vector, along);
    return vector.map((value, i) => value - by * along[i]);
  });
  const squared = rests.reduce((sum, rest) => sum + dot(rest, rest), 0);
  // Rounding of float32 is no bend.
  if (!(Math.sqrt(squared) > 1e-5 * whole)) return null;
  const source = memoryRowSource(rests.length > 1 ? rests : [...rests, rests[0]]);
  const { vectors } = await pcaDirections(source, {
    linearAlgebra: createLinearAlgebra(),
    centering: "final",
    finalRow: 0,
    components: [0],
  });
  // The bends lie above the line.
  const sign = rests.reduce((sum, rest) => sum + dot(rest, vectors[0]), 0) < 0 ? -1 : 1;
  const across = vectors[0].map((value) => sign * value);
  const coordinates = Float64Array.from(apart.flatMap((vector) => [dot(vector, along), dot(vector, across)]));
  const inPlane = rests.reduce((sum, rest) => sum + dot(rest, across) ** 2, 0);
  const directions: Directions = {
    kind: "custom",
    center,
    vectors: [along, across],
    labels: [`from ${names[0]} to ${names[1]}`, "away from the line"],
    explainedVarianceRatio: null,
    randomWalkBaseline: null,
    warnings: [],
  };
  return { directions, coordinates, held: Math.min(1, inPlane / squared) };
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** What a curve's figure is made of. */
export interface CurveMap {
  /** The loss over the plane, on the first evaluation set. */
  readonly surfaces: readonly SetSurface[];
  readonly labels: readonly string[];
  /** Coordinates (W, 2) at given t of the curve. */
  at(t: ArrayLike<number>): Float64Array;
  /** Those of bends and ends. */
  readonly controls: Float64Array;
  readonly held: number;
  readonly isRecalibrated: boolean;
}

/** Options of {@link curveMap}. */
export interface CurveMapOptions extends Followed {
  readonly sets: readonly EvaluationSet[];
  readonly size: number;
  /** Folder for the surface. */
  readonly folder: string;
  readonly force?: boolean | undefined;
}

/** Evaluates the plane of a curve, or reads it; null where the curve is the line. */
export async function curveMap(
  [a, b]: readonly [ModelPoint, ModelPoint],
  curve: Curve,
  { sets, size, folder, force, signal, onProgress }: CurveMapOptions,
): Promise<CurveMap | null> {
  const { layout } = a.run;
  const plane = await curvePlane(curve, [a.name, b.name], layout);
  if (plane === null) return null;
  const isRecalibrated = hasStatistics(layout);
  const { surfaces } = await analyzePlane(
    [a],
    { kind: "custom", directions: plane.directions },
    {
      sets: sets.slice(0, 1),
      batchNorm: isRecalibrated ? "recalibrate" : undefined,
      grid: gridAround(plane.coordinates, size),
      directory: folder,
      force,
      signal,
      onProgress: (step, done, total) => {
        if (step === "surface") onProgress?.(done, total);
      },
    },
  );
  return mapOf(plane, curve, surfaces, isRecalibrated);
}

/** The newest plane of a curve that is stored in its folder; null where there is none. Nothing is evaluated. */
export async function storedCurveMap(
  folder: string,
  curve: Curve,
  names: readonly [string, string],
  layout: ParameterLayout,
): Promise<CurveMap | null> {
  const newest = (await listSurfaces(folder)).at(-1);
  const surface = newest === undefined ? null : await readSurface(newest.file);
  if (newest === undefined || surface === null) return null;
  const plane = await curvePlane(curve, names, layout);
  return plane === null
    ? null
    : mapOf(plane, curve, [{ set: newest.facts.set, surface }], hasStatistics(layout));
}

function mapOf(
  { directions: { labels }, coordinates, held }: CurvePlane,
  curve: Curve,
  surfaces: readonly SetSurface[],
  isRecalibrated: boolean,
): CurveMap {
  const knots = curveKnots(curve);
  const at = (t: ArrayLike<number>) => {
    const out = new Float64Array(2 * t.length);
    for (let i = 0; i < t.length; i++) {
      curveWeights(curve.kind, knots, t[i]).forEach((by, k) => {
        out[2 * i] += by * coordinates[2 * k];
        out[2 * i + 1] += by * coordinates[2 * k + 1];
      });
    }
    return out;
  };
  return { surfaces, labels, at, controls: coordinates, held, isRecalibrated };
}

/** A grid around points, a fifth wider on each side, as text; no axis is more than four times the other. */
function gridAround(coordinates: Float64Array, size: number): string {
  const axes = [0, 1].map((axis) => coordinates.filter((_, i) => i % 2 === axis));
  const ranges = axes.map((values) => [Math.min(...values), Math.max(...values)] as const);
  const longest = Math.max(...ranges.map(([low, high]) => high - low));
  return ranges
    .map(([low, high]) => {
      const middle = (low + high) / 2;
      const half = 0.7 * Math.max(high - low, longest / 4);
      return `${(middle - half).toPrecision(6)}:${(middle + half).toPrecision(6)}:${size}`;
    })
    .join(",");
}
