import type { TrajectoryFigure } from "../figure.js";
import { showFigure } from "./figure-view.js";

/** Draws every figure of the page into its place. */
function main(): void {
  const data = document.getElementById("report-data")?.textContent ?? "";
  const { figures } = JSON.parse(data) as { readonly figures: readonly TrajectoryFigure[] };
  for (const place of document.querySelectorAll<HTMLElement>("[data-figure]")) {
    const figure = figures[Number(place.dataset.figure)];
    if (figure !== undefined) showFigure(place, figure);
  }
}

main();
