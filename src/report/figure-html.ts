import type { AnyFigure } from "./any-figure.js";
import type { EmbeddingFigure } from "./embedding-figure.js";
import { embeddingHtml } from "./embedding-html.js";
import { escapeHtml } from "./escape.js";
import type { FigurePath, FigurePoint, TrajectoryFigure } from "./figure.js";
import { formatNumber, formatPercent } from "./format-number.js";
import { decodeNumber } from "./json-number.js";

/** Whether the page needs its script for three dimensions to show a figure. */
export function hasDepth(figure: AnyFigure): boolean {
  return figure.kind === "trajectory";
}

/** Returns a figure's part of the page: the place that the script draws into, and everything in words. */
export function sectionHtml(figure: AnyFigure, index: number, pageTitle: string): string {
  const heading = figure.title === pageTitle ? "" : `<h2>${escapeHtml(figure.title)}</h2>\n`;
  return `<section>
${heading}<figure>
${bodyHtml(figure, index)}</section>`;
}

function bodyHtml(figure: AnyFigure, index: number): string {
  switch (figure.kind) {
    case "trajectory":
      return trajectoryHtml(figure, index);
    case "embedding":
      return embeddingHtml(figure, index, captionHtml(figure));
    default:
      return staticHtml(figure, index);
  }
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

function staticHtml(figure: Exclude<AnyFigure, TrajectoryFigure | EmbeddingFigure>, index: number): string {
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
