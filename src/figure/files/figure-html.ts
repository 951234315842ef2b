import { decodeNumber } from "../../base/json.js";
import type { AnyFigure } from "../any-figure.js";
import type { ChartFigure } from "../chart-figure.js";
import { formatNumber, formatPercent } from "../draw/format-number.js";
import { themeOf } from "../draw/palette.js";
import type { EmbeddingFigure, EmbeddingPoint } from "../embedding-figure.js";
import type { FigurePath, FigurePoint, TrajectoryFigure } from "../figure.js";
import type { MapsFigure } from "../make/create-maps-figure.js";
import type { TableFigure, TableRow } from "../table-figure.js";

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Returns a text as HTML that shows it, in an element or a quoted attribute. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] as string);
}

/**
 * Returns a value as JSON that can stand inside a script element.
 *
 * `<`, `>` and `&` are written as \uXXXX, so that no `</script>`, `<!--` or entity can end or change the
 * element; U+2028 and U+2029 likewise, which old JavaScript takes for line ends.
 *
 * @param replacer - As for `JSON.stringify`.
 */
export function scriptJson(value: unknown, replacer?: (key: string, value: unknown) => unknown): string {
  return JSON.stringify(value, replacer).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Returns the section of a page that shows an embedding: its place, its caption and a table of its snapshots. */
export function embeddingHtml(figure: EmbeddingFigure, index: number, caption: string): string {
  const turn = figure.dimensions === 3 ? " Drag to turn it; with Shift, the arrow keys do." : "";
  return `<div class="chart" data-figure="${index}" role="application" aria-roledescription="embedding" tabindex="0" aria-label="${escapeHtml(figure.description)}"></div>
<figcaption>
<p class="hint">Point at a snapshot for values; with the picture in focus, the arrow keys walk along the path.${turn}</p>
${caption}</figcaption>
</figure>
<details><summary>Snapshots as a table</summary><div class="scroll">${embeddingTableHtml(figure)}</div></details>
`;
}

function embeddingTableHtml(figure: EmbeddingFigure): string {
  const number = (value: EmbeddingPoint["loss"]): string => {
    const decoded = decodeNumber(value);
    return Number.isNaN(decoded) ? "–" : formatNumber(decoded);
  };
  const cells = (tag: string, texts: readonly string[]): string =>
    `<tr>${texts.map((text) => `<${tag}>${escapeHtml(text)}</${tag}>`).join("")}</tr>`;
  const head = cells("th", ["run", "epoch", "iteration", figure.lossName, "step length", ...figure.axes]);
  const rows = figure.paths.flatMap(({ name, points }) =>
    points.map((point) =>
      cells("td", [
        name,
        String(point.epoch),
        String(point.iteration),
        number(point.loss),
        number(point.stepSize),
        ...point.at.map(number),
      ]),
    ),
  );
  return `<table><thead>${head}</thead><tbody>${rows.join("")}</tbody></table>`;
}

const light = themeOf("light").runs;
const dark = themeOf("dark").runs;

/** Number of colours of runs; later runs begin again. */
export const KEY_COLORS = light.length;

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
      `<th scope="col">${color === null ? "" : `<span class="key key-${color % KEY_COLORS}" aria-hidden="true"></span>`}${escapeHtml(title)}</th>`,
  );
  const bodies = figure.groups.map(
    ({ title, rows }) =>
      `<tbody><tr><th scope="rowgroup" colspan="${span}">${escapeHtml(title)}</th></tr>${rows.map((row) => rowHtml(row, id)).join("")}</tbody>`,
  );
  return `<div class="scroll table" role="region" tabindex="0" aria-label="${escapeHtml(figure.title)}"><table class="values"><caption class="out">${escapeHtml(figure.description)}</caption><thead><tr><th scope="col">${escapeHtml(figure.rowTitle)}</th>${head.join("")}</tr></thead>${bodies.join("")}</table></div>
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

/** Whether the page needs its script for three dimensions to show a figure. */
export function hasDepth(figure: AnyFigure): boolean {
  return figure.kind === "trajectory";
}

/** Returns a figure's part of the page: the place that the script draws into, and everything in words. */
export function sectionHtml(figure: AnyFigure, index: number, pageTitle: string): string {
  const heading = figure.title === pageTitle ? "" : `<h2>${escapeHtml(figure.title)}</h2>\n`;
  return `<section>
${heading}<figure>
${contentHtml(figure, index)}</section>`;
}

function contentHtml(figure: AnyFigure, index: number): string {
  switch (figure.kind) {
    case "trajectory":
      return trajectoryHtml(figure, index);
    case "embedding":
      return embeddingHtml(figure, index, captionHtml(figure));
    case "table":
      return valuesHtml(figure, index);
    default:
      return staticHtml(figure, index);
  }
}

/** A table is complete without script. */
function valuesHtml(figure: TableFigure, index: number): string {
  return `${tableFigureHtml(figure, `table-${index}`)}<figcaption>
${captionHtml(figure)}</figcaption>
</figure>
`;
}

function trajectoryHtml(figure: TrajectoryFigure, index: number): string {
  const paragraphs = figure.fidelity.map((text) => `<p>${escapeHtml(text)}</p>`).join("\n");
  return `<div class="chart" data-figure="${index}" role="application" aria-roledescription="loss surface" tabindex="0" aria-label="${escapeHtml(figure.description)}"></div>
<figcaption>
<p class="hint">Point at the picture for values. With the picture in focus: space plays and pauses, ← and → go from snapshot to snapshot, Home and End to the ends${figure.paths.length > 1 ? ", ↑ and ↓ change the run" : ""}; in 3-D, drag or Shift with an arrow key to turn it.</p>
${paragraphs}
${captionHtml(figure)}</figcaption>
</figure>
${settingsHtml(figure)}<details><summary>Snapshots as a table</summary><div class="scroll">${tableHtml(figure)}</div></details>
`;
}

/** How the runs were trained: one column a run. */
function settingsHtml({ paths, provenance }: TrajectoryFigure): string {
  const names = [...new Set(paths.flatMap(({ settings = [] }) => settings.map(([name]) => name)))];
  if (names.length === 0) return "";
  const settingOf = ({ settings = [] }: FigurePath, name: string): string =>
    settings.find(([key]) => key === name)?.[1] ?? "–";
  const head = paths.map(({ name }) => `<th scope="col">${escapeHtml(name)}</th>`).join("");
  const rows = names.map(
    (name) =>
      `<tr><th scope="row">${escapeHtml(name)}</th>${paths.map((path) => `<td>${escapeHtml(settingOf(path, name))}</td>`).join("")}</tr>`,
  );
  const surface = `<tr><th scope="row">loss surface</th><td colspan="${paths.length}">${escapeHtml(provenance)}</td></tr>`;
  return `<details class="settings" open><summary>Settings</summary><div class="scroll"><table><thead><tr><th scope="col">setting</th>${head}</tr></thead><tbody>${rows.join("")}${surface}</tbody></table></div></details>
`;
}

function staticHtml(figure: ChartFigure | MapsFigure, index: number): string {
  return `<div class="chart" data-figure="${index}" role="img" aria-label="${escapeHtml(figure.description)}"></div>
<figcaption>
${captionHtml(figure)}</figcaption>
</figure>
`;
}

function captionHtml({ caption, provenance, notes }: AnyFigure): string {
  const list =
    notes.length === 0
      ? ""
      : `<ul class="notes">${notes.map((note) => `<li>${escapeHtml(note)}</li>`).join("")}</ul>\n`;
  const source = provenance === "" ? "" : `<p class="provenance">${escapeHtml(provenance)}</p>\n`;
  return `<p class="caption">${escapeHtml(caption)}</p>\n${source}${list}`;
}

const COLUMNS: readonly (readonly [string, (point: FigurePoint) => string])[] = [
  ["epoch", (point) => String(point.epoch)],
  ["iteration", (point) => String(point.iteration)],
  ["learning rate", (point) => formatNumber(decodeNumber(point.learningRate))],
  ["true loss", (point) => optional(point.trueLoss)],
  ["loss on the plane", (point) => optional(point.planeLoss)],
  ["distance held", (point) => formatPercent(decodeNumber(point.inPlaneShare))],
  ["α", (point) => formatNumber(decodeNumber(point.alpha))],
  ["β", (point) => formatNumber(decodeNumber(point.beta))],
];

function tableHtml(figure: TrajectoryFigure): string {
  const cells = (tag: string, texts: readonly string[]): string =>
    `<tr>${texts.map((text) => `<${tag}>${escapeHtml(text)}</${tag}>`).join("")}</tr>`;
  const head = cells("th", ["run", ...COLUMNS.map(([name]) => name)]);
  const rows = figure.paths.flatMap((path) =>
    path.points.map((point) => cells("td", [path.name, ...COLUMNS.map(([, value]) => value(point))])),
  );
  return `<table><thead>${head}</thead><tbody>${rows.join("")}</tbody></table>`;
}

function optional(value: FigurePoint["trueLoss"]): string {
  return value === null ? "–" : formatNumber(decodeNumber(value));
}
