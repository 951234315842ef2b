import { cleanText } from "../../base/clean-text.js";
import { InvalidDataError } from "../../base/errors.js";
import { encodeNumber, type JsonNumber } from "../../base/json.js";
import type { Trajectory } from "../../directions/project.js";
import type { SnapshotInfo } from "../../store/run/run.js";
import {
  AS_TRAINED_LOSS,
  HELD_SHARE,
  LEARNING_RATE,
  type Path,
  PLANE_LOSS,
  type Progress,
  RECALIBRATED_LOSS,
  type RunData,
  type Setting,
  type SnapshotColumn,
  TRUE_LOSS,
} from "../figure.js";
import { isRateLowered } from "./chart-parts.js";

/** One run's path: its snapshots and where they are on the plane, in the same order. */
export interface FigurePathInput {
  /** Name of the run. */
  readonly name: string;
  readonly snapshots: readonly SnapshotInfo[];
  readonly trajectory: Trajectory;
  /** How the run was trained: see `runSettings`; default nothing is said of it. */
  readonly settings?: readonly Setting[] | undefined;
}

/**
 * Checks that coordinates belong to the snapshots of a run.
 *
 * @throws {@link InvalidDataError} if there is no snapshot, the trajectory has another number of points, or
 *   it is not two-dimensional.
 */
export function checkPath({ name, snapshots, trajectory }: FigurePathInput): void {
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
}

/** Returns the facts of a run's snapshots: rates and logs, and how faithful the plane is to each. */
export function createRunData(
  input: Omit<FigurePathInput, "trajectory"> & { readonly trajectory?: Trajectory },
  color: number,
): RunData {
  const { snapshots, settings, trajectory } = input;
  return {
    name: cleanText(input.name),
    color,
    ...(settings === undefined
      ? {}
      : { settings: settings.map(([key, value]): Setting => [cleanText(key), cleanText(value)]) }),
    step: snapshots.map(({ step }) => step),
    epoch: snapshots.map(({ epoch }) => epoch),
    iteration: snapshots.map(({ iteration }) => iteration),
    drops: snapshots.flatMap((snapshot, i) => (isRateLowered(snapshot, snapshots[i - 1]) ? [i] : [])),
    columns: [
      columnFrom(
        LEARNING_RATE,
        "known",
        snapshots.map(({ learningRate }) => learningRate),
      ),
      ...(trajectory === undefined ? [] : fidelityColumns(trajectory)),
      ...logColumns(snapshots),
    ],
  };
}

function fidelityColumns(trajectory: Trajectory): SnapshotColumn[] {
  const { trueLoss, recalibratedLoss, planeLoss, inPlaneShare, distance } = trajectory;
  const own = recalibratedLoss === undefined ? TRUE_LOSS : AS_TRAINED_LOSS;
  return [
    ...(recalibratedLoss === undefined ? [] : [columnFrom(RECALIBRATED_LOSS, "number", recalibratedLoss)]),
    ...(trueLoss === null ? [] : [columnFrom(own, "number", trueLoss)]),
    ...(planeLoss === null ? [] : [columnFrom(PLANE_LOSS, "number", planeLoss)]),
    columnFrom(HELD_SHARE, "share", inPlaneShare),
    columnFrom("distance to the plane", "number", distance),
  ];
}

/** What training logged, one column for each name. */
function logColumns(snapshots: readonly SnapshotInfo[]): SnapshotColumn[] {
  const names = new Set(snapshots.flatMap(({ logs }) => Object.keys(logs)));
  return [...names].map((name) => ({
    name: loggedName(name),
    form: "number",
    values: snapshots.map(({ logs }) =>
      Object.hasOwn(logs, name) ? encodeNumber(logs[name] as number) : null,
    ),
  }));
}

/** Name of the column of a logged value. */
export function loggedName(name: string): string {
  return `logged ${cleanText(name)}`;
}

/** Returns a column of numbers. */
export function columnFrom(
  name: string,
  form: SnapshotColumn["form"],
  values: ArrayLike<number>,
): SnapshotColumn {
  return { name, form, values: Array.from(values, encodeNumber) };
}

/** Returns where a run's snapshots are on a plane. */
export function createPath(run: number, { coordinates }: Pick<Trajectory, "coordinates">): Path {
  const at = Array.from({ length: coordinates.length / 2 }, (_, i): JsonNumber[] => [
    encodeNumber(coordinates[2 * i] as number),
    encodeNumber(coordinates[2 * i + 1] as number),
  ]);
  return { run, at };
}

/** Returns the count that tells every snapshot of every run from the one before: epochs if they do. */
export function progressOf(runs: readonly Pick<RunData, Progress>[]): Progress {
  const increases = (key: Progress): boolean =>
    runs.every((run) => run[key].every((value, i) => i === 0 || value > (run[key][i - 1] as number)));
  return increases("epoch") ? "epoch" : increases("iteration") ? "iteration" : "step";
}
