import type { Figure } from "../../figure/figure.js";
import { type FigureView, showFigure } from "../../figure/page/show-figure.js";
import { element } from "./texts.js";

/** A place for a figure that grows. */
export interface Chart {
  /** Shows a figure instead of the last one; null takes it away. */
  show(figure: Figure | null): void;
}

/** Makes a chart in the place of an id, with its caption in the place "ID-caption". */
export function createChart(id: string): Chart {
  const place = element(id);
  let view: FigureView | null = null;
  return {
    show(figure) {
      place.setAttribute("aria-label", figure?.description ?? "nothing yet");
      if (figure === null) {
        view?.dispose();
        view = null;
        return;
      }
      // No line begins with a percent sign.
      element(`${id}-caption`).textContent = figure.caption.replaceAll(" %", "\u00a0%");
      if (view === null) view = showFigure(place, figure, { hasControls: false });
      else view.update(figure);
    },
  };
}
