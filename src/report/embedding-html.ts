import type { EmbeddingFigure, EmbeddingPoint } from "./embedding-figure.js";
import { escapeHtml } from "./escape.js";
import { formatNumber } from "./format-number.js";
import { decodeNumber } from "./json-number.js";

/** Returns the section of a page that shows an embedding: its place, its caption and a table of its snapshots. */
export function embeddingHtml(figure: EmbeddingFigure, index: number, caption: string): string {
  const turn = figure.dimensions === 3 ? " Drag to turn it; with Shift, the arrow keys do." : "";
  return `<div class="chart" data-figure="${index}" role="application" aria-roledescription="embedding" tabindex="0" aria-label="${escapeHtml(figure.description)}"></div>
<figcaption>
<p class="hint">Point at a snapshot for values; with the picture in focus, the arrow keys walk along the path.${turn}</p>
${caption}</figcaption>
</figure>
<details><summary>Snapshots as a table</summary><div class="scroll">${tableHtml(figure)}</div></details>
`;
}

function tableHtml(figure: EmbeddingFigure): string {
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
