import { escapeHtml } from "./escape.js";
import type { TableFigure, TableRow } from "./table-figure.js";

/**
 * Returns a table as HTML: caption, heads with scope, one body a group, definitions as a list that the rows
 * refer to. Every text is escaped.
 *
 * @param id - prefix of the ids of its definitions, unique on the page.
 */
export function tableFigureHtml(figure: TableFigure, id: string): string {
  const span = figure.columns.length + 1;
  const head = figure.columns.map(
    ({ title, color }) =>
      `<th scope="col">${color === null ? "" : `<span class="key key-${color % 7}" aria-hidden="true"></span>`}${escapeHtml(title)}</th>`,
  );
  const bodies = figure.groups.map(
    ({ title, rows }) =>
      `<tbody><tr><th scope="rowgroup" colspan="${span}">${escapeHtml(title)}</th></tr>${rows.map((row) => rowHtml(row, id)).join("")}</tbody>`,
  );
  return `<div class="scroll table"><table class="values"><caption class="out">${escapeHtml(figure.description)}</caption><thead><tr><th scope="col">${escapeHtml(figure.rowTitle)}</th>${head.join("")}</tr></thead>${bodies.join("")}</table></div>
${definitionsHtml(figure.definitions, id)}`;
}

function rowHtml({ name, unit, definition, cells }: TableRow, id: string): string {
  const note =
    definition === null
      ? ""
      : ` <sup><a href="#${id}-${definition + 1}" aria-label="definition ${definition + 1}">${definition + 1}</a></sup>`;
  const unitText = unit === "" ? "" : ` <span class="unit">(${escapeHtml(unit)})</span>`;
  const values = cells.map(({ text }) => `<td>${escapeHtml(text)}</td>`);
  return `<tr><th scope="row">${escapeHtml(name)}${unitText}${note}</th>${values.join("")}</tr>`;
}

function definitionsHtml(definitions: readonly string[], id: string): string {
  if (definitions.length === 0) return "";
  const items = definitions.map((text, index) => `<li id="${id}-${index + 1}">${escapeHtml(text)}</li>`);
  return `<ol class="definitions">${items.join("")}</ol>\n`;
}
