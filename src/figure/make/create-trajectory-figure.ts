import { cleanText } from "../../base/clean-text.js";
import { InvalidDataError } from "../../base/errors.js";
import { decodeNumber, encodeNumber } from "../../base/json.js";
import type { Trajectory } from "../../directions/project.js";
import type { SnapshotInfo } from "../../store/run/run.js";
import { fillPartial } from "../../surface/coarse-to-fine.js";
import type { Surface } from "../../surface/surface.js";
import type { Interpolation } from "../draw/contours.js";
import { formatNumber, formatPercent } from "../draw/format-number.js";
import { NAME_SIZE, textWidth, truncateText } from "../draw/placed-text.js";
import type { FigureAxis, FigurePath, FigurePoint, Progress, Setting, TrajectoryFigure } from "../figure.js";
import { finiteRange } from "./chart-parts.js";
import { type ContourScale, checkContourScale, createContourScale } from "./contour-scale.js";
import { captionSentences, fidelityParagraphs, provenanceLine } from "./figure-caption.js";

/**
 * Checks that a surface can be drawn as a map.
 *
 * @throws {@link InvalidDataError} if it is a line, its axes do not increase, or its values do not fit them.
 */
export function checkSurface(surface: Surface): void {
  const [width, height] = [surface.alpha.length, surface.beta.length];
  if (width < 2 || height < 2) {
    throw new InvalidDataError("surface", "a grid of at least 2 × 2 points", `${width} × ${height}`);
  }
  if (surface.loss.length !== width * height) {
    throw new InvalidDataError("surface.loss", `${width * height} values`, String(surface.loss.length));
  }
  for (const name of ["alpha", "beta"] as const) {
    const axis = surface[name];
    if (
      !axis.every(
        (value, index) => Number.isFinite(value) && (index === 0 || value > (axis[index - 1] as number)),
      )
    ) {
      throw new InvalidDataError(
        `surface.${name}`,
        "finite, increasing coordinates",
        Array.from(axis).join(", "),
      );
    }
  }
}

/** The axes of a plane; `Directions` fits. */
export interface FigureAxesInput {
  readonly labels: readonly string[];
  readonly explainedVarianceRatio: ArrayLike<number> | null;
  readonly randomWalkBaseline: ArrayLike<number> | null;
}

/** Returns an axis with its title: "PC 1: 83.2 % of variance (random walk: 61 %)". */
export function createAxis(axes: FigureAxesInput, index: number): FigureAxis {
  const given = axes.labels[index];
  if (given === undefined)
    throw new InvalidDataError("axes.labels", "two labels", String(axes.labels.length));
  const label = cleanText(given);
  const ratio = axes.explainedVarianceRatio?.[index] ?? null;
  const walk = axes.randomWalkBaseline?.[index] ?? null;
  const baseline = walk === null ? "" : ` (random walk: ${formatPercent(walk)})`;
  return {
    label,
    title: ratio === null ? label : `${label}: ${formatPercent(ratio)} of variance${baseline}`,
    explainedVarianceRatio: ratio === null ? null : encodeNumber(ratio),
    randomWalkBaseline: walk === null ? null : encodeNumber(walk),
  };
}

/** Returns the longest form of an axis title that fits. */
export function axisTitle(axis: FigureAxis, available: number): string {
  const ratio = decodeNumber(axis.explainedVarianceRatio);
  const walk = decodeNumber(axis.randomWalkBaseline);
  const short = Number.isFinite(ratio)
    ? [
        ...(Number.isFinite(walk)
          ? [`${axis.label}: ${formatPercent(ratio)} (walk: ${formatPercent(walk)})`]
          : []),
        `${axis.label}: ${formatPercent(ratio)}`,
      ]
    : [];
  const fits = [axis.title, ...short].find((title) => textWidth(title, NAME_SIZE) <= available);
  return fits ?? truncateText(axis.label, NAME_SIZE, available);
}

/** One run's path: its snapshots and where they are on the plane, in the same order. */
export interface FigurePathInput {
  /** Name of the run. */
  readonly name: string;
  readonly snapshots: readonly SnapshotInfo[];
  readonly trajectory: Trajectory;
  /** How the run was trained: see `runSettings`; default nothing is said of it. */
  readonly settings?: readonly Setting[];
}

/** Rates closer than this share are the same rate written with different rounding. */
const RATE_TOLERANCE = 1e-6;

/**
 * Joins the snapshots of a run with their coordinates and fidelity.
 *
 * @throws {@link InvalidDataError} if there is no snapshot, the trajectory has another number of points, or
 *   it is not two-dimensional.
 */
export function createFigurePath(input: FigurePathInput): FigurePath {
  const { name, snapshots, trajectory } = input;
  const where = `path "${cleanText(name)}"`;
  if (snapshots.length === 0) throw new InvalidDataError(where, "at least one snapshot", "none");
  if (trajectory.dimensions !== 2) {
    throw new InvalidDataError(where, "coordinates on a plane (2 dimensions)", String(trajectory.dimensions));
  }
  if (trajectory.coordinates.length !== 2 * snapshots.length) {
    throw new InvalidDataError(
      where,
      `coordinates of ${snapshots.length} snapshots`,
      `${trajectory.coordinates.length / 2}`,
    );
  }
  return {
    name: cleanText(name),
    ...(input.settings === undefined
      ? {}
      : { settings: input.settings.map(([key, value]): Setting => [cleanText(key), cleanText(value)]) }),
    points: snapshots.map((snapshot, index) => toPoint(snapshot, snapshots[index - 1], trajectory, index)),
  };
}

/** Returns the count that tells every snapshot of every path from the one before: epochs if they do. */
export function progressOf(paths: readonly FigurePath[]): Progress {
  const increases = (key: Progress): boolean =>
    paths.every(({ points }) =>
      points.every((point, index) => index === 0 || point[key] > (points[index - 1] as FigurePoint)[key]),
    );
  return increases("epoch") ? "epoch" : increases("iteration") ? "iteration" : "step";
}

function toPoint(
  snapshot: SnapshotInfo,
  previous: SnapshotInfo | undefined,
  trajectory: Trajectory,
  index: number,
): FigurePoint {
  const at = (values: Float64Array | null) =>
    values === null ? null : encodeNumber(values[index] as number);
  return {
    step: snapshot.step,
    epoch: snapshot.epoch,
    iteration: snapshot.iteration,
    learningRate: encodeNumber(snapshot.learningRate),
    alpha: encodeNumber(trajectory.coordinates[2 * index] as number),
    beta: encodeNumber(trajectory.coordinates[2 * index + 1] as number),
    trueLoss: at(trajectory.trueLoss),
    planeLoss: at(trajectory.planeLoss),
    inPlaneShare: encodeNumber(trajectory.inPlaneShare[index] as number),
    distance: encodeNumber(trajectory.distance[index] as number),
    rateDropped:
      previous !== undefined && snapshot.learningRate < previous.learningRate * (1 - RATE_TOLERANCE),
    logs: Object.entries(snapshot.logs).map(([key, value]) => [cleanText(key), encodeNumber(value)] as const),
  };
}

/** What {@link createTrajectoryFigure} makes a figure of. */
export interface TrajectoryFigureInput {
  /** Heading, made from the run's name. */
  readonly title: string;
  /** Two-dimensional surface. */
  readonly surface: Surface;
  readonly axes: FigureAxesInput;
  /** One path or several on the same plane; the first two labels are the axes. */
  readonly paths: readonly FigurePathInput[];
  /** Sentences put before the caption that is made; default none. */
  readonly caption?: string;
  /** What the surface is, in words; default "loss". */
  readonly lossName?: string;
  /** Name of the evaluation set, e.g. "MNIST, training"; default none. */
  readonly dataName?: string;
  /** Kind and levels of the contours, to share them between figures; default made from the surface. */
  readonly scale?: ContourScale;
  /** How values between grid points are drawn; default "cubic". */
  readonly interpolation?: Interpolation;
  /** "equal" gives both axes the same units per length; default "fill". */
  readonly aspect?: "equal" | "fill";
  /** What the centre of the plane is; default "the end" if the only path ends there, else "the plane's centre". */
  readonly centerName?: string;
}

/**
 * Returns everything that a picture of trajectories on a loss surface shows, as JSON data.
 *
 * @throws {@link InvalidDataError} if the surface is not two-dimensional or its parts disagree in length,
 *   an axis has no label, there is no path, or a path does not fit its trajectory.
 * @see Li et al. 2018, figure 19: learning-rate drops are red dots, the other snapshots blue.
 * @example createTrajectoryFigure({ title: run.manifest.name, surface, axes: directions, paths: [{ name: "SGD", snapshots: run.snapshots, trajectory }] })
 */
export function createTrajectoryFigure(input: TrajectoryFigureInput): TrajectoryFigure {
  const { interpolation = "cubic", aspect = "fill" } = input;
  checkSurface(input.surface);
  const surface = fillPartial(input.surface);
  if (input.paths.length === 0) throw new InvalidDataError("paths", "at least one path", "none");
  const axes = [createAxis(input.axes, 0), createAxis(input.axes, 1)] as const;
  const scale =
    input.scale === undefined ? createContourScale([surface.loss]) : checkContourScale(input.scale);
  const paths = input.paths.map(createFigurePath);
  const progress = progressOf(paths);
  const lossName = cleanText(input.lossName ?? "loss");
  const centerName = cleanText(input.centerName ?? defaultCenterName(paths));
  const dataName = input.dataName === undefined ? null : cleanText(input.dataName);
  const facts = { surface, scale, interpolation, paths, lossName, dataName };
  const fidelity = fidelityParagraphs({ axes, paths, progress, centerName });
  const caption = [cleanText(input.caption ?? ""), ...captionSentences(facts)]
    .filter((s) => s !== "")
    .join(" ");
  const title = cleanText(input.title);
  return {
    kind: "trajectory",
    version: 1,
    title,
    lossName,
    axes,
    surface: {
      alpha: Array.from(surface.alpha),
      beta: Array.from(surface.beta),
      loss: Array.from(surface.loss, encodeNumber),
      nonFinite: surface.nonFinite,
    },
    scale,
    interpolation,
    aspect,
    progress,
    paths,
    fidelity,
    caption,
    provenance: provenanceLine(facts),
    notes: collectNotes(input),
    description: describe(title, lossName, axes, paths, surface),
  };
}

function defaultCenterName(paths: readonly FigurePath[]): string {
  const last = paths.length === 1 ? paths[0]?.points.at(-1) : undefined;
  const isCenter = last !== undefined && last.inPlaneShare === 1 && Number(last.distance) === 0;
  return isCenter ? "the end" : "the plane's centre";
}

function collectNotes(input: TrajectoryFigureInput): string[] {
  const warnings = [...input.surface.warnings, ...input.paths.flatMap((path) => path.trajectory.warnings)];
  return [...new Set(warnings.map(({ message }) => cleanText(message)))];
}

function describe(
  title: string,
  lossName: string,
  axes: readonly [FigureAxis, FigureAxis],
  paths: readonly FigurePath[],
  surface: Surface,
): string {
  const range = finiteRange(surface.loss);
  const values =
    range === null
      ? "with no finite value"
      : `between ${formatNumber(range[0])} and ${formatNumber(range[1])}`;
  const runs = paths.map((path) => {
    const drops = path.points.filter((point) => point.rateDropped).length;
    const at = (index: number): string => {
      const point = path.points.at(index);
      return `(${formatNumber(decodeNumber(point?.alpha ?? null), 3)}, ${formatNumber(decodeNumber(point?.beta ?? null), 3)})`;
    };
    const dropped =
      drops === 0 ? "" : `, with ${drops} ${drops === 1 ? "drop" : "drops"} of the learning rate`;
    return `${path.name}: ${path.points.length} snapshots from ${at(0)} to ${at(-1)}${dropped}.`;
  });
  return `${title}. Contour map of the ${lossName}, ${values}. Horizontal axis: ${axes[0].title}. Vertical axis: ${axes[1].title}. ${runs.join(" ")}`;
}
