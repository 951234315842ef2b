import { setPlatformAPI } from "../draw/echarts.js";
import { measureText } from "../draw/placed-text.js";
import type { Figure } from "../figure.js";
import { unpackNumbers } from "../files/page-data.js";
import { startTheme } from "./picture.js";
import { type ShowOptions, showFigure } from "./show-figure.js";

/** Draws every figure of the page into its place. */
export function startPage(options: ShowOptions = {}): void {
  setPlatformAPI({ measureText });
  startTheme();
  const text = document.getElementById("report-data")?.textContent ?? "";
  const { figures } = JSON.parse(text, unpackNumbers) as { readonly figures: readonly Figure[] };
  for (const place of document.querySelectorAll<HTMLElement>("[data-figure]")) {
    const figure = figures[Number(place.dataset.figure)];
    if (figure !== undefined) showFigure(place, figure, options);
  }
}
