import type { AnyFigure } from "../any-figure.js";
import { showEmbedding } from "./embedding-view.js";
import { showFigure } from "./figure-view.js";
import { showStatic } from "./static-view.js";

/** Draws every figure of the page into its place. */
function main(): void {
  const data = document.getElementById("report-data")?.textContent ?? "";
  const { figures } = JSON.parse(data) as { readonly figures: readonly AnyFigure[] };
  for (const place of document.querySelectorAll<HTMLElement>("[data-figure]")) {
    const figure = figures[Number(place.dataset.figure)];
    if (figure === undefined) continue;
    if (figure.kind === "trajectory") showFigure(place, figure);
    else if (figure.kind === "embedding") showEmbedding(place, figure);
    else showStatic(place, figure);
  }
}

main();
