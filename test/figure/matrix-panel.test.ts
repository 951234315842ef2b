import { describe, expect, it } from "vitest";
import {
  figureOption,
  figureReadout,
  figureSize,
  layoutFigure,
} from "../../src/figure/draw/layout-figure.js";
import { matrixTable } from "../../src/figure/draw/matrix-panel.js";
import { textWidth } from "../../src/figure/draw/placed-text.js";
import type { MatrixPanel } from "../../src/figure/figure.js";
import { tableCsv, tableOfFigure } from "../../src/figure/files/export-table.js";
import { figureHtml } from "../../src/figure/files/render-html.js";
import { renderSvg } from "../../src/figure/files/render-picture.js";
import { type ComparedFacts, createComparisonTable } from "../../src/figure/make/create-comparison-table.js";
import { contrast } from "./contrast.js";
import { tableOf } from "./panels.js";
import { CURVATURE_FIGURES } from "./sample-curvature.js";

const factsOf = (name: string, loss: number, accuracy: number): ComparedFacts => ({
  name,
  optimizer: "SGD",
  epochs: 1,
  iterations: 1,
  snapshots: 2,
  trainableCount: 3,
  scores: [{ set: "train", loss, metrics: { acc: accuracy } }],
  width: null,
  rise: null,
  epsilonSharpness: null,
  norm: 1,
  distance: 1,
  pathLength: 1,
  straightness: 1,
  explainedVarianceRatio: null,
  randomWalkBaseline: null,
});

/** Runs on a line, each as far from the next as its number; every angle is known. */
function compared(count: number, hole = false) {
  const runs = Array.from({ length: count }, (_, i) => factsOf(`run ${i + 1}`, 0.1 * (i + 1), 0.5));
  const distance = Float64Array.from({ length: count ** 2 }, (_, at) =>
    Math.abs((at % count) ** 2 - Math.floor(at / count) ** 2),
  );
  const cosine = distance.map((value) => 1 - value / count ** 2);
  if (hole) for (const at of [1, count]) distance[at] = cosine[at] = Number.NaN;
  return createComparisonTable({ runs, pairs: { distance, cosine } });
}

const matrixOf = (figure: ReturnType<typeof compared>) => figure.panels[1] as MatrixPanel;

describe("distances and cosines of more than two runs", () => {
  it("are one heat map, and no rows of the table", () => {
    const figure = compared(12);
    expect(figure.panels.map(({ kind }) => kind)).toEqual(["table", "matrix"]);
    const names = tableOf(figure).groups.flatMap(({ rows }) => rows.map(({ name }) => name));
    expect(names.filter((name) => /^(distance to|cosine with)/.test(name))).toEqual([]);
    expect(matrixOf(figure).below.values[12]).toBe(1);
    expect(figure.description).toContain(
      "the nearest are run 1 and run 2, 1, the farthest apart run 1 and run 12, 121",
    );
    expect(compared(2).panels.map(({ kind }) => kind)).toEqual(["table"]);
  });

  it("show their values in the cells, dark where runs are near, in letters that can be read", () => {
    const figure = compared(12);
    const size = figureSize(figure);
    const svg = renderSvg(figureOption(figure, size), size);
    for (const value of ["121", "0.993"]) expect(svg).toContain(`>${value}</text>`);
    // The fill of each cell with a number, and the letters that are over it.
    const fills = [...svg.matchAll(/<path[^>]*fill="(#[0-9a-f]{6})"[^>]*stroke="#ffffff"[^>]*>/g)].map(
      (found) => found[1] as string,
    );
    const inks = [...svg.matchAll(/<text[^>]*fill="(#000000|#ffffff)"[^>]*>/g)].map(
      (found) => found[1] as string,
    );
    expect(inks.length).toBe(132);
    expect(fills.length).toBeGreaterThanOrEqual(132);
    fills.slice(-132).forEach((fill, i) => {
      expect(contrast(fill, inks[i] as string), `${inks[i]} on ${fill}`).toBeGreaterThanOrEqual(4.5);
    });
  });

  it("are hatched where there are none, as the caption says", () => {
    expect(compared(3).caption).not.toContain("Hatched");
    const figure = compared(3, true);
    expect(figure.caption).toContain("Hatched cells are pairs of different layouts");
    expect(matrixOf(figure).above.values.slice(0, 3)).toEqual([1, null, 1 - 4 / 9]);
    expect(matrixTable(matrixOf(figure)).groups[0]?.rows[0]?.cells.map(({ text }) => text)).toEqual([
      "–",
      "–",
      "4",
    ]);
  });

  it.each([
    [3, 1100],
    [12, 1100],
    [50, 1100],
    [12, 336],
    [50, 336],
  ])("have no text that touches another or leaves the page: %i runs on %i px", (count, width) => {
    const layout = layoutFigure(compared(count), { width, isPage: true, parts: "chart" });
    const boxes = layout.texts.map(({ text, x, y, size, weight, align }) => {
      const wide = textWidth(text, size, weight);
      const left = align === "left" ? x : align === "right" ? x - wide : x - wide / 2;
      return { text, left, right: left + wide, top: y - size / 2, bottom: y + size / 2 };
    });
    for (const { text, left, right, bottom } of boxes)
      expect(left >= 0 && right <= width && bottom <= layout.height, text).toBe(true);
    const touching = boxes.flatMap((a, i) =>
      boxes
        .slice(i + 1)
        .filter((b) => a.right > b.left && b.right > a.left && a.bottom > b.top && b.bottom > a.top)
        .map((b) => [a.text, b.text]),
    );
    expect(touching).toEqual([]);
  });

  it("are read by pointing, both values of a pair in either half, and nothing on the diagonal", () => {
    const layout = layoutFigure(compared(4), { width: 800, isPage: true, parts: "chart" });
    const { rect } = layout.panels[0] as (typeof layout.panels)[number];
    const at = (row: number, column: number) =>
      figureReadout(layout, {
        x: rect.x + ((column + 0.5) * rect.width) / 4,
        y: rect.y + ((row + 0.5) * rect.height) / 4,
      })?.readout;
    const wanted = {
      heading: "run 2 and run 4",
      rows: [
        ["distance", "8"],
        ["cosine", "0.5"],
      ],
    };
    expect(at(1, 3)).toEqual(wanted);
    expect(at(3, 1)).toEqual(wanted);
    expect(at(2, 2)).toBeUndefined();
  });

  it("stay in the table's CSV file with all digits, and on the page as a table", () => {
    const figure = compared(3);
    const table = tableOfFigure(figure);
    const csv = table === null ? "" : tableCsv(table);
    expect(csv).toContain("Between the final weights,distance to run 1,,,1,4");
    expect(csv).toContain(`Between the final weights,cosine with run 1,,,${1 - 1 / 9},${1 - 4 / 9}`);
    const html = figureHtml(figure, 0, "page");
    expect(html).toContain("<summary>Between the final weights, as a table</summary>");
    expect(html.indexOf('class="scroll table"')).toBeLessThan(html.indexOf('class="chart"'));
  });

  it("are added to a table of the same columns alone: of others each row would lose its heads", () => {
    const { curvature } = CURVATURE_FIGURES;
    expect(curvature.panels.filter(({ kind }) => kind === "table").length).toBe(2);
    const table = tableOfFigure(curvature);
    const rows = table?.groups.flatMap((group) => group.rows) ?? [];
    expect(rows.length).toBeGreaterThan(3);
    for (const { cells } of rows) expect(cells.length).toBe(table?.columns.length);
  });
});

describe("the best value of a row", () => {
  const rows = (...figures: readonly (readonly [number, number])[]) => compare(figures);
  const compare = (figures: readonly (readonly [number, number])[], hasOneLoss?: boolean) => {
    const runs = figures.map(([loss, accuracy], i) => factsOf(`run ${i}`, loss, accuracy));
    const empty = new Float64Array(runs.length ** 2).fill(Number.NaN);
    return createComparisonTable({ runs, pairs: { distance: empty, cosine: empty }, hasOneLoss });
  };
  const bestOf = (figure: ReturnType<typeof rows>, name: string) =>
    tableOf(figure)
      .groups.flatMap((group) => group.rows)
      .find((row) => row.name === name)
      ?.cells.map(({ isBest = false }) => isBest);

  it("is bold: the least loss, the greatest accuracy, each that reads the same, and none where all do", () => {
    const figure = rows([0.2, 0.9], [0.1, 0.9], [Number.NaN, 0.8]);
    expect(bestOf(figure, "loss, train")).toEqual([false, true, false]);
    expect(bestOf(figure, "accuracy, train")).toEqual([true, true, false]);
    expect(bestOf(figure, "epochs")).toEqual([false, false, false]);
    expect(bestOf(rows([1, 0.5], [1, 0.5]), "loss, train")).toEqual([false, false]);
    expect(figureHtml(figure, 0, "")).toContain("<strong>0.1</strong>");
    const size = figureSize(figure);
    const svg = renderSvg(figureOption(figure, size), size);
    expect(/font-weight:600[^>]*>0\.1</.test(svg)).toBe(true);
    expect(/font-weight:600[^>]*>0\.2</.test(svg)).toBe(false);
  });

  it("is no loss where runs have losses of different functions", () => {
    const figure = compare(
      [
        [0.2, 0.9],
        [0.1, 0.8],
      ],
      false,
    );
    expect(bestOf(figure, "loss, train")).toEqual([false, false]);
    expect(bestOf(figure, "accuracy, train")).toEqual([true, false]);
  });
});
