import { decodeNumber } from "../../base/json.js";
import type { MapPanel } from "../figure.js";
import type { ColorKey } from "./color-bar.js";
import type { Rect } from "./figure-frame.js";
import { formatNumber } from "./format-number.js";
import { differenceColors, surfaceColors } from "./palette.js";
import type { Place } from "./panel-kind.js";
import type { Readout } from "./snapshots.js";

/** First and last coordinate of an axis. */
export function edgesOf(axis: readonly number[]): { readonly min: number; readonly max: number } {
  return { min: axis[0] as number, max: axis[axis.length - 1] as number };
}

/** Length of an axis in its own units. */
export function extentOf(axis: readonly number[]): number {
  const { min, max } = edgesOf(axis);
  return max - min;
}

/** Returns the mapping of a map's plane onto its plot; beta grows upwards. */
export function planeToPixel(
  { alpha, beta }: Pick<MapPanel, "alpha" | "beta">,
  plot: Rect,
): (at: readonly number[]) => Place {
  const [a, b] = [edgesOf(alpha), edgesOf(beta)];
  return ([x = Number.NaN, y = Number.NaN]) => ({
    x: plot.x + ((x - a.min) / (a.max - a.min)) * plot.width,
    y: plot.y + plot.height - ((y - b.min) / (b.max - b.min)) * plot.height,
  });
}

/** Returns the colours of a map's levels; null where it has no values. */
export function colorKeyOf({ scale, palette, quantity }: MapPanel): ColorKey | null {
  if (scale === null) return null;
  const count = scale.levels.length + 1;
  return {
    title: quantity,
    kind: scale.kind,
    colors: palette === "value" ? surfaceColors(count) : differenceColors(count),
    marks: scale.levels.map((value, index) => ({ value, share: (index + 1) / count })),
  };
}

/** Returns coordinates and value of the evaluated grid point nearest to a place of the plane, given as shares. */
export function gridReadout(panel: MapPanel, right: number, up: number): Readout | null {
  const { alpha, beta, values, axes, quantity, title } = panel;
  if (values === null) return null;
  const i = nearestIndex(alpha, right);
  const j = nearestIndex(beta, up);
  const [first, second] = axes.map(({ label, symbol }) => symbol ?? label) as [string, string];
  return {
    heading: title === "" ? "Nearest grid point" : title,
    rows: [
      [first, formatNumber(alpha[i] as number)],
      [second, formatNumber(beta[j] as number)],
      [quantity, formatNumber(decodeNumber(values[j * alpha.length + i] ?? null))],
    ],
  };
}

/** Index of the coordinate nearest to a share of an axis. */
function nearestIndex(axis: readonly number[], share: number): number {
  const value = edgesOf(axis).min + share * extentOf(axis);
  let best = 0;
  axis.forEach((position, index) => {
    if (Math.abs(position - value) < Math.abs((axis[best] as number) - value)) best = index;
  });
  return best;
}
