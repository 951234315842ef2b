import type { ChartFigure } from "../chart-figure.js";
import { type ChartLayout, layoutChart } from "../draw/chart-layout.js";
import { layoutMaps, type MapsLayout } from "../draw/maps-layout.js";
import { chartReadout, mapsReadout } from "../draw/readout.js";
import type { MapsFigure } from "../make/create-maps-figure.js";
import { createOverlay, createPicture } from "./picture.js";

/** A chart on the page. */
export interface ChartView {
  /** Marks a position on the horizontal axes with upright lines. */
  mark(value: number): void;
}

/** Draws a chart into `place`; pointing at a panel tells the values of its curves. */
export function showChart(place: HTMLElement, figure: ChartFigure): ChartView {
  let layout: ChartLayout | null = null;
  let marked: number | null = null;
  const overlay = createOverlay(place);
  const showMark = (): void => {
    const value = marked;
    if (value === null || layout === null) return;
    const cursors = layout.panels.flatMap(({ rect, x }) => {
      const position = x.position(value);
      if (position === null) return [];
      return [{ rect, x: rect.x + ((position - x.min) / (x.max - x.min)) * rect.width }];
    });
    const rings = layout.panels.flatMap(({ rect, panel, x, left }) =>
      panel.series.flatMap((series) => {
        const index = series.x.indexOf(value);
        const [px, py] = [x.position(value), left.position(series.y[index] ?? "NaN")];
        if (index < 0 || series.axis !== "left" || px === null || py === null) return [];
        return [
          {
            x: rect.x + ((px - x.min) / (x.max - x.min)) * rect.width,
            y: rect.y + (1 - (py - left.min) / (left.max - left.min)) * rect.height,
            color: "currentColor",
          },
        ];
      }),
    );
    overlay.show(rings, cursors);
  };
  createPicture(place, figure, {
    onDraw: (options) => {
      layout = layoutChart(figure, options);
      showMark();
    },
    readoutAt: (at) => (layout === null ? null : chartReadout(layout, at)),
  });
  return {
    mark(value) {
      marked = value;
      showMark();
    },
  };
}

/** Draws maps into `place`; pointing at one tells the value of the nearest grid point. */
export function showMaps(place: HTMLElement, figure: MapsFigure): void {
  let layout: MapsLayout | null = null;
  createPicture(place, figure, {
    onDraw: (options) => {
      layout = layoutMaps(figure, options);
    },
    readoutAt: (at) => (layout === null ? null : mapsReadout(figure, layout, at)),
  });
}
