import { InvalidDataError } from "../errors.js";
import type { SnapshotInfo } from "../store/run.js";
import type { Trajectory } from "../trajectory/trajectory.js";
import { cleanText } from "./clean-text.js";
import type { FigurePath, FigurePoint, Progress, Setting } from "./figure.js";
import { encodeNumber } from "./json-number.js";

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
