import type { FigurePath, TrajectoryFigure } from "./figure.js";

/** Returns the places of a figure's time line: every epoch (or iteration, or step) of any path, increasing. */
export function timeline({ paths, progress }: Pick<TrajectoryFigure, "paths" | "progress">): number[] {
  const values = paths.flatMap(({ points }) => points.map((point) => point[progress]));
  return [...new Set(values)].sort((a, b) => a - b);
}

/** Returns the index of the last snapshot of a path that is not after a place of the time line; −1 before the first. */
export function snapshotAt(
  { points }: FigurePath,
  progress: TrajectoryFigure["progress"],
  place: number,
): number {
  let index = -1;
  while (index + 1 < points.length && (points[index + 1]?.[progress] as number) <= place) index++;
  return index;
}
