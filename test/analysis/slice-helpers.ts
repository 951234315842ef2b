import { type AnalyzeLineOptions, analyzeLine } from "../../src/analysis/analyze-line.js";
import { type AnalyzePlaneOptions, analyzePlane } from "../../src/analysis/analyze-plane.js";
import type { ModelPoint } from "../../src/analysis/model-point.js";
import type { PlaneKind, PlaneSpec } from "../../src/analysis/plane-spec.js";
import type { Directions } from "../../src/directions/directions.js";
import type { NormalizeOptions } from "../../src/directions/normalize.js";
import type { EvaluationSet, LineSlice } from "../../src/surface/lines/level-set-width.js";

/** Options of lines, of every kind. */
export type LineTestOptions = AnalyzeLineOptions & NormalizeOptions & { readonly seeds?: readonly number[] };

/** The line between two models. */
export async function lineBetween(
  points: readonly [ModelPoint, ModelPoint],
  sets: readonly EvaluationSet[],
  options: LineTestOptions = {},
): Promise<LineSlice> {
  return (await analyzeLine(points, { kind: "models" }, { sets, ...options })).slice;
}

/** Random lines from a model. */
export async function linesFrom(
  point: ModelPoint,
  sets: readonly EvaluationSet[],
  { seeds, normalize, ignore, oneDimensional, ...options }: LineTestOptions = {},
): Promise<LineSlice> {
  const line = Object.fromEntries(
    Object.entries({ seeds, normalize, ignore, oneDimensional }).filter(([, value]) => value !== undefined),
  );
  return (await analyzeLine([point], { kind: "random", ...line }, { sets, ...options })).slice;
}

/** Options of planes, of every kind. */
export type PlaneTestOptions = AnalyzePlaneOptions &
  NormalizeOptions & { readonly seed?: number; readonly directions?: Directions };

/** A plane of models. */
export async function planeOf(
  kind: PlaneKind,
  models: readonly ModelPoint[],
  sets: readonly EvaluationSet[],
  { seed, directions, normalize, ignore, oneDimensional, ...options }: PlaneTestOptions = {},
) {
  const given = { kind, seed, directions, normalize, ignore, oneDimensional };
  const spec = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const analysis = await analyzePlane(models, spec as unknown as PlaneSpec, { sets, ...options });
  if (analysis.figure === null) throw new Error("expected a figure");
  return { ...analysis, figure: analysis.figure, trajectory: analysis.trajectories[0] ?? null };
}
