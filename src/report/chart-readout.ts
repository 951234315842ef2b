import type { ChartLayout, PlacedPanel } from "./chart-layout.js";
import { formatNumber, formatPercent } from "./format-number.js";
import { decodeNumber } from "./json-number.js";
import type { MapsFigure } from "./maps-figure.js";
import type { MapsLayout } from "./maps-layout.js";
import { nearestIndex, type Readout } from "./readout.js";
import type { Rect } from "./rect.js";

/** A read-out and the place that it is about, in px. */
export interface PlacedReadout {
  readonly readout: Readout;
  readonly x: number;
  readonly y: number;
}

type Place = { readonly x: number; readonly y: number };

/** Returns the values of every curve of the panel under a place, at the nearest position that a curve has; null outside. */
export function chartReadout({ panels }: Pick<ChartLayout, "panels">, at: Place): PlacedReadout | null {
  const place = panels.find(({ rect }) => isIn(rect, at));
  if (place === undefined) return null;
  const { panel, rect, x } = place;
  const position = x.min + ((at.x - rect.x) / rect.width) * (x.max - x.min);
  const distance = (value: number): number =>
    Math.abs((x.position(value) ?? Number.POSITIVE_INFINITY) - position);
  const values = panel.series.flatMap((series) => series.x);
  const [first] = values;
  if (first === undefined) return null;
  const nearest = values.reduce((best, value) => (distance(value) < distance(best) ? value : best), first);
  return {
    readout: panelReadout(place, nearest),
    x: rect.x + (((x.position(nearest) ?? x.min) - x.min) / (x.max - x.min)) * rect.width,
    y: at.y,
  };
}

/** Returns the values of a panel's curves at a position, without those that have none there. */
export function panelReadout({ panel }: Pick<PlacedPanel, "panel">, value: number): Readout {
  return {
    heading: `${panel.x.title} ${formatNumber(value, 6)}`,
    rows: panel.series.flatMap(({ name, x, y, axis }) => {
      const index = x.indexOf(value);
      if (index < 0) return [];
      const scale = axis === "left" ? panel.left.scale : panel.right?.scale;
      const number = decodeNumber(y[index] as number);
      return [[name, scale === "percent" ? formatPercent(number) : formatNumber(number)] as const];
    }),
  };
}

/** Returns coordinates and value of the evaluated grid point nearest to a place on a map; null outside. */
export function mapsReadout(
  figure: MapsFigure,
  { maps }: Pick<MapsLayout, "maps">,
  at: Place,
): PlacedReadout | null {
  const place = maps.find(({ rect }) => isIn(rect, at));
  if (place === undefined) return null;
  const { panel, rect } = place;
  const { alpha, beta, loss } = panel.surface;
  const along = (axis: readonly number[], share: number): number =>
    (axis[0] as number) + share * ((axis[axis.length - 1] as number) - (axis[0] as number));
  const i = nearestIndex(alpha, along(alpha, (at.x - rect.x) / rect.width));
  const j = nearestIndex(beta, along(beta, 1 - (at.y - rect.y) / rect.height));
  const value = decodeNumber(loss[j * alpha.length + i] ?? null);
  const [first, second] = panel.axes?.map(({ label }) => label) ?? figure.axes;
  return {
    readout: {
      heading: panel.title === "" ? "Nearest grid point" : panel.title,
      rows: [
        [first ?? "α", formatNumber(alpha[i] as number)],
        [second ?? "β", formatNumber(beta[j] as number)],
        [panel.quantity, formatNumber(value)],
      ],
    },
    x: at.x,
    y: at.y,
  };
}

function isIn({ x, y, width, height }: Rect, at: Place): boolean {
  return at.x >= x && at.x <= x + width && at.y >= y && at.y <= y + height;
}
