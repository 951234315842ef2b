import { decodeNumber } from "../../base/json.js";
import { formatNumber } from "../draw/format-number.js";
import { kindOf } from "../draw/layout-figure.js";
import { factText, pathOf } from "../draw/snapshots.js";
import type { Figure } from "../figure.js";
import { inSpace } from "../space/surface-panel.js";
import { escapeHtml } from "./page-data.js";
import { tableHtml } from "./table-files.js";

/** Whether the page needs its script for three dimensions to show a figure. */
export function hasDepth(figure: Figure): boolean {
  return inSpace(figure) !== null;
}

/** Returns a figure's part of the page: the place that the script draws into, and everything in words. */
export function figureHtml(figure: Figure, index: number, pageTitle: string): string {
  const heading = figure.title === pageTitle ? "" : `<h2>${escapeHtml(figure.title)}</h2>\n`;
  const inWords = figure.panels.flatMap((panel, number) => {
    if (panel.kind !== "table") return [];
    return [tableHtml(panel, figure, `table-${index}${number === 0 ? "" : `-${number}`}`)];
  });
  const isDrawn = inWords.length < figure.panels.length;
  const fidelity = figure.fidelity.map((text) => `<p>${escapeHtml(text)}</p>\n`).join("");
  const hint = isDrawn && figure.runs.length > 0 ? `<p class="hint">${hintOf(figure)}</p>\n` : "";
  return `<section>
${heading}<figure>
${isDrawn ? placeHtml(figure, index) : ""}${inWords.join("")}<figcaption>
${hint}${fidelity}${captionHtml(figure)}</figcaption>
</figure>
${settingsHtml(figure)}${snapshotsHtml(figure)}</section>`;
}

/** Where the picture is drawn: something to work with if it shows snapshots, otherwise an image. */
function placeHtml({ panels, runs, description }: Figure, index: number): string {
  const [first] = panels;
  const role =
    runs.length > 0 && first !== undefined
      ? `role="application" aria-roledescription="${kindOf(first).role}" tabindex="0"`
      : `role="img"`;
  return `<div class="chart" data-figure="${index}" ${role} aria-label="${escapeHtml(description)}"></div>\n`;
}

function hintOf(figure: Figure): string {
  const change = figure.runs.length > 1 ? ", ↑ and ↓ change the run" : "";
  const isBox = figure.panels.some((panel) => panel.kind === "scatter" && panel.axes.length === 3);
  const turn = isBox || hasDepth(figure) ? "; in 3-D, drag or Shift with an arrow key to turn it" : "";
  return `Point at the picture for values. With the picture in focus: space plays and pauses, ← and → go from snapshot to snapshot, Home and End to the ends${change}${turn}.`;
}

function captionHtml({ caption, provenance, notes }: Figure): string {
  const list =
    notes.length === 0
      ? ""
      : `<ul class="notes">${notes.map((note) => `<li>${escapeHtml(note)}</li>`).join("")}</ul>\n`;
  const source = provenance === "" ? "" : `<p class="provenance">${escapeHtml(provenance)}</p>\n`;
  return `<p class="caption">${escapeHtml(caption)}</p>\n${source}${list}`;
}

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
  return `<details class="settings" open><summary>Settings</summary><div class="scroll"><table><thead><tr><th scope="col">setting</th>${head}</tr></thead><tbody>${rows.join("")}${surface}</tbody></table></div></details>
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
    return run.step.map((_, i) =>
      cells("td", [
        run.name,
        String(run.epoch[i]),
        String(run.iteration[i]),
        ...columns.map((column) => (column === undefined ? null : factText(column, i)) ?? "–"),
        ...(at[i] ?? []).map((value) => formatNumber(decodeNumber(value))),
      ]),
    );
  });
  return `<details><summary>Snapshots as a table</summary><div class="scroll"><table><thead>${head}</thead><tbody>${rows.join("")}</tbody></table></div></details>
`;
}
