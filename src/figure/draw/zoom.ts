import { decodeNumber } from "../../base/json.js";
import type { Figure, MapPanel, Panel, PlaneWindow } from "../figure.js";
import type { GridValues } from "./contours.js";
import { edgesOf } from "./figure-frame.js";
import type { Place } from "./panel-kind.js";
import { createContourScale, scaleKindOf } from "./scales.js";

/** How many times a plane can be enlarged. */
const MOST_ZOOM = 512;
/** Grid points beyond the window that its contours are interpolated from, a side. */
const MARGIN = 4;
/** From so many grid steps a side on a window has levels of its own: with fewer there is nothing finer to show. */
const LEAST_STEPS = 4;

/** The axes of what is shown of a map, as its first and last coordinates. */
export function shownPlane({ alpha, beta, window }: MapPanel): Pick<MapPanel, "alpha" | "beta"> {
  return window === undefined ? { alpha, beta } : { alpha: window.x, beta: window.y };
}

/** Positions of the first grid point and of the last one that a window reaches, with a margin. */
function reach(axis: readonly number[], [min, max]: PlaneWindow["x"], margin: number): [number, number] {
  const first = axis.findLastIndex((value) => value <= min);
  const last = axis.findIndex((value) => value >= max);
  return [
    Math.max(0, first - margin),
    Math.min(axis.length - 1, (last < 0 ? axis.length - 1 : last) + margin),
  ];
}

/** Returns the values that what is shown of a map is drawn from: of a window, those in it and around it. */
export function shownGrid({ alpha, beta, values, window }: MapPanel, margin = MARGIN): GridValues {
  const all = values ?? [];
  if (window === undefined) return { alpha, beta, loss: all.map(decodeNumber) };
  const [left, right] = reach(alpha, window.x, margin);
  const [low, high] = reach(beta, window.y, margin);
  const rows = Array.from({ length: high - low + 1 }, (_, j) => (low + j) * alpha.length);
  return {
    alpha: alpha.slice(left, right + 1),
    beta: beta.slice(low, high + 1),
    loss: rows.flatMap((row) => all.slice(row + left, row + right + 1).map(decodeNumber)),
  };
}

/** Holds a window inside the whole; undefined where it is the whole. */
export function heldWindow(window: PlaneWindow, whole: PlaneWindow): PlaneWindow | undefined {
  const hold = ([min, max]: PlaneWindow["x"], [low, high]: PlaneWindow["x"]): [number, number] => {
    const length = Math.min(high - low, Math.max((high - low) / MOST_ZOOM, max - min));
    const start = Math.min(Math.max((min + max - length) / 2, low), high - length);
    return length === high - low ? [low, high] : [start, start + length];
  };
  const [x, y] = [hold(window.x, whole.x), hold(window.y, whole.y)];
  const isWhole = x[0] === whole.x[0] && x[1] === whole.x[1] && y[0] === whole.y[0] && y[1] === whole.y[1];
  return isWhole ? undefined : { x, y };
}

/** Returns a window that shows `factor` times less around a place, which stays where it is. */
export function zoomedWindow({ x, y }: PlaneWindow, at: Place, factor: number): PlaneWindow {
  const scale = ([min, max]: PlaneWindow["x"], place: number): [number, number] => [
    place - (place - min) / factor,
    place + (max - place) / factor,
  ];
  return { x: scale(x, at.x), y: scale(y, at.y) };
}

/** Returns the whole plane of a map. */
export function wholePlane({ alpha, beta }: MapPanel): PlaneWindow {
  const [a, b] = [edgesOf(alpha), edgesOf(beta)];
  return { x: [a.min, a.max], y: [b.min, b.max] };
}

/**
 * Returns a figure of which parts are shown, by position of the panel.
 *
 * The only map of a figure has levels of the part that is shown, if it has at least four grid steps a side there
 * and `isSettled`: while a reader moves it, the levels stay. Maps that are compared keep their common levels.
 */
export function withWindows(
  figure: Figure,
  windows: ReadonlyMap<number, PlaneWindow>,
  { isSettled = true }: { readonly isSettled?: boolean } = {},
): Figure {
  if (windows.size === 0) return figure;
  const kind = scaleKindOf(figure);
  const panels = figure.panels.map((panel, index): Panel => {
    const given = windows.get(index);
    if (given === undefined) return panel;
    if (panel.kind === "scatter") return { ...panel, window: given };
    if (panel.kind !== "map") return panel;
    const window = heldWindow(given, wholePlane(panel));
    if (window === undefined) return panel;
    const part = { ...panel, window };
    const scale = kind === null || !isSettled ? null : partScale(part, kind);
    return scale === null ? part : { ...part, scale };
  });
  return { ...figure, panels };
}

/** Levels of the values that are shown; null where there are too few or they are all the same. */
function partScale(panel: MapPanel, kind: "linear" | "log"): MapPanel["scale"] {
  const { alpha, beta, loss } = shownGrid(panel, 0);
  if (alpha.length <= LEAST_STEPS || beta.length <= LEAST_STEPS) return null;
  const positive = Array.from(loss).some((value) => value > 0 && value < Number.POSITIVE_INFINITY);
  if (kind === "log" && !positive) return null;
  const scale = createContourScale([loss], { kind });
  return scale.levels.length < 2 ? null : scale;
}
