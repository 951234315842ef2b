import { readFileSync } from "node:fs";
import { InvalidDataError } from "../errors.js";
import type { AnyFigure } from "./any-figure.js";
import { cleanText } from "./clean-text.js";
import { contentPolicy } from "./content-policy.js";
import { escapeHtml, scriptJson } from "./escape.js";
import { hasDepth, sectionHtml } from "./figure-html.js";
import { fontFaceCss } from "./font-files.js";
import { packNumbers } from "./pack-numbers.js";
import { packageFile } from "./package-root.js";
import { PAGE_STYLE } from "./page-style.js";
import { TABLE_STYLE } from "./table-style.js";

/** Pictures are made on the page, and there is no connection anywhere. */
const DIRECTIVES = ["img-src data: blob:"];

/** What a page shows. */
export interface ReportData {
  /** Heading of the page. */
  readonly title: string;
  /** Figures in order, each with its own caption and fidelity. */
  readonly figures: readonly AnyFigure[];
  /** A paragraph under the heading; default none. */
  readonly introduction?: string;
}

/** Where the build puts the bundled code of the page, without and with three dimensions. */
const SCRIPTS = { flat: "dist/src/report/page/page.js", deep: "dist/src/report/page/page-3d.js" } as const;

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
  const script = readFileSync(
    packageFile(SCRIPTS[report.figures.some(hasDepth) ? "deep" : "flat"], "run npm run build"),
    "utf8",
  );
  const data = scriptJson({ figures: report.figures }, packNumbers);
  const body = report.figures.map((figure, index) => sectionHtml(figure, index, title)).join("\n");
  const introduction =
    report.introduction === undefined ? "" : `<p>${escapeHtml(cleanText(report.introduction))}</p>\n`;
  const style = `${fontFaceCss(`${title}${report.introduction ?? ""}${data}`)}${PAGE_STYLE}${TABLE_STYLE}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${contentPolicy(script, style, DIRECTIVES)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="tfjs-landscape">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
<header><h1>${escapeHtml(title)}</h1><button type="button" id="theme" hidden></button></header>
${introduction}${body}
</main>
<script type="application/json" id="report-data">${data}</script>
<script>${script}</script>
</body>
</html>
`;
}
