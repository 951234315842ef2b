import { defined } from "../base/json.js";
import type { ProjectedHessian } from "../curvature/plane-curvature.js";
import type { Directions } from "../directions/directions.js";
import type { Trajectory } from "../directions/project.js";
import { formatNumber } from "../figure/draw/format-number.js";
import type { Figure, MapOutline, MapPanel } from "../figure/figure.js";
import { createMapsFigure } from "../figure/make/create-maps-figures.js";
import { createTrajectoryFigure } from "../figure/make/create-trajectory-figure.js";
import { lossChanges, runSettings, titleOfRuns } from "../figure/make/run-data.js";
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

/** What stands below planes that are made to be compared with one of principal components. */
const COMPARED_ONLY: Readonly<Record<string, readonly string[]>> = {
  "ineffective-random": [
    "Shown for comparison only: two random directions hold almost nothing of the path's shape.",
  ],
  "ineffective-initial": [
    "Shown for comparison only: such a plane holds the way from start to end, and almost nothing of how the path bends.",
  ],
};

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
  const isTrajectory =
    trajectories.length > 0 &&
    plane.directions !== null &&
    metric === undefined &&
    (others.length === 0 || plane.kind !== "pca");
  const title = options.title ?? titleOf(plane, isTrajectory, trajectories.length > 0);
  if (isTrajectory && plane.directions !== null) {
    const policy = policySentences(batchNorm, options.calibrationSamples);
    const caption = [...(COMPARED_ONLY[plane.kind] ?? []), ...policy, ...notes].join(" ");
    return createTrajectoryFigure({
      title,
      surface: first.surface,
      axes: plane.directions,
      paths: plane.runs.map((run, index) => pathOf(run, trajectories[index] as Trajectory)),
      ...(caption === "" ? {} : { caption }),
      ...defined({ dataName: data, lossName: loss }),
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
    ...defined({ quantity: metric, accuracyAs, dataName: data }),
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

/** Points of an ellipse. */
const POINTS = 97;
/** The longest half axis, as a share of the way from the centre to the nearest edge of the map. */
const REACH = 0.6;

/**
 * Returns the figure of a plane with the Hessian within it, drawn at θ* on every map: the ellipse on which the quadratic
 * part of the loss has risen by c, and its axes. Where an eigenvalue is negative the loss falls along its axis, which is
 * dashed with the ellipse: it has |λ| in its place.
 *
 * @param hessian - at the centre, in the plane's coordinates (2 × 2).
 */
function withEllipse(figure: Figure, hessian: ProjectedHessian): Figure {
  const [first] = figure.panels.filter((panel) => panel.kind === "map");
  if (first === undefined || hessian.values.length !== 2) return figure;
  const rise = riseOf(first, hessian);
  const outlines = rise === null ? [] : outlinesOf(hessian, rise);
  return {
    ...figure,
    panels: figure.panels.map((panel) => (panel.kind === "map" ? { ...panel, outlines } : panel)),
    caption: [figure.caption, sentenceOf(hessian, rise)].filter((text) => text !== "").join(" "),
  };
}

/** A round rise whose ellipse lies well inside the map; null where the plane is flat or the centre outside. */
function riseOf({ alpha, beta }: MapPanel, { values, axes }: ProjectedHessian): number | null {
  const [a, b] = [alpha, beta].map((axis) => Math.min(-(axis[0] as number), axis[axis.length - 1] as number));
  const [rooms, curvatures] = [
    [0, 1].map((k) => {
      const [x, y] = [Math.abs(axes[2 * k] as number), Math.abs(axes[2 * k + 1] as number)];
      return REACH * Math.min(x > 0 ? (a as number) / x : Infinity, y > 0 ? (b as number) / y : Infinity);
    }),
    Array.from(values, Math.abs),
  ];
  const rises = rooms.map((room, k) => 0.5 * (curvatures[k] as number) * room * room);
  const most = Math.min(...rises);
  if (!(most > 0 && Number.isFinite(most) && Math.min(a as number, b as number) > 0)) return null;
  const scale = 10 ** Math.floor(Math.log10(most));
  return scale * ([5, 2, 1].find((step) => step * scale <= most) ?? 1);
}

function outlinesOf({ values, axes }: ProjectedHessian, rise: number): MapOutline[] {
  const half = Array.from(values, (value) => Math.sqrt((2 * rise) / Math.abs(value)));
  const at = (first: number, second: number): readonly [number, number] => [
    first * (axes[0] as number) + second * (axes[2] as number),
    first * (axes[1] as number) + second * (axes[3] as number),
  ];
  const [p, q] = half as [number, number];
  const ring = Array.from({ length: POINTS }, (_, i) => {
    const angle = (2 * Math.PI * i) / (POINTS - 1);
    return at(p * Math.cos(angle), q * Math.sin(angle));
  });
  const isSaddle = values.some((value) => value < 0);
  return [
    { points: ring, isDashed: isSaddle },
    { points: [at(-p, 0), at(p, 0)], isDashed: (values[0] as number) < 0 },
    { points: [at(0, -q), at(0, q)], isDashed: (values[1] as number) < 0 },
  ];
}

function sentenceOf({ values }: ProjectedHessian, rise: number | null): string {
  const numbers = Array.from(values, (value) => formatNumber(value, 3)).join(" and ");
  const known = `The Hessian within the plane has the eigenvalues ${numbers} at its centre`;
  if (rise === null) return `${known}; no ellipse of it fits into the map.`;
  const falls = values.some((value) => value < 0)
    ? "; dashed: the loss falls along this axis, and the ellipse is drawn with |λ|"
    : "";
  return `${known}. Ellipse: its quadratic part has risen by ${formatNumber(rise, 2)}${falls}.`;
}
