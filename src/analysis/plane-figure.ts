import type { Directions } from "../directions/directions.js";
import type { Trajectory } from "../directions/project.js";
import type { Figure } from "../figure/figure.js";
import type { AccuracyForm } from "../figure/make/chart-parts.js";
import { createMapsFigure } from "../figure/make/create-maps-figure.js";
import { createTrajectoryFigure } from "../figure/make/create-trajectory-figure.js";
import { runSettings } from "../figure/make/run-settings.js";
import type { Run } from "../store/run/run.js";
import type { SetSurface } from "../surface/lines/evaluate-sets.js";
import type { PlanePoints, SlicePlane } from "./plane-points.js";

const TITLES: Readonly<Record<SlicePlane, string>> = {
  pca: "the plane of its principal components",
  random: "two random directions",
  "ineffective-random": "an ineffective plane of two random directions",
  "ineffective-initial": "an ineffective plane of the way from the start and a random direction",
  models: "The plane through three models",
  "barycentric-im": "Between three models",
  bilinear: "Between four models",
  custom: "a plane of given directions",
};

/** What the figure of a plane says beside its values. */
export interface PlaneFigureOptions {
  readonly title?: string;
  readonly dataName?: string;
  /** What was done with batch norm's moving statistics. */
  readonly batchNorm: string;
  /** A path drawn over the maps. Default none. */
  readonly path?: Trajectory;
  /** Metric that is drawn instead of the loss. Default none. */
  readonly metric?: string;
  /** Whether an accuracy is shown as such (default) or as the error. */
  readonly accuracyAs?: AccuracyForm;
}

/**
 * Returns the figure of a plane: the loss under the path where one is given, else a map for each evaluation set; of
 * a metric in any case the maps.
 */
export function planeFigure(
  plane: SlicePlane,
  place: Pick<PlanePoints, "labels" | "marks" | "isBetween"> & { readonly directions: Directions | null },
  surfaces: readonly SetSurface[],
  run: Run,
  trajectory: Trajectory | null,
  options: PlaneFigureOptions,
): Figure {
  const { name } = run.manifest;
  // A plane with the path on it is the run's; any other is that of the model in its middle.
  const whose = trajectory === null && plane !== "pca" ? (place.marks[0]?.label ?? name) : name;
  const title = options.title ?? (place.isBetween ? TITLES[plane] : `${whose}: ${TITLES[plane]}`);
  const { dataName, batchNorm, metric, accuracyAs } = options;
  const named = dataName === undefined ? {} : { dataName };
  const [first] = surfaces as [SetSurface];
  if (trajectory !== null && place.directions !== null && metric === undefined) {
    return createTrajectoryFigure({
      title,
      surface: first.surface,
      axes: place.directions,
      paths: [{ name, snapshots: run.snapshots, settings: runSettings(run), trajectory }],
      caption: "Shown for comparison only: such a plane holds almost nothing of the path's shape.",
      ...named,
    });
  }
  const path = options.path ?? trajectory ?? undefined;
  return createMapsFigure({
    title,
    surfaces,
    labels: place.labels,
    marks: place.marks,
    batchNorm,
    ...(path === undefined
      ? {}
      : { path: { name, snapshots: run.snapshots, settings: runSettings(run), trajectory: path } }),
    ...(metric === undefined ? {} : { quantity: metric }),
    ...(accuracyAs === undefined ? {} : { accuracyAs }),
    ...named,
    ...(place.directions === null ? {} : { warnings: place.directions.warnings }),
  });
}
