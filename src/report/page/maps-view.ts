import { mapsReadout } from "../chart-readout.js";
import type { MapsFigure } from "../maps-figure.js";
import { layoutMaps, type MapsLayout } from "../maps-layout.js";
import { createPicture } from "./picture.js";

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
