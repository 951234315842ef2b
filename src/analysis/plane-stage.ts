import { join } from "node:path";
import pick from "lodash/pick.js";
import { sha256 } from "../base/digest.js";
import { InvalidOptionError } from "../base/errors.js";
import type { LandscapeWarning } from "../base/warning.js";
import { restrictDirections } from "../directions/column-selection.js";
import type { Directions } from "../directions/directions.js";
import { resolveNormalizeOptions } from "../directions/normalize.js";
import type { Trajectory } from "../directions/project.js";
import { projectTrajectory } from "../directions/project.js";
import type { Figure } from "../figure/figure.js";
import type { AccuracyForm } from "../figure/make/chart-parts.js";
import type { BatchNormPolicyName } from "../loss/batch-norm-policy.js";
import { writeDirections } from "../store/kinds/directions-file.js";
import {
  type ApproximateOptions,
  checkApproximateOptions,
} from "../surface/approximate/approximate-surface.js";
import { evaluateFidelity } from "../surface/fidelity.js";
import { createGrid, parseRange } from "../surface/grid.js";
import { checkSets, type SetSurface } from "../surface/lines/evaluate-sets.js";
import type { EvaluationSet } from "../surface/lines/level-set-width.js";
import type { Grid } from "../surface/surface.js";
import { approximateStage } from "./approximate-stage.js";
import type { ModelPoint } from "./model-point.js";
import { planeFigure } from "./plane-figure.js";
import { type PlanePoints, type PlanePointsOptions, planePoints, type SlicePlane } from "./plane-points.js";
import { storedSurface } from "./resumable.js";
import { rowSourceOfRuns } from "./row-source.js";
import { type SliceOptions, sliceProvenance, surfaceFile } from "./slice-options.js";

/** Options of {@link evaluatePlane}. */
export interface EvaluatePlaneOptions extends SliceOptions, PlanePointsOptions {
  /** Range taken literally, "x0:x1:nx,y0:y1:ny". Default −1 to 1, −0.5 to 1.5 between models, or the path. */
  readonly range?: string;
  /** Points along each axis where no range is given. Default 21. */
  readonly points?: readonly [number, number];
  /** A path on the given directions, to be shown and covered by the grid. Default none. */
  readonly path?: Trajectory;
  /** Approximates the surfaces instead of evaluating every point ({} for the defaults). Default none: exact. */
  readonly approximate?: ApproximateOptions;
  /** Metric that the figure shows instead of the loss. Default none. */
  readonly metric?: string;
  /** Whether the figure shows an accuracy as such (default) or as the error. */
  readonly accuracyAs?: AccuracyForm;
  /** Title of the figure. Default what the plane is. */
  readonly title?: string;
  /** Name of the data for the caption. */
  readonly dataName?: string;
}

/** A two-dimensional slice, stored and drawn. */
export interface EvaluatedPlane {
  readonly plane: SlicePlane;
  /** One surface for each evaluation set, on identical grids. */
  readonly surfaces: readonly SetSurface[];
  readonly directions: Directions | null;
  /** The run's path on the plane; only on the ineffective planes. */
  readonly trajectory: Trajectory | null;
  readonly figure: Figure;
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * Evaluates a plane that is not that of principal components on each evaluation set, stores surfaces
 * (`surfaces/PLANE-SET.arrow`) and directions (`directions/PLANE.arrow`) with their provenance, and makes the
 * figure. Stored surfaces of equal provenance are read instead.
 *
 * @throws {@link InvalidOptionError} for options that cannot be used; as `planePoints` and `evaluateSurface`.
 */
export async function evaluatePlane(
  plane: SlicePlane,
  models: readonly ModelPoint[],
  sets: readonly EvaluationSet[],
  options: EvaluatePlaneOptions = {},
): Promise<EvaluatedPlane> {
  checkSets(sets);
  checkMetric(sets, options.metric);
  if (options.approximate !== undefined) checkApproximateOptions(options.approximate, options.budget);
  const place = await planePoints(plane, models, options);
  const [model] = models as [ModelPoint];
  const isPath = plane === "ineffective-random" || plane === "ineffective-initial";
  const projected = isPath && place.directions !== null ? await projectRun(model, place.directions) : null;
  const grid = gridOf(place, projected ?? options.path ?? null, options);
  const directory = options.directory ?? model.run.directory;
  const surfaces = await storedSurfaces(plane, place, grid, models, sets, { ...options, directory });
  const given = sliceProvenance(
    "slice-directions",
    directionFacts(plane, options),
    options.seed ?? 0,
    models,
    [],
  );
  if (place.directions !== null && plane !== "pca") {
    await writeDirections(join(directory, "directions", `${plane}.arrow`), place.directions, given);
  }
  const [first] = sets as [EvaluationSet];
  const trajectory =
    projected === null || place.directions === null
      ? null
      : await evaluateFidelity(
          projected,
          place.directions,
          first.evaluator,
          (i) => model.run.readTheta(i),
          pick(options, ["signal"]),
        );
  const warnings = [
    ...models.flatMap(({ run }) => run.warnings),
    ...(place.directions?.warnings ?? []),
    ...surfaces.flatMap(({ surface }) => surface.warnings),
  ];
  const figure = planeFigure(plane, place, surfaces, model.run, trajectory, {
    ...options,
    batchNorm: options.batchNorm ?? defaultPolicy(place),
  });
  return { plane, surfaces, directions: place.directions, trajectory, figure, warnings };
}

function checkMetric([first]: readonly EvaluationSet[], metric: string | undefined): void {
  const names = first?.evaluator.facts.metricNames ?? [];
  if (metric === undefined || names.includes(metric)) return;
  throw new InvalidOptionError("metric", `one of ${names.join(", ") || "none"}`, JSON.stringify(metric));
}

function directionFacts(plane: SlicePlane, options: EvaluatePlaneOptions) {
  const { normalize, ignore, oneDimensional } = resolveNormalizeOptions(options);
  const given = plane === "custom" || plane === "pca" ? options.directions : undefined;
  const directions = given === undefined ? null : vectorsDigest(given);
  return { plane, normalize, ignore: [...ignore], oneDimensional, directions };
}

/** sha-256 (hex) of θ* and the vectors. */
function vectorsDigest({ center, vectors }: Directions): string {
  return sha256(center, ...vectors);
}

/** Projects the path of a run on directions of the whole θ. */
export async function projectRun(
  { run }: Pick<ModelPoint, "run">,
  directions: Directions,
): Promise<Trajectory> {
  const source = rowSourceOfRuns([run]);
  return projectTrajectory(source, restrictDirections(directions, source.ranges));
}

function gridOf(place: PlanePoints, path: Trajectory | null, options: EvaluatePlaneOptions): Grid {
  const { range, points = [21, 21] } = options;
  if (range !== undefined) return createGrid({ range: parseRange(range) });
  if (path !== null) return createGrid({ coordinates: path.coordinates, points });
  const [from, to] = place.isBetween ? [-0.5, 1.5] : [-1, 1];
  const axis = (count: number) => ({ from, to, points: count });
  return createGrid({ range: { alpha: axis(points[0]), beta: axis(points[1]) } });
}

async function storedSurfaces(
  plane: SlicePlane,
  place: PlanePoints,
  grid: Grid,
  models: readonly ModelPoint[],
  sets: readonly EvaluationSet[],
  options: EvaluatePlaneOptions & { readonly directory: string },
): Promise<SetSurface[]> {
  const { batchNorm = defaultPolicy(place), signal } = options;
  const surfaces: SetSurface[] = [];
  for (const [i, set] of sets.entries()) {
    const file = surfaceFile(options.directory, plane, set.name);
    const facts = {
      ...directionFacts(plane, options),
      // For who draws the surface again from its file.
      labels: [...place.labels],
      marks: place.marks.map(({ alpha, beta, label }) => ({ alpha, beta, label })),
      dataName: options.dataName ?? null,
      batchNorm,
      alpha: Array.from(grid.alpha),
      beta: Array.from(grid.beta),
    };
    const seed = options.seed ?? 0;
    const provenance = sliceProvenance("slice-surface", facts, seed, models, [set], batchNorm);
    const { force, resume, budget, approximate } = options;
    if (approximate !== undefined) {
      const { surface } = await approximateStage({
        evaluator: set.evaluator,
        points: place.points,
        grid,
        file,
        provenance,
        approximate,
        force: force ?? false,
        resume,
        batchNorm,
        ...(signal === undefined ? {} : { signal }),
        onProgress: (done, total) => options.onProgress?.(i * total + done, sets.length * total),
      });
      surfaces.push({ set: set.name, surface });
      continue;
    }
    const surface = await storedSurface(file, provenance, set.evaluator, place.points, grid, {
      batchNorm,
      ...(force === undefined ? {} : { force }),
      ...(resume === undefined ? {} : { resume }),
      ...(budget === undefined ? {} : { budget }),
      ...(signal === undefined ? {} : { signal }),
      onProgress: (done, total) => options.onProgress?.(i * total + done, sets.length * total),
    });
    surfaces.push({ set: set.name, surface });
  }
  return surfaces;
}

function defaultPolicy({ isBetween }: PlanePoints): BatchNormPolicyName {
  return isBetween ? "interpolate" : "keep";
}
