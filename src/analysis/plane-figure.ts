import type { ProjectedHessian } from "../curvature/plane-curvature.js";
import type { Directions } from "../directions/directions.js";
import type { Trajectory } from "../directions/project.js";
import type { Figure } from "../figure/figure.js";
import { createMapsFigure } from "../figure/make/create-maps-figures.js";
import { createTrajectoryFigure } from "../figure/make/create-trajectory-figure.js";
import { lossChanges, runSettings, titleOfRuns } from "../figure/make/run-data.js";
import { withEllipse } from "../figure/make/with-ellipse.js";
import type { Run } from "../store/run/run.js";
import type { SetSurface } from "../surface/lines/evaluate-sets.js";
import { policySentences } from "./batch-norm.js";
import type { FigureOptions } from "./options.js";
import { isBetween, type PlaneKind, type PlaneMark } from "./plane-spec.js";

const TITLES: Readonly<Record<PlaneKind, string>> = {
  pca: "the plane of its principal components",
  random: "two random directions",
  "ineffective-random": "an ineffective plane of two random directions",
  "ineffective-initial": "an ineffective plane of the way from the start and a random direction",
  models: "The plane through three models",
  "barycentric-im": "Between three models",
  bilinear: "Between four models",
  hessian: "a plane along the top Hessian eigenvector",
  moments: "a plane along what its optimizer remembers",
  custom: "a plane of given directions",
};

/** A plane as it is drawn. */
export interface DrawnPlane {
  readonly kind: PlaneKind;
  readonly directions: Directions | null;
  readonly labels: readonly string[];
  readonly marks: readonly PlaneMark[];
  readonly run: Run;
  /** The runs of the paths. */
  readonly runs: readonly Run[];
}

/** What the figure of a plane says beside its values. */
export interface PlaneFigureOptions extends FigureOptions {
  /** What was done with batch norm's statistics; "none" where there are none. */
  readonly batchNorm: string;
  /** Samples that "recalibrate" used. */
  readonly calibrationSamples: number | null;
  /** Sentences for the caption. */
  readonly notes: readonly string[];
  /** The Hessian within the plane, at its centre; null or absent where it is not known. */
  readonly hessian?: ProjectedHessian | null | undefined;
}

/** What a random plane does not show. */
const RANDOM_PLANE =
  "A random direction has the mean curvature tr(H)/D per unit of length (weighted by the norms of filters, where they are " +
  "normalized): such a plane hides saddles, and the few directions of large curvature (Böttcher & Wheeler 2022).";

/**
 * Returns the figure of a plane: the loss under the paths where there are any and one evaluation set, else a map for
 * each set; of a metric in any case the maps.
 *
 * @param trajectories - the paths with their losses, in the order of `plane.runs`.
 */
export function planeFigure(
  plane: DrawnPlane,
  surfaces: readonly SetSurface[],
  trajectories: readonly Trajectory[],
  options: PlaneFigureOptions,
): Figure {
  const figure = surfacesFigure(plane, surfaces, trajectories, options);
  return options.hessian == null ? figure : withEllipse(figure, options.hessian);
}

function surfacesFigure(
  plane: DrawnPlane,
  surfaces: readonly SetSurface[],
  trajectories: readonly Trajectory[],
  options: PlaneFigureOptions,
): Figure {
  const { metric, accuracyAs, names = {}, batchNorm } = options;
  const notes = plane.kind === "random" ? [...options.notes, RANDOM_PLANE] : options.notes;
  const [first, ...others] = surfaces as readonly [SetSurface, ...SetSurface[]];
  const { data, loss } = names;
  const named = data === undefined ? {} : { dataName: data };
  const isTrajectory =
    trajectories.length > 0 &&
    plane.directions !== null &&
    metric === undefined &&
    (others.length === 0 || plane.kind !== "pca");
  const title = options.title ?? titleOf(plane, isTrajectory, trajectories.length > 0);
  if (isTrajectory && plane.directions !== null) {
    const ineffective =
      plane.kind === "pca"
        ? []
        : ["Shown for comparison only: such a plane holds almost nothing of the path's shape."];
    const policy = policySentences(batchNorm, options.calibrationSamples);
    const caption = [...ineffective, ...policy, ...notes].join(" ");
    return createTrajectoryFigure({
      title,
      surface: first.surface,
      axes: plane.directions,
      paths: plane.runs.map((run, index) => pathOf(run, trajectories[index] as Trajectory)),
      ...(caption === "" ? {} : { caption }),
      ...named,
      ...(loss === undefined ? {} : { lossName: loss }),
    });
  }
  const [trajectory] = trajectories;
  const [shown = plane.run] = plane.runs;
  return createMapsFigure({
    title,
    surfaces,
    labels: plane.labels,
    marks: plane.marks,
    batchNorm: batchNorm === "none" ? (isBetween(plane.kind) ? "interpolate" : "keep") : batchNorm,
    ...(notes.length === 0 ? {} : { caption: notes.join(" ") }),
    ...(trajectory === undefined ? {} : { path: pathOf(shown, trajectory) }),
    ...(metric === undefined ? {} : { quantity: metric }),
    ...(accuracyAs === undefined ? {} : { accuracyAs }),
    ...named,
    ...(plane.directions === null ? {} : { warnings: plane.directions.warnings }),
  });
}

/** A path as figures take it. */
function pathOf(run: Run, trajectory: Trajectory) {
  return {
    name: run.manifest.name,
    snapshots: run.snapshots,
    settings: runSettings(run),
    lossChanges: lossChanges(run),
    trajectory,
  };
}

function titleOf({ kind, marks, run, runs }: DrawnPlane, isTrajectory: boolean, hasPath: boolean): string {
  if (isBetween(kind)) return TITLES[kind];
  const names = titleOfRuns(runs.map(({ manifest }) => manifest.name));
  if (kind === "pca" && isTrajectory) return names;
  // A plane with a path on it is the run's; any other is that of the model in its middle.
  const whose = hasPath ? names : (marks[0]?.label ?? run.manifest.name);
  return `${whose}: ${TITLES[kind]}`;
}
