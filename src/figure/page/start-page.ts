import type { AnyFigure } from "../any-figure.js";
import { setPlatformAPI } from "../draw/echarts.js";
import { measureText } from "../draw/placed-text.js";
import { unpackNumbers } from "../files/pack-numbers.js";
import { startTheme } from "./picture.js";

/** Draws a figure into its place and keeps it in step with width, theme, pointer and keys. */
export type View<Figure extends AnyFigure> = (place: HTMLElement, figure: Figure) => void;

/** The view of each kind of figure that a page can draw; kinds without one are plain HTML. */
export type Views = { readonly [Kind in AnyFigure["kind"]]?: View<Extract<AnyFigure, { kind: Kind }>> };

/** Draws every figure of the page into its place with the view of its kind. */
export function startPage(views: Views): void {
  setPlatformAPI({ measureText });
  startTheme();
  const text = document.getElementById("report-data")?.textContent ?? "";
  const { figures } = JSON.parse(text, unpackNumbers) as { readonly figures: readonly AnyFigure[] };
  for (const place of document.querySelectorAll<HTMLElement>("[data-figure]")) {
    const figure = figures[Number(place.dataset.figure)];
    if (figure === undefined) continue;
    // The registry's type pairs each kind with its view; here the pair is only known at run time.
    const view = views[figure.kind] as View<AnyFigure> | undefined;
    view?.(place, figure);
  }
}
