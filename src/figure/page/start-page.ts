import { setPlatformAPI } from "../draw/echarts.js";
import { type OwnFont, useFont } from "../draw/font.js";
import { measureText } from "../draw/placed-text.js";
import type { Figure } from "../figure.js";
import { unpackNumbers } from "../files/page-data.js";
import { startTheme } from "./picture.js";
import { type ShowOptions, showFigure } from "./show-figure.js";

/** Names every cell by its column, so that a phone can show the rows of a table as cards. */
function startTables(): void {
  for (const table of document.querySelectorAll("table")) {
    const heads = [...table.querySelectorAll("thead th, thead td")].map((head) => head.textContent ?? "");
    for (const cell of table.querySelectorAll<HTMLTableCellElement>("tbody td"))
      cell.dataset.label = heads.length < 3 || cell.colSpan > 1 ? "" : (heads[cell.cellIndex] ?? "");
    table.classList.add("cards");
  }
}

/** Draws every figure of the page into its place. */
export function startPage(options: ShowOptions = {}): void {
  setPlatformAPI({ measureText });
  startTheme();
  startTables();
  const text = document.getElementById("report-data")?.textContent ?? "";
  const { figures, font = null } = JSON.parse(text, unpackNumbers) as {
    readonly figures: readonly Figure[];
    readonly font?: OwnFont;
  };
  useFont(font);
  for (const place of document.querySelectorAll<HTMLElement>("[data-figure]")) {
    const figure = figures[Number(place.dataset.figure)];
    if (figure !== undefined) showFigure(place, figure, options);
  }
}
