import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { cleanText } from "../../base/clean-text.js";
import { InvalidDataError } from "../../base/errors.js";
import { decodeNumber } from "../../base/json.js";
import { packageFile } from "../../base/package-files.js";
import { currentFont, FONT_STACK, fontStack, withFont } from "../draw/font.js";
import { formatCount, formatNumber } from "../draw/format-number.js";
import { kindOf } from "../draw/layout-figure.js";
import { matrixTable } from "../draw/matrix-panel.js";
import { type ThemeName, themeOf } from "../draw/palette.js";
import { factText, pathOf } from "../draw/snapshots.js";
import { hasRow, MOST_ROWS, thinnedFigure } from "../draw/thinning.js";
import type { Figure, TablePanel, TableRow } from "../figure.js";
import { inSpace, isInSpace } from "../space/surface-panel.js";
import { gapSentences, pageFontCss } from "./font-files.js";
import { type FontSource, fontOf } from "./own-font.js";
import { escapeHtml, packNumbers, scriptJson } from "./page-data.js";

/**
 * Returns the content security policy of a page: only these scripts and this style sheet, the font inside it, and
 * what `directives` add. Nothing else is run, loaded or sent.
 */
export function contentPolicy(
  scripts: readonly string[],
  style: string,
  directives: readonly string[],
): string {
  const hash = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
  return [
    "default-src 'none'",
    `script-src ${scripts.map(hash).join(" ")}`,
    `style-src ${hash(style)}`,
    "font-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    ...directives,
  ].join("; ");
}

const DARK =
  "color-scheme:dark;--background:#16181d;--text:#f0f0f0;--muted:#b9bcc4;--line:#454a54;--panel:#22252c;--focus:#56b4e9";

const LIGHT =
  "--background:#fff;--text:#1a1a1a;--muted:#4d4d4d;--line:#c8c8c8;--panel:#f5f5f5;--focus:#0072b2";

/** The page's own style sheet: light and dark by the reader's setting, one column that fits any width. */
export const PAGE_STYLE = `
:root{color-scheme:light dark;${LIGHT}}
@media (prefers-color-scheme:dark){:root:not([data-theme=light]){${DARK}}}
:root[data-theme=dark]{${DARK}}
:root[data-theme=light]{color-scheme:light}
*{box-sizing:border-box}
body{margin:0;background:var(--background);color:var(--text);font:16px/1.55 ${FONT_STACK}}
main{max-width:1160px;margin:0 auto;padding:24px 16px 64px}
h1{font-size:26px;line-height:1.25;margin:8px 0 24px}
header h1{margin-bottom:8px}
header{margin:0 0 16px;display:flex;flex-wrap:wrap;gap:4px 16px;align-items:baseline;justify-content:space-between}
button{font:inherit;font-size:14px;line-height:1.3;min-height:32px;padding:4px 12px;border:1px solid var(--line);border-radius:6px;background:var(--panel);color:var(--text);cursor:pointer}
button[aria-pressed=true]{border-color:var(--focus);box-shadow:inset 0 -3px 0 var(--focus)}
button:focus-visible,input:focus-visible,summary:focus-visible{outline:2px solid var(--focus);outline-offset:2px}
.player{display:flex;align-items:center;gap:12px;margin:8px 0}
.player input{flex:1;min-width:80px;height:32px;accent-color:var(--focus)}
.player .play{min-width:44px}
.player output{min-width:8.5em;font-size:14px;font-variant-numeric:tabular-nums}
h2{font-size:20px;line-height:1.3;margin:0 0 8px}
h1,h2,p,li,td,th,dd,dt{overflow-wrap:break-word}
section{margin:0 0 48px;padding-top:24px;border-top:1px solid var(--line)}
section:first-of-type{border-top:0;padding-top:0}
figure{margin:0}
figcaption p{margin:8px 0}
.chart{position:relative;width:100%;touch-action:pan-y;outline-offset:4px}
.chart:focus-visible{outline:2px solid var(--focus)}
.canvas{width:100%}
.verdict{font-size:18px;line-height:1.4;margin:0 0 8px}
.caption{color:var(--muted);font-size:14px}
.provenance,.hint,.notes{color:var(--muted);font-size:13px}
.toolbar{display:flex;flex-wrap:wrap;gap:8px;margin:0 0 8px}
.choice{display:flex}
.choice button{border-radius:0;margin-left:-1px}
.choice button:first-child{border-radius:6px 0 0 6px}
.choice button:last-child{border-radius:0 6px 6px 0}
.space{position:relative}
.layer{position:absolute;left:0;top:0}
.front{pointer-events:none}
.overlay{position:absolute;left:0;top:0;width:100%;height:100%;pointer-events:none;color:var(--text);overflow:visible}
.cursor{stroke:var(--text);stroke-width:1.2;opacity:.7}
.ring{fill:none;stroke-width:2.6}
.ring-rim{fill:none;stroke:var(--background);stroke-width:6}
.tooltip{position:absolute;z-index:2;pointer-events:none;max-width:min(320px,90%);padding:8px 10px;border:1px solid var(--line);border-radius:6px;background:var(--background);color:var(--text);font-size:13px;line-height:1.4;box-shadow:0 2px 10px rgba(0,0,0,.25)}
.tooltip strong{display:block;margin-bottom:2px;overflow-wrap:anywhere}
.tooltip dl{display:grid;grid-template-columns:auto auto;gap:0 12px;margin:0}
.tooltip dt{color:var(--muted)}
.tooltip dd{margin:0;text-align:right}
.marker{position:absolute;z-index:1;pointer-events:none;width:20px;height:20px;margin:-10px 0 0 -10px;border:2px solid #000;border-radius:50%;box-shadow:0 0 0 2px #fff}
.marker.point{width:9px;height:9px;margin:-4.5px 0 0 -4.5px;border-width:1.5px;border-radius:0}
.turnable,.movable{cursor:grab}
[hidden]{display:none!important}
details{margin:8px 0}
summary{cursor:pointer;font-size:14px}
.scroll{overflow-x:auto;max-height:420px}
table{border-collapse:collapse;font-size:13px}
th,td{padding:3px 10px;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left}
.settings .scroll{max-height:none}
.settings th,.settings td{white-space:normal;min-width:6em;text-align:left;vertical-align:top;overflow-wrap:anywhere}
.settings th[scope=row]{min-width:9em;font-weight:400;color:var(--muted)}
.runs{display:flex;flex-wrap:wrap;gap:6px;margin:0 0 8px;max-height:184px;overflow-y:auto;padding:3px;margin-left:-3px}
.runs button{display:flex;align-items:center;gap:8px;max-width:280px;min-height:30px;padding:2px 10px;text-align:left;overflow-wrap:anywhere;line-height:1.2}
.runs svg{width:24px;height:10px;flex:none;fill:none;stroke-width:3}
.runs button[aria-pressed=true]{border-color:var(--line);box-shadow:none}
.runs button[aria-pressed=false]{color:var(--muted);text-decoration:line-through;background:none;border-style:dashed}
.runs button[aria-pressed=false] svg{opacity:.3}
button:disabled{color:var(--muted);cursor:default;border-style:dotted}
.dimmed .canvas{opacity:.35}
.trace{fill:none;stroke-width:3;stroke-linejoin:round}
.trace-rim{fill:none;stroke:var(--background);stroke-width:6;stroke-linejoin:round}
.out{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
@media (max-width:520px){
main{padding:16px 12px 48px}
h1{font-size:22px}
.cards,.cards tbody,.cards tr,.cards td,.cards th{display:block;width:auto;min-width:0;white-space:normal}
.cards thead,.cards caption{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.cards tr{padding:8px 0;border-bottom:1px solid var(--line)}
.cards td,.cards th{border:0;padding:2px 0}
.cards th[scope=row]{font-weight:600;text-align:left;color:var(--text)}
.cards td[data-label]{display:flex;justify-content:space-between;gap:16px;text-align:right}
.cards td[data-label]::before{content:attr(data-label);flex:none;max-width:50%;color:var(--muted);text-align:left;overflow-wrap:break-word}
.cards td[data-label=""]{display:block;text-align:left}
.cards td[data-label=""]::before{content:none}
}
@media (forced-colors:active){
.chart,.key,.runs svg{forced-color-adjust:none}
.chart{background:var(--background);color:var(--text)}
button[aria-pressed=true]{border:3px double}
}
@media print{
html:root,html:root[data-theme]{color-scheme:light;${LIGHT}}
.tooltip,.marker,.hint,.toolbar,.player,.runs,.overlay,#theme,details:not([open]){display:none}
main{max-width:none;padding:0}
section{border:0;margin:0 0 24px;padding:0}
figure,.chart,tr,li,figcaption p{break-inside:avoid}
h1,h2,summary{break-after:avoid}
.canvas,.canvas>div{width:100%!important;height:auto!important}
.canvas svg{width:100%!important;height:auto!important;position:static!important}
.scroll{max-height:none;overflow:visible}
}
`;

/** Pictures are made on the page, and there is no connection anywhere. */
const DIRECTIVES = ["img-src data: blob:"];

/** What a page shows. */
export interface ReportData extends FontSource {
  /** Heading of the page. */
  readonly title: string;
  /** Figures in order, each with its own caption and fidelity. */
  readonly figures: readonly Figure[];
  /** A paragraph under the heading; default none. */
  readonly introduction?: string | undefined;
  /** Colours that the page opens with. Default those of the reader's system. */
  readonly theme?: ThemeName | undefined;
}

/** Where the build puts the bundled code of the page, and what it runs when a reader asks for three dimensions. */
const SCRIPTS = { flat: "dist/src/figure/page/page.js", deep: "dist/src/figure/page/page-3d.js" } as const;

function builtScript(kind: keyof typeof SCRIPTS): string {
  return readFileSync(packageFile(SCRIPTS[kind], "run npm run build"), "utf8");
}

/**
 * Returns one HTML document that shows the figures, complete in itself: font, code and data are inside, and
 * it opens offline.
 *
 * Every text is escaped, data stand in a JSON block that they cannot leave, and a content security policy
 * lets nothing run but the page's own code and nothing load at all.
 *
 * @throws {@link InvalidDataError} if there is no figure.
 * @throws `MissingDependencyError` if the page's code has not been built.
 * @example writeFileSync("report.html", renderHtml({ title: "SGD and Adam", figures: [figure] }));
 */
export function renderHtml(report: ReportData): string {
  return withFont(fontOf(report), () => pageHtml(report));
}

function pageHtml(report: ReportData): string {
  if (report.figures.length === 0) throw new InvalidDataError("figures", "at least one figure", "none");
  const title = cleanText(report.title);
  const script = builtScript("flat");
  const space = report.figures.some(hasDepth) ? builtScript("deep") : null;
  const font = currentFont();
  const figures = report.figures.map(thinnedFigure);
  const data = scriptJson(font === null ? { figures } : { figures, font }, packNumbers);
  const body = report.figures.map((figure, index) => figureHtml(figure, index, title)).join("\n");
  const introduction =
    report.introduction === undefined ? "" : `<p>${escapeHtml(cleanText(report.introduction))}</p>\n`;
  const texts = `${title}${introduction}${body}${data}`;
  const letters = font === null ? "" : `body{font-family:${fontStack()}}\n`;
  const style = `${pageFontCss(texts)}${PAGE_STYLE}${TABLE_STYLE}${letters}`;
  const gaps = font === null ? [] : gapSentences(font, texts);
  return `<!doctype html>
<html lang="en"${report.theme === undefined ? "" : ` data-theme="${report.theme}"`}>
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${contentPolicy(space === null ? [script] : [script, space], style, DIRECTIVES)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="tfjs-landscape">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
<header><h1>${escapeHtml(title)}</h1><button type="button" id="theme" hidden></button></header>
${introduction}${body}
${gaps.map((text) => `<p class="provenance">${escapeHtml(text)}.</p>\n`).join("")}</main>
<script type="application/json" id="report-data">${data}</script>
${space === null ? "" : `<script type="text/plain" id="space-code">${space}</script>\n`}<script>${script}</script>
</body>
</html>
`;
}

/** Whether the page needs its script for three dimensions to show a figure. */
export function hasDepth(figure: Figure): boolean {
  return isInSpace(figure) || inSpace(figure) !== null;
}

/** Returns a figure's part of the page: the place that the script draws into, and everything in words. */
export function figureHtml(figure: Figure, index: number, pageTitle: string): string {
  const heading = figure.title === pageTitle ? "" : `<h2>${escapeHtml(figure.title)}</h2>\n`;
  const inWords = figure.panels.flatMap((panel, number) => {
    if (panel.kind !== "table") return [];
    return [tableHtml(panel, figure, `table-${index}${number === 0 ? "" : `-${number}`}`)];
  });
  const isDrawn = inWords.length < figure.panels.length;
  const drawing = isDrawn ? placeHtml(figure, index) : "";
  // What is drawn comes first, unless the figure begins with a table.
  const parts = figure.panels[0]?.kind === "table" ? [...inWords, drawing] : [drawing, ...inWords];
  const paragraphs = figure.fidelity.map((text) => `<p>${escapeHtml(text)}</p>\n`).join("");
  const fidelity = paragraphs === "" ? "" : `<div id="fidelity-${index}">${paragraphs}</div>\n`;
  const hint = isDrawn && figure.runs.length > 0 ? `<p class="hint">${hintOf(figure)}</p>\n` : "";
  const { verdict = "" } = figure;
  const details =
    verdict === "" ? "" : "<details><summary>How faithful the picture is, and what it shows</summary>";
  return `<section>
${heading}${verdict === "" ? "" : `<p class="verdict" id="verdict-${index}">${escapeHtml(verdict)}</p>\n`}<figure>
${parts.join("")}<figcaption>
${hint}${details}${fidelity}${captionHtml(figure)}${details === "" ? "" : "</details>"}</figcaption>
</figure>
${settingsHtml(figure)}${snapshotsHtml(figure)}${pairsHtml(figure, index)}</section>`;
}

/** Where the picture is drawn: something to work with if it shows snapshots, otherwise an image. */
function placeHtml({ panels, runs, description, verdict = "", fidelity }: Figure, index: number): string {
  const [first] = panels;
  const role =
    runs.length > 0 && first !== undefined
      ? `role="application" aria-roledescription="${kindOf(first).role}" tabindex="0"`
      : `role="img"`;
  // How far the picture can be trusted is heard with it: in one sentence, where there is one.
  const told = verdict === "" ? (fidelity.length === 0 ? "" : "fidelity") : "verdict";
  const described = told === "" ? "" : ` aria-describedby="${told}-${index}"`;
  return `<div class="chart" data-figure="${index}" ${role} aria-label="${escapeHtml(description)}"${described}></div>\n`;
}

function hintOf(figure: Figure): string {
  const change = figure.runs.length > 1 ? ", ↑ and ↓ change the run" : "";
  const isFlat = !isInSpace(figure) && figure.panels.some(({ kind }) => kind === "map" || kind === "scatter");
  const zoom = isFlat
    ? " Ctrl with the wheel, two fingers, + and − zoom; a drag moves what is enlarged; a double click shows all."
    : "";
  const turn = hasDepth(figure) ? "; in 3-D, drag or Shift with an arrow key to turn it" : "";
  const space = hasDepth(figure)
    ? "; in 3-D the wheel zooms after a click, too, and a double click shows it as at first"
    : "";
  return `Point at the picture for values.${zoom} With the picture in focus: space plays and pauses, ← and → go from snapshot to snapshot, Home and End to the ends${change}${turn}${space}.`;
}

function captionHtml({ caption, provenance, notes }: Figure): string {
  const list =
    notes.length === 0
      ? ""
      : `<ul class="notes">${notes.map((note) => `<li>${escapeHtml(note)}</li>`).join("")}</ul>\n`;
  const source = provenance === "" ? "" : `<p class="provenance">${escapeHtml(provenance)}</p>\n`;
  return `<p class="caption">${escapeHtml(caption)}</p>\n${source}${list}`;
}

/** Settings of more runs than this are folded. */
const MOST_OPEN = 6;

/** How the runs were trained: one column a run. */
function settingsHtml({ runs, provenance }: Figure): string {
  const names = [...new Set(runs.flatMap(({ settings = [] }) => settings.map(([name]) => name)))];
  if (names.length === 0) return "";
  const settingOf = ({ settings = [] }: (typeof runs)[number], name: string): string =>
    settings.find(([key]) => key === name)?.[1] ?? "–";
  const head = runs.map(({ name }) => `<th scope="col">${escapeHtml(name)}</th>`).join("");
  const rows = names.map(
    (name) =>
      `<tr><th scope="row">${escapeHtml(name)}</th>${runs.map((run) => `<td>${escapeHtml(settingOf(run, name))}</td>`).join("")}</tr>`,
  );
  const surface = `<tr><th scope="row">loss surface</th><td colspan="${runs.length}">${escapeHtml(provenance)}</td></tr>`;
  // Of many runs it is as long as all pictures together.
  const isOpen = runs.length <= MOST_OPEN ? " open" : "";
  return `<details class="settings"${isOpen}><summary>Settings</summary><div class="scroll"><table><thead><tr><th scope="col">setting</th>${head}</tr></thead><tbody>${rows.join("")}${surface}</tbody></table></div></details>
`;
}

/** Every snapshot with all that is known of it: what the pointer shows, as a table. */
function snapshotsHtml(figure: Figure): string {
  const { runs } = figure;
  if (runs.length === 0) return "";
  const names = [...new Set(runs.flatMap(({ columns }) => columns.map(({ name }) => name)))];
  const coordinates = pathOf(figure, 0)?.names ?? [];
  const cells = (tag: string, texts: readonly string[]): string =>
    `<tr>${texts.map((text) => `<${tag}>${escapeHtml(text)}</${tag}>`).join("")}</tr>`;
  const head = cells("th", ["run", "epoch", "iteration", ...names, ...coordinates]);
  const rows = runs.flatMap((run, index) => {
    const columns = names.map((name) => run.columns.find((column) => column.name === name));
    const at = pathOf(figure, index)?.path.at ?? [];
    return run.step.flatMap((_, i) => {
      const isDrop = run.drops.length <= MOST_ROWS / 10 && run.drops.includes(i);
      if (!hasRow(i, run.step.length) && !isDrop) return [];
      return cells("td", [
        run.name,
        String(run.epoch[i]),
        String(run.iteration[i]),
        ...columns.map((column) => (column === undefined ? null : factText(column, i)) ?? "–"),
        ...(at[i] ?? []).map((value) => formatNumber(decodeNumber(value))),
      ]);
    });
  });
  const most = runs.reduce((count, { step }) => Math.max(count, step.length), 0);
  const left =
    most > MOST_ROWS
      ? `<p class="hint">Of more than ${formatCount(MOST_ROWS)} snapshots, ${formatCount(MOST_ROWS)} are listed, evenly spaced, and drops of the learning rate. The command export writes all.</p>`
      : "";
  return `<details><summary>Snapshots as a table</summary>${left}<div class="scroll"><table><thead>${head}</thead><tbody>${rows.join("")}</tbody></table></div></details>
`;
}

/** The values of heat maps, which show them one at a time where cells are small. */
function pairsHtml(figure: Figure, index: number): string {
  return figure.panels
    .flatMap((panel, number) => (panel.kind === "matrix" ? [{ panel, number }] : []))
    .map(({ panel, number }) => {
      const table = tableHtml(
        matrixTable(panel),
        { ...figure, title: panel.title },
        `pairs-${index}-${number}`,
      );
      return `<details><summary>${escapeHtml(panel.title)}, as a table</summary>${table}</details>\n`;
    })
    .join("");
}

/**
 * Returns a table as HTML: caption, heads with scope, one body a group, definitions as a list that the rows
 * refer to. Every text is escaped.
 *
 * @param id - prefix of the ids of its definitions, unique on the page.
 */
function tableHtml(
  panel: TablePanel,
  { title, description }: Pick<Figure, "title" | "description">,
  id: string,
): string {
  const span = panel.columns.length + 1;
  const head = panel.columns.map(
    ({ title, color }) =>
      `<th scope="col">${color === null ? "" : `<span class="key key-${color % KEY_COLORS}" aria-hidden="true"></span>`}${escapeHtml(title)}</th>`,
  );
  const groupHead = (text: string) =>
    text === "" ? "" : `<tr><th scope="rowgroup" colspan="${span}">${escapeHtml(text)}</th></tr>`;
  const bodies = panel.groups.map(
    ({ title, rows }) => `<tbody>${groupHead(title)}${rows.map((row) => rowHtml(row, id)).join("")}</tbody>`,
  );
  // Heads without a text are none; tables of one figure are told apart by their own titles.
  const corner = panel.rowTitle === "" ? "<td></td>" : `<th scope="col">${escapeHtml(panel.rowTitle)}</th>`;
  const name = [...new Set([title, panel.title])].filter((text) => text !== "").join(": ");
  return `<div class="scroll table" role="region" tabindex="0" aria-label="${escapeHtml(name)}"><table class="values"><caption class="out">${escapeHtml(description)}</caption><thead><tr>${corner}${head.join("")}</tr></thead>${bodies.join("")}</table></div>
${definitionsHtml(panel.definitions, id)}`;
}

function rowHtml({ name, unit, definition, cells }: TableRow, id: string): string {
  const note =
    definition === null
      ? ""
      : ` <sup><a href="#${id}-${definition + 1}" aria-label="definition ${definition + 1}">${definition + 1}</a></sup>`;
  const unitText = unit === "" ? "" : ` <span class="unit">(${escapeHtml(unit)})</span>`;
  const values = cells.map(
    ({ text, isBest }) =>
      `<td>${isBest === true ? `<strong>${escapeHtml(text)}</strong>` : escapeHtml(text)}</td>`,
  );
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
@media (min-width:521px){.values th[scope=row],.values thead tr>:first-child{position:sticky;left:0;background:var(--background)}}
.values thead tr>*{white-space:normal;vertical-align:bottom;border-bottom:1px solid var(--muted)}
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
