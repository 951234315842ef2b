import { decodeNumber } from "../../base/json.js";
import type { SceneView, Tick } from "../draw/figure-frame.js";
import type { Figure, Path, ScatterPanel } from "../figure.js";
import type { SceneBox, ScenePoint } from "./scene-view.js";

/** A snapshot in the box. */
export interface PlacedSnapshot {
  /** Position in its run. */
  readonly index: number;
  readonly at: ScenePoint;
}

/** A path of snapshots in the box. */
export interface PointPath {
  /** Position of the run in the figure. */
  readonly run: number;
  /** Snapshots of the run, also those that are not shown: which ones have a dot stays while a path grows. */
  readonly count: number;
  /** Snapshots in order of time, in pieces between those without finite coordinates. */
  readonly pieces: readonly (readonly PlacedSnapshot[])[];
}

/** Snapshots in three dimensions as paths in a box, one unit equally long on all axes. */
export interface PointScene {
  readonly kind: "points";
  readonly box: SceneBox;
  /** Lines of the grid on floor and walls; coordinates of embeddings mean nothing, so that they have no labels. */
  readonly ticks: { readonly x: readonly Tick[]; readonly y: readonly Tick[]; readonly z: readonly Tick[] };
  readonly paths: readonly PointPath[];
}

/** The first view: from a little above, so that the shadows on the floor lie below the paths. */
export const POINT_VIEW: SceneView = { elevation: 24, azimuth: 35 };

/** Length of the box's longest side. */
const SIDE = 100;
/** Room around the points as a share of the longest range. */
const ROOM = 0.05;
const SHARES = [0.25, 0.5, 0.75];

const scenes = new WeakMap<ScatterPanel, PointScene>();

/** Returns the scene of a scatter with three axes, made once for a panel: it is laid out anew at every turn. */
export function pointSceneOf(panel: ScatterPanel): PointScene {
  const known = scenes.get(panel);
  if (known !== undefined) return known;
  const made = createPointScene(panel);
  scenes.set(panel, made);
  return made;
}

function createPointScene(panel: ScatterPanel): PointScene {
  const ranges = roomyRanges(panel);
  const sides = ranges.map(([min, max]) => max - min);
  const scale = SIDE / Math.max(...sides);
  const [width, depth, height] = sides.map((side) => side * scale) as [number, number, number];
  const toBox = (at: readonly number[]): ScenePoint =>
    ranges.map(
      ([min, max], axis) => ((at[axis] ?? Number.NaN) - (min + max) / 2) * scale,
    ) as unknown as ScenePoint;
  const ticks = (side: number): Tick[] => SHARES.map((share) => ({ value: (share - 0.5) * side, label: "" }));
  return {
    kind: "points",
    box: { width, depth, height },
    ticks: { x: ticks(width), y: ticks(depth), z: ticks(height) },
    paths: panel.paths.map((path) => ({
      run: path.run,
      count: path.at.length,
      pieces: piecesOf(path, toBox),
    })),
  };
}

function piecesOf({ at }: Path, toBox: (at: readonly number[]) => ScenePoint): PlacedSnapshot[][] {
  const pieces: PlacedSnapshot[][] = [[]];
  for (const [index, encoded] of at.entries()) {
    const place = toBox(encoded.map(decodeNumber));
    if (place.every(Number.isFinite)) pieces.at(-1)?.push({ index, at: place });
    else pieces.push([]);
  }
  return pieces.filter((piece) => piece.length > 0);
}

/** Returns the scene with each path only up to a count of the figure's `progress`. */
export function pointsUntil(
  scene: PointScene,
  { runs, progress }: Pick<Figure, "runs" | "progress">,
  until: number | undefined,
): PointScene {
  if (until === undefined) return scene;
  const paths = scene.paths.map(({ run, count, pieces }): PointPath => {
    const counts = runs[run]?.[progress] ?? [];
    const shown = pieces.map((piece) => piece.filter(({ index }) => (counts[index] ?? 0) <= until));
    return { run, count, pieces: shown.filter((piece) => piece.length > 0) };
  });
  return { ...scene, paths };
}

/** Returns what the points reach on each axis, and some room; an axis without extent gets that of a tenth of the longest. */
export function roomyRanges({ paths, axes }: ScatterPanel): [number, number][] {
  const points = paths.flatMap((path) => path.at.map((at) => at.map(decodeNumber)));
  const finite = points.filter((at) => at.every(Number.isFinite));
  const raw = Array.from(axes, (_, axis): [number, number] => {
    const values = finite.map((at) => at[axis] as number);
    return [
      values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY),
      values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY),
    ];
  });
  if (finite.length === 0) return raw.map(() => [-1, 1]);
  const longest = Math.max(...raw.map(([min, max]) => max - min)) || 1;
  return raw.map(([min, max]) => {
    const room = longest * ROOM + Math.max(0, longest * 0.1 - (max - min)) / 2;
    return [min - room, max + room];
  });
}
