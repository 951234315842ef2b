import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { InvalidDataError } from "../errors.js";
import type { AnyFigure } from "./any-figure.js";
import type { ChartFigure } from "./chart-figure.js";
import { cleanText } from "./clean-text.js";
import { embeddingHtml } from "./embedding-html.js";
import { escapeHtml, scriptJson } from "./escape.js";
import type { FigurePoint, TrajectoryFigure } from "./figure.js";
import { fontFaceCss } from "./font-files.js";
import { formatNumber, formatPercent } from "./format-number.js";
import { decodeNumber } from "./json-number.js";
import type { MapsFigure } from "./maps-figure.js";
import { packageFile } from "./package-root.js";
import { PAGE_STYLE } from "./page-style.js";

/** What a page shows. */
export interface ReportData {
  /** Heading of the page. */
  readonly title: string;
  /** Figures in order, each with its own caption and fidelity. */
  readonly figures: readonly AnyFigure[];
  /** A paragraph under the heading; default none. */
  readonly introduction?: string;
}

/** Where the build puts the bundled code of the page. */
export const PAGE_SCRIPT = "dist/src/report/page/page.js";

/**
 * Returns one HTML document that shows the figures, complete in itself: font, code and data are inside, and
 * it opens offline.
 *
 * Every text is escaped, data stand in a JSON block that they cannot leave, and a content security policy
 * lets nothing run but the page's own code and nothing load at all.
 *
 * @throws {@link InvalidDataError} if there is no figure.
 * @throws `MissingDependencyError` if the page's code has not been built.
 */
export function renderHtml(report: ReportData): string {
  if (report.figures.length === 0) throw new InvalidDataError("figures", "at least one figure", "none");
  const title = cleanText(report.title);
  const script = readFileSync(packageFile(PAGE_SCRIPT, "run npm run build"), "utf8");
  const data = scriptJson({ figures: report.figures });
  const body = report.figures.map((figure, index) => sectionHtml(figure, index, title)).join("\n");
  const introduction =
    report.introduction === undefined ? "" : `<p>${escapeHtml(cleanText(report.introduction))}</p>\n`;
  const style = `${fontFaceCss(`${title}${report.introduction ?? ""}${data}`)}${PAGE_STYLE}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${contentPolicy(script, style)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="tfjs-landscape">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
${introduction}${body}
</main>
<script type="application/json" id="report-data">${data}</script>
<script>${script}</script>
</body>
</html>
`;
}

/** Only this script and this style sheet, the font inside it, and no connection anywhere. */
function contentPolicy(script: string, style: string): string {
  const hash = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
  return [
    "default-src 'none'",
    `script-src ${hash(script)}`,
    `style-src ${hash(style)}`,
    "font-src data:",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
}

function sectionHtml(figure: AnyFigure, index: number, pageTitle: string): string {
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
  return `<div class="chart" data-figure="${index}" role="application" aria-roledescription="contour map" tabindex="0" aria-label="${escapeHtml(figure.description)}"></div>
<figcaption>
<p class="hint">Point at the map for values; with the map in focus, the arrow keys walk along the path.</p>
${paragraphs}
${captionHtml(figure)}</figcaption>
</figure>
<details><summary>Snapshots as a table</summary><div class="scroll">${tableHtml(figure)}</div></details>
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
