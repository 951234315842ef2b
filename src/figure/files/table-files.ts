import { decodeNumber, type JsonNumber } from "../../base/json.js";
import { themeOf } from "../draw/palette.js";
import type { Figure, TableCell, TablePanel, TableRow } from "../figure.js";
import { escapeHtml } from "./page-data.js";

/**
 * Returns a table as HTML: caption, heads with scope, one body a group, definitions as a list that the rows
 * refer to. Every text is escaped.
 *
 * @param id - prefix of the ids of its definitions, unique on the page.
 */
export function tableHtml(panel: TablePanel, { title, description }: Figure, id: string): string {
  const span = panel.columns.length + 1;
  const head = panel.columns.map(
    ({ title, color }) =>
      `<th scope="col">${color === null ? "" : `<span class="key key-${color % KEY_COLORS}" aria-hidden="true"></span>`}${escapeHtml(title)}</th>`,
  );
  const bodies = panel.groups.map(
    ({ title, rows }) =>
      `<tbody><tr><th scope="rowgroup" colspan="${span}">${escapeHtml(title)}</th></tr>${rows.map((row) => rowHtml(row, id)).join("")}</tbody>`,
  );
  return `<div class="scroll table" role="region" tabindex="0" aria-label="${escapeHtml(title)}"><table class="values"><caption class="out">${escapeHtml(description)}</caption><thead><tr><th scope="col">${escapeHtml(panel.rowTitle)}</th>${head.join("")}</tr></thead>${bodies.join("")}</table></div>
${definitionsHtml(panel.definitions, id)}`;
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

const light = themeOf("light").runs;
const dark = themeOf("dark").runs;

/** Number of colours of runs; later runs begin again. */
const KEY_COLORS = light.length;

const keys = (colors: readonly string[], root: string): string =>
  colors.map((color, index) => `${root} .key-${index}{background:${color}}`).join("");

/** Style of the tables that are figures; the colours of runs are those of the charts. */
export const TABLE_STYLE = `
.table{max-height:none}
.values{width:100%;font-variant-numeric:tabular-nums}
.values th[scope=row]{font-weight:400;white-space:normal;min-width:9em}
.values th[scope=rowgroup]{text-align:left;padding-top:14px}
.values thead th{white-space:normal;vertical-align:bottom;border-bottom:1px solid var(--muted)}
.values .unit{color:var(--muted)}
.values sup{font-size:11px;line-height:1}
.values sup a,.definitions a{color:inherit}
.key{display:inline-block;width:10px;height:10px;margin-right:6px}
.definitions{margin:12px 0;padding-left:24px;color:var(--muted);font-size:13px}
.definitions li:target{background:var(--panel);color:var(--text)}
${keys(light, ":root")}
@media (prefers-color-scheme:dark){${keys(dark, ":root:not([data-theme=light])")}}
${keys(dark, ":root[data-theme=dark]")}
`;

/** Beginnings of a text that spreadsheets take for a formula. */
const FORMULA = /^[\s]*[=+\-@\t\r|]/;

/**
 * Returns a table as CSV text (RFC 4180): group, quantity, unit, then a column for each run, with two more for
 * the bounds where a run has any. Numbers have all their digits.
 *
 * A text that a spreadsheet would take for a formula is preceded by an apostrophe.
 *
 * @example
 * const panel = figure.panels.find((panel) => panel.kind === "table");
 * if (panel !== undefined) writeFileSync("table.csv", tableCsv(panel));
 */
export function tableCsv(panel: TablePanel): string {
  const rows = panel.groups.flatMap(({ title, rows: inGroup }) =>
    inGroup.map((row) => ({ ...row, group: title })),
  );
  const hasRange = panel.columns.map((_, c) => rows.some(({ cells }) => (cells[c]?.range ?? null) !== null));
  const head = panel.columns.flatMap(({ title }, c) => [
    text(title),
    ...(hasRange[c] ? [text(`${title}: lower bound`), text(`${title}: upper bound`)] : []),
  ]);
  const lines = rows.map(({ group, name, unit, cells }) => [
    text(group),
    text(name),
    text(unit),
    ...cells.flatMap((cell, c) => [value(cell), ...(hasRange[c] ? bounds(cell) : [])]),
  ]);
  return [["group", "quantity", "unit", ...head], ...lines].map((line) => `${line.join(",")}\r\n`).join("");
}

function value({ value: number, text: shown }: TableCell): string {
  return number === null ? text(shown === "–" ? "" : shown) : digits(number);
}

function bounds({ range }: TableCell): string[] {
  return range === null ? ["", ""] : range.map(digits);
}

function digits(value: JsonNumber): string {
  return String(decodeNumber(value));
}

function text(value: string): string {
  const safe = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) || safe !== safe.trim() ? `"${safe.replaceAll('"', '""')}"` : safe;
}
