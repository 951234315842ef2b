import { describe, expect, it } from "vitest";
import { figureOption, figureSize, layoutFigure } from "../../src/figure/draw/layout-figure.js";
import { textWidth } from "../../src/figure/draw/placed-text.js";
import { tableCsv } from "../../src/figure/files/export-table.js";
import { figureHtml } from "../../src/figure/files/render-html.js";
import { renderPng, renderSvg } from "../../src/figure/files/render-picture.js";
import { type ComparedFacts, createComparisonTable } from "../../src/figure/make/create-comparison-table.js";
import { tableOf } from "./panels.js";

/** A run with round numbers. */
function factsOf(name: string, changes: Partial<ComparedFacts> = {}): ComparedFacts {
  return {
    name,
    optimizer: "SGD",
    epochs: 12,
    iterations: 5640,
    snapshots: 13,
    trainableCount: 56714,
    scores: [
      { set: "train", loss: 0.0218, metrics: { acc: 0.9965 } },
      { set: "test", loss: 0.1435, metrics: { acc: 0.5 } },
    ],
    width: { rise: 1, median: 1.5, low: 1.25, high: 2, bySeed: Float64Array.of(1, 1.5, 2), open: 0 },
    rise: { radius: 0.5, mean: 0.25, low: 0.2, high: 0.3, bySeed: Float64Array.of(0.2, 0.3) },
    epsilonSharpness: { sharpness: 0.25, maximum: 1, at: [0, 0], halfWidths: [1, 1], epsilon: 0.05 },
    norm: 15,
    distance: 5,
    pathLength: 8,
    straightness: 0.625,
    explainedVarianceRatio: [0.84, 0.13],
    randomWalkBaseline: [0.7, 0.17],
    ...changes,
  };
}

const pairs = { distance: Float64Array.of(0, 7, 7, 0), cosine: Float64Array.of(1, 0.5, 0.5, 1) };

/** Everything that could be taken for something else. */
const HOSTILE = [`</script><img src=x onerror=alert(1)>"'&`, '=HYPERLINK("http://x","y")'];

describe("createComparisonTable", () => {
  it("has each quantity once for every run, with its digits behind the text", () => {
    const table = tableOf(
      createComparisonTable({ runs: [factsOf("a"), factsOf("b", { norm: Number.NaN })], pairs }),
    );
    const rows = table.groups.flatMap((group) => group.rows);
    const cells = (name: string) => rows.find((row) => row.name === name)?.cells;
    expect(cells("loss, train")?.map(({ value }) => value)).toEqual([0.0218, 0.0218]);
    expect(cells("accuracy, test")?.map(({ text, value }) => [text, value])).toEqual([
      ["50 %", 0.5],
      ["50 %", 0.5],
    ]);
    expect(cells("width at a rise of 1")?.[0]).toEqual({
      text: "1.5 [1.25, 2]",
      value: 1.5,
      range: [1.25, 2],
    });
    expect(cells("norm of the weights")?.map(({ text }) => text)).toEqual(["15", "–"]);
    expect(cells("distance to a")?.map(({ text }) => text)).toEqual(["–", "7"]);
    expect(cells("cosine with b")?.map(({ value }) => value)).toEqual([0.5, null]);
    expect(cells("first axis")?.[0]?.text).toBe("84 %");
    expect(cells("first axis, random walk")?.[0]?.text).toBe("70 %");
    for (const { definition, cells: own } of rows) {
      expect(own.length).toBe(2);
      if (definition !== null) expect(table.definitions[definition]?.length).toBeGreaterThan(20);
    }
    expect(new Set(table.definitions).size).toBe(table.definitions.length);
  });

  it("says that a width is a lower bound, leaves out what nobody has, and shows a loss that is no number", () => {
    const open = { rise: 1, median: 2, low: 2, high: 2, bySeed: Float64Array.of(2), open: 1 };
    const runs = [
      factsOf("a", {
        width: open,
        epsilonSharpness: null,
        scores: [{ set: "train", loss: Number.NaN, metrics: {} }],
      }),
      factsOf("b", { width: null, epsilonSharpness: null, scores: [{ set: "train", loss: 1, metrics: {} }] }),
    ];
    const rows = tableOf(createComparisonTable({ runs, pairs })).groups.flatMap((group) => group.rows);
    expect(rows.find(({ name }) => name.startsWith("width"))?.cells.map(({ text }) => text)).toEqual([
      "≥ 2 [2, 2]",
      "–",
    ]);
    expect(rows.some(({ name }) => name.includes("sharpness"))).toBe(false);
    expect(rows.find(({ name }) => name === "loss, train")?.cells[0]).toEqual({
      text: "NaN",
      value: "NaN",
      range: null,
    });
  });

  it("refuses no runs and pairs of other runs", () => {
    expect(() => createComparisonTable({ runs: [], pairs })).toThrow("runs: expected at least one run");
    expect(() => createComparisonTable({ runs: [factsOf("a")], pairs })).toThrow(
      "pairs: expected 1 × 1 pairs",
    );
  });
});

describe("tableCsv", () => {
  it("quotes what needs it and disarms what a spreadsheet would compute", () => {
    const names = [...HOSTILE, '+1,"x"', "@sum", "-2", "\tx"];
    for (const name of names) {
      const text = tableCsv(
        tableOf(createComparisonTable({ runs: [factsOf(name), factsOf("plain")], pairs })),
      );
      for (const line of text.split("\r\n")) {
        for (const field of fieldsOf(line)) {
          const isNumber = field !== "" && !Number.isNaN(Number(field));
          if (!isNumber) expect(field).not.toMatch(/^\s*[=+\-@]/);
        }
      }
    }
    expect(
      tableCsv(tableOf(createComparisonTable({ runs: [factsOf("=1+1"), factsOf('a"b,c')], pairs }))),
    ).toContain(`'=1+1,'=1+1: lower bound,'=1+1: upper bound,"a""b,c"`);
  });

  it("has all digits and the same number of fields in every line", () => {
    const loss = 0.1 + 0.2;
    const runs = [factsOf("a", { scores: [{ set: "train", loss, metrics: {} }] }), factsOf("b")];
    const lines = tableCsv(tableOf(createComparisonTable({ runs, pairs })))
      .trimEnd()
      .split("\r\n");
    expect(lines.find((line) => line.includes("loss, train"))).toContain("0.30000000000000004");
    expect(new Set(lines.map((line) => fieldsOf(line).length))).toEqual(new Set([9]));
  });
});

/** A reader of CSV of its own. */
function fieldsOf(line: string): string[] {
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,"]*))/g)].map(
    (match) => match[1]?.replaceAll('""', '"') ?? match[2] ?? "",
  );
}

describe("a table as HTML", () => {
  it("has caption, scopes and definitions, and no string of a run becomes markup", () => {
    const [a = "", b = ""] = HOSTILE;
    const html = figureHtml(createComparisonTable({ runs: [factsOf(a), factsOf(b)], pairs }), 3, "page");
    expect(html).not.toContain("<img");
    expect(html).toContain("&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;");
    expect(html).toContain("<caption");
    expect(html.match(/<th scope="col">/g)?.length).toBe(3);
    expect(html.match(/<th scope="row">/g)?.length).toBe(5 + 4 + 3 + 4 + 4 + 4);
    expect(html).toContain('href="#table-3-1"');
    expect(html).toContain('<li id="table-3-1">');
  });
});

describe("a table as a picture", () => {
  const texts = (runs: readonly ComparedFacts[], width?: number) => {
    const count = runs.length;
    const many = {
      distance: new Float64Array(count * count).fill(1),
      cosine: new Float64Array(count * count),
    };
    return layoutFigure(createComparisonTable({ runs, pairs: many }), width === undefined ? {} : { width });
  };

  it.each([
    [2, undefined],
    [4, undefined],
    [2, 360],
    [4, 600],
    [7, 700],
  ])("lets no text overlap another or leave it: %i runs, width %s", (count, width) => {
    const runs = Array.from({ length: count }, (_, i) => factsOf(`a run of a rather long name, number ${i}`));
    const layout = texts(runs, width);
    const boxes = layout.texts.map(({ text, x, y, size, weight, align }) => {
      const wide = textWidth(text, size, weight);
      const left = align === "left" ? x : align === "right" ? x - wide : x - wide / 2;
      return { text, left, right: left + wide, top: y - size / 2, bottom: y + size / 2 };
    });
    const outside = boxes.filter(
      (box) => box.left < 0 || box.right > layout.width || box.bottom > layout.height,
    );
    const touching = boxes.flatMap((a, i) =>
      boxes
        .slice(i + 1)
        .filter((b) => a.right > b.left && b.right > a.left && a.bottom > b.top && b.bottom > a.top)
        .map((b) => [a.text, b.text]),
    );
    expect([outside, touching]).toEqual([[], []]);
  });

  it("is an SVG and a PNG of the size it says", () => {
    const table = createComparisonTable({ runs: [factsOf("a"), factsOf("b")], pairs });
    const size = figureSize(table);
    const svg = renderSvg(figureOption(table, size), size);
    expect(svg).toContain("norm of the weights");
    const png = renderPng(svg, { scale: 1 });
    const view = new DataView(png.buffer, png.byteOffset);
    expect([view.getUint32(16), view.getUint32(20)]).toEqual([size.width, size.height]);
  });

  it("refuses a width without room for the columns, and a height without room for the rows", () => {
    const runs = [factsOf("a"), factsOf("b")];
    expect(() => layoutFigure(createComparisonTable({ runs, pairs }), { width: 200 })).toThrow(
      "width: expected at least",
    );
    expect(() => layoutFigure(createComparisonTable({ runs, pairs }), { height: 200 })).toThrow(
      "height: expected at least",
    );
  });
});
