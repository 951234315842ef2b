import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, type TestContext, test } from "vitest";
import { mapColors } from "../../src/figure/draw/legend.js";
import { COLOR_MAPS, mapColorsOf, themeOf } from "../../src/figure/draw/palette.js";
import { createContourScale, heightOf } from "../../src/figure/draw/scales.js";
import type { Figure, MapPanel } from "../../src/figure/figure.js";
import {
  checkStyle,
  type PictureStyle,
  readStyleFile,
  resolveStyle,
  styleFigure,
} from "../../src/figure/files/picture-style.js";
import { renderHtml } from "../../src/figure/files/render-html.js";
import { MISSING, withKnownLetters } from "../../src/figure/files/render-picture.js";
import { styledPicture, texOf } from "../../src/figure/files/styled-picture.js";
import { endSentence, verdictOf } from "../../src/figure/make/verdict.js";
import { inSpace } from "../../src/figure/space/surface-panel.js";
import { contrast, luminance } from "./contrast.js";
import { decodePng } from "./png.js";
import { arc, sampleFigure, samplePath, stepped, valley } from "./sample-figures.js";

const figure = sampleFigure(valley);
const folder = mkdtempSync(join(tmpdir(), "style-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const paper: PictureStyle = { style: "paper" };
const textsOf = (svg: string): string[] =>
  [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map((match) => match[1] as string);
const sizeOf = (svg: string): RegExpExecArray =>
  /^<svg width="([\d.]+)(in)?" height="([\d.]+)/.exec(svg) as RegExpExecArray;

/** Leaves a test out where poppler's tools are missing; under CI=true that is a failure. */
function needPoppler(context: TestContext): void {
  if (spawnSync("pdftoppm", ["-v"]).error === undefined) return;
  const reason = "no pdftoppm: install Debian's package poppler-utils";
  if (process.env.CI === "true") throw new Error(reason);
  context.skip(reason);
}

describe("sizes", () => {
  test.each([
    [{ style: "paper" }, 3.25],
    [{ style: "paper", width: "two-column" }, 6.75],
    [{ style: "paper", width: "82mm" }, 3.2283],
    [{ style: "paper", width: 5 }, 5],
    [{ style: "talk" }, 13.3333],
  ] as const)("%j is so many inches wide, with type of 8 or 18 pt", (style, inches) => {
    const { svg } = styledPicture(figure, style);
    const [, width, unit] = sizeOf(svg);
    expect([Number(width), unit]).toEqual([inches, "in"]);
    const px = Number(/viewBox="0 0 ([\d.]+)/.exec(svg)?.[1]);
    // Tick labels have 12 px.
    const points = (12 / px) * inches * 72;
    expect(points).toBeCloseTo(style.style === "talk" ? 18 : 8, 2);
  });

  test("a page keeps px, and a size of type in points changes what fits", () => {
    expect(sizeOf(styledPicture(figure, { width: 600 }).svg)[2]).toBeUndefined();
    expect(resolveStyle({ ...paper, fontSize: 6 }).draw.width).toBeCloseTo((3.25 * 72 * 12) / 6, 6);
  });

  test("PNG has the resolution that is asked for, in pixels and in its header", () => {
    const png = Buffer.from(styledPicture(figure, { ...paper, dpi: 100 }).png());
    expect(decodePng(png).width).toBe(325);
    const at = png.indexOf("pHYs");
    expect(png.readUInt32BE(at + 4)).toBe(Math.round(100 / 0.0254));
  });
});

describe("PDF", () => {
  test("has the picture's size, its font embedded and, rendered, looks like the SVG", async (context) => {
    needPoppler(context);
    const picture = styledPicture(figure, { ...paper, dpi: 144 });
    const file = join(folder, "plot.pdf");
    writeFileSync(file, await picture.pdf());
    const fonts = execFileSync("pdffonts", [file], { encoding: "utf8" }).trim().split("\n").slice(2);
    expect(fonts.length).toBeGreaterThan(0);
    // Columns from the right: object (two), unicode, subset, embedded.
    for (const line of fonts)
      expect(line.trim().split(/\s+/).slice(-5, -2), line).toEqual(["yes", "yes", "yes"]);
    execFileSync("pdftoppm", ["-r", "144", "-png", "-singlefile", file, join(folder, "plot")]);
    const [drawn, wanted] = [decodePng(readFileSync(join(folder, "plot.png"))), decodePng(picture.png())];
    expect(Math.abs(drawn.width - wanted.width)).toBeLessThanOrEqual(1);
    expect(Math.abs(drawn.height - wanted.height)).toBeLessThanOrEqual(1);
    let different = 0;
    const [width, height] = [Math.min(drawn.width, wanted.width), Math.min(drawn.height, wanted.height)];
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const [a, b] = [drawn.at(x, y), wanted.at(x, y)];
        if (Math.max(...a.slice(0, 3).map((value, i) => Math.abs(value - (b[i] as number)))) > 90)
          different++;
      }
    }
    expect(different / (width * height)).toBeLessThan(0.02);
  });

  test("is the same bytes twice", async () => {
    const [a, b] = [await styledPicture(figure, paper).pdf(), await styledPicture(figure, paper).pdf()];
    expect(Buffer.from(a).equals(Buffer.from(b))).toBe(true);
  });
});

describe("captions", () => {
  test("stand beside a paper and not in it, with the ratio of units where it is not one", () => {
    const { svg, captions } = styledPicture(figure, { ...paper, aspect: "fill" });
    expect(textsOf(svg).join(" ")).not.toContain("Contours:");
    expect(captions?.txt).toContain("Contours: ");
    expect(captions?.txt).toMatch(/A unit is [\d.]+ times as long on the (vertical|horizontal) axis/);
    expect(styledPicture(figure, paper).captions?.txt).not.toContain("times as long");
    expect(styledPicture(figure, {}).captions).toBeNull();
  });

  test("are LaTeX, with what means something there in its words", () => {
    expect(texOf("50 % of θ_0 & 3 × 10⁻⁵ {x}")).toBe(
      "50 \\% of $\\theta$\\_0 \\& 3 $\\times$ 10$^{-5}$ \\{x\\}",
    );
    expect(styledPicture(figure, paper).captions?.tex).toMatch(/^%.*\n\\caption\{/);
  });
});

describe("each option changes the picture", () => {
  const plain = styledPicture(figure, paper).svg;
  const mapOf = (style: PictureStyle): MapPanel => styleFigure(figure, style).panels[0] as MapPanel;

  test.each([
    { theme: "dark" },
    { width: "two-column" },
    { height: 4 },
    { aspect: 2 },
    { fontSize: 7 },
    { colormap: "magma" },
    { levels: 5 },
    { levels: [2, 20] },
    { vmin: 12 },
    { vmax: 20 },
    { lossScale: "linear" },
    { lossScale: "symlog" },
    { xlabel: "first direction" },
    { ylabel: "second direction" },
    { zlabel: "cross entropy" },
    { show: ["minimum"] },
    { hide: ["legend"] },
  ] as const satisfies readonly PictureStyle[])("%j", (style) => {
    expect(styledPicture(figure, { ...paper, ...style }).svg).not.toBe(plain);
  });

  test("levels, range and scale are those that are asked for", () => {
    expect(mapOf({ levels: [1, 10] }).scale?.levels).toEqual([1, 10]);
    const { levels = [] } = mapOf({ vmin: 2, vmax: 30 }).scale ?? {};
    expect([levels[0], levels.at(-1)]).toEqual([2, 30]);
    expect(mapOf({ lossScale: "symlog" }).scale).toMatchObject({ kind: "symlog" });
    expect(styleFigure(figure, { vmax: 30 }).caption).toContain(
      "Values above 30 have the colour of that end.",
    );
  });

  test("labels stand on the isolines, and each part can be left out", () => {
    const labels = textsOf(plain);
    const levels = (mapOf(paper).scale?.levels ?? []).map(String);
    expect(labels.filter((text) => levels.includes(text)).length).toBeGreaterThan(3);
    const bare = styledPicture(figure, {
      ...paper,
      hide: ["legend", "colorbar", "labels", "path", "isolines"],
    }).svg;
    expect(textsOf(bare)).not.toContain("start");
    expect(plain).toContain("font-size:11px");
    expect(bare).not.toContain("font-size:11px");
    expect(bare).not.toContain('fill="#0072b2"');
  });

  test("a legend explains a drop of the learning rate where it is in sight, or an upright line is", () => {
    const points = arc(13, [9, 3]);
    const end = points.at(-1) as [number, number];
    const path = (from: number) =>
      samplePath(
        "SGD",
        points.map((at, i) => (i < from ? at : end)),
        valley,
        stepped(13),
      );
    const lowered = (from: number, style: PictureStyle, of = (one: Figure) => one) =>
      textsOf(styledPicture(of(sampleFigure(valley, { paths: [path(from)] })), style).svg).includes(
        "learning rate lowered",
      );
    const asSurface = (one: Figure) => inSpace(one) as Figure;
    // All drops lie under the star of the end from the first of them on.
    expect([lowered(13, paper), lowered(5, paper), lowered(5, {})]).toEqual([true, false, true]);
    expect([lowered(13, paper, asSurface), lowered(5, paper, asSurface)]).toEqual([true, false]);
  });

  test("an end of the colour bar names the value there, and none that lies between the levels", () => {
    const [map] = figure.panels as readonly [MapPanel];
    const values = (map.values ?? []).map(Number);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const endsWith = (levels: readonly number[]) =>
      mapColors({ ...map, scale: { kind: "linear", levels } })?.ends;
    expect(endsWith([low + 0.1 * (high - low), high - 0.1 * (high - low)])).toEqual([low, high]);
    // Levels that are common with a map of a wider range.
    expect(endsWith([low - 1, low + 0.1, high - 0.1])).toEqual([null, high]);
    expect(endsWith([low + 0.1, high + 1])).toEqual([low, null]);
  });

  test("a faceted surface is another picture, and the map stays as it is", () => {
    const surface = inSpace(figure) as Figure;
    expect(styledPicture(surface, { isFaceted: true }).svg).not.toBe(styledPicture(surface, {}).svg);
    expect(styledPicture(figure, { isFaceted: true }).svg).toBe(styledPicture(figure, {}).svg);
    expect(() => checkStyle({ isFaceted: "yes" as never })).toThrow("isFaceted: expected true or false");
  });

  test("what cannot be used is refused by name", () => {
    expect(() => checkStyle({ width: "wide" })).toThrow(/width: expected a length: one-column/);
    expect(() => checkStyle({ style: "paper", width: 1100 })).toThrow(
      /width: expected inches for the style "paper"/,
    );
    expect(() => checkStyle({ vmin: 3, vmax: 2 })).toThrow("vmax: expected a number above vmin, 3, got 2");
    for (const end of ["vmin", "vmax"]) {
      expect(() => checkStyle({ lossScale: "log", [end]: 0 })).toThrow(
        `${end}: expected a number above 0 on a logarithmic scale, got 0`,
      );
    }
    expect(() => checkStyle({ vmin: Infinity })).toThrow("vmin: expected a finite number, got Infinity");
    expect(() => checkStyle({ fontSize: 1 }, "--")).toThrow("--font-size: expected a size of 4 to 72");
    expect(() => checkStyle({ show: ["path"], hide: ["path"] })).toThrow(
      'show: expected no part that is hidden as well, got "path"',
    );
    expect(() => checkStyle({ levels: [2, 1] })).toThrow(/levels: expected a number of levels/);
    expect(() => checkStyle({ colormap: "jet" as "viridis" })).toThrow(/colormap: expected one of viridis/);
    expect(() => styleFigure(figure, { lossScale: "log", levels: [-1, 1] })).toThrow(
      /levels: expected levels above 0/,
    );
  });

  test("a style file has the same options, and an unknown one is refused", () => {
    const file = join(folder, "style.json");
    writeFileSync(file, JSON.stringify({ style: "paper", colormap: "cividis" }));
    expect(readStyleFile(file)).toEqual({ style: "paper", colormap: "cividis" });
    writeFileSync(file, JSON.stringify({ colourmap: "cividis" }));
    expect(() => readStyleFile(file)).toThrow(/did you mean colormap/);
    writeFileSync(file, "[]");
    expect(() => readStyleFile(file)).toThrow(/expected an object of options/);
  });
});

describe("colours", () => {
  test.each(["light", "dark"] as const)(
    "of runs have a contrast of 3 : 1 at least to the background, %s",
    (name) => {
      const { runs, background } = themeOf(name);
      for (const color of runs) {
        expect(contrast(color, background), color).toBeGreaterThanOrEqual(3);
      }
    },
  );

  test.each(COLOR_MAPS)("%s is ordered in lightness", (name) => {
    const lights = mapColorsOf(name, 32).map(luminance);
    lights.forEach((light, i) => {
      if (i > 0) expect(light).toBeGreaterThan(lights[i - 1] as number);
    });
  });

  test("viridis and cividis begin and end as matplotlib's do", () => {
    const ends = (name: "viridis" | "cividis"): string[] =>
      [mapColorsOf(name, 2)[0], mapColorsOf(name, 2)[1]] as string[];
    expect(ends("viridis")).toEqual(["#440154", "#fde725"]);
    expect(ends("cividis")[0]).toMatch(/^#00[12][0-9a-f]5[0-9a-f]$/);
  });
});

test("a symmetric logarithmic scale has levels on both sides of zero", () => {
  const scale = createContourScale([[-50, 50]], { kind: "symlog" });
  expect(scale.levels).toEqual([-30, -10, -3, -1, -0.3, -0.1, 0, 0.1, 0.3, 1, 3, 10, 30]);
  const height = heightOf(scale);
  expect(height(-7)).toBe(-height(7));
  expect(height(0)).toBe(0);
});

describe("letters that the font lacks", () => {
  const names = ["训练一", "تدريب", "🚀 run"];
  const foreign: Figure = sampleFigure(valley, {
    paths: names.map((name, i) => samplePath(name, arc(3, [3 + i, 2]), valley)),
  });

  test("stay on the page, as text that a reader's own fonts show", () => {
    const html = renderHtml({ title: names.join(" "), figures: [foreign] });
    const [, title] = /<h1>([^<]*)</.exec(html) ?? [];
    expect(title).toBe(names.join(" "));
    // In the table of snapshots, and in the data that the legend is made of.
    for (const name of names) expect(html.split(name).length).toBeGreaterThan(3);
  });

  test("stay in SVG, and are boxes in PNG and PDF, as the caption says", () => {
    const { svg, captions } = styledPicture(foreign, paper);
    for (const name of names) expect(svg).toContain(name);
    const known = withKnownLetters(svg);
    expect(known).toContain(`${MISSING}${MISSING}${MISSING}<`);
    expect(known).toContain(`${MISSING} run<`);
    expect(captions?.txt).toContain(`show ${MISSING} instead`);
  });
});

describe("verdicts", () => {
  const run = (name: string, losses: readonly number[], plane: readonly number[], share: number) =>
    ({
      name,
      color: 0,
      step: [0, 1, 2],
      epoch: [0, 1, 2],
      iteration: [0, 1, 2],
      drops: [],
      columns: [
        { name: "true loss", form: "number", values: losses },
        { name: "loss on the plane", form: "number", values: plane },
        { name: "distance held by the plane", form: "share", values: [share, share, 1] },
      ],
    }) as const;
  const paths = [0, 1].map((index) => ({
    run: index,
    at: [
      [3, 1],
      [1, 1],
      [0, 0],
    ],
  }));
  const sgd = run("SGD", [2, 1, 0.022], [2.6, 1.9, 0.022], 0.6);
  const adam = run("Adam", [2, 1, 0.014], [2, 1.01, 0.014], 0.9);

  test("name the run that ends lower, and for whom the plane is faithful", () => {
    expect(verdictOf([sgd, adam], paths)).toBe(
      "Adam ends lower, 0.014 against 0.022; the plane is faithful for Adam, not for SGD.",
    );
    expect(verdictOf([adam], paths.slice(0, 1))).toBe(
      "The true loss falls from 2 to 0.014; the plane is faithful.",
    );
  });

  test("compare on the scale of the picture: ten times the loss is no small gap where decades are shown", () => {
    const late = run("SGD", [2, 0.02, 0.02], [2, 0.2, 0.02], 0.9);
    expect(verdictOf([late], paths.slice(0, 1))).toContain("the plane is faithful.");
    expect(verdictOf([late], paths.slice(0, 1), "log")).toContain("the plane is rough.");
    expect(verdictOf([adam], paths.slice(0, 1), "log")).toContain("the plane is faithful.");
  });

  test("count a loss that is not above 0 on a logarithmic scale as one far off, not as one that is not known", () => {
    const zero = run("SGD", [2, 0.2, 0.02], [2, 0.2, 0], 0.9);
    expect(verdictOf([zero], paths.slice(0, 1), "log")).toContain("the plane is rough.");
    const both = run("SGD", [2, 0.2, 0], [2, 0.2, 0], 0.9);
    expect(verdictOf([both], paths.slice(0, 1), "log")).toContain("the plane is faithful.");
    const infinite = run("SGD", [2, 1, 0.02], [2, Number.POSITIVE_INFINITY, 0.02], 0.9);
    expect(verdictOf([infinite], paths.slice(0, 1))).toContain("the plane is rough.");
  });

  test("begin with a plane that is poor", () => {
    const poor = [run("SGD", [2, 1, 0.02], [2, 1, 0.02], 0.1), run("Adam", [2, 1, 0.01], [2, 1, 0.01], 0.2)];
    expect(verdictOf(poor, paths)).toBe(
      "Poor plane: it holds under 25 % of the squared distances of 2 of 2 runs at the median snapshot; Adam ends lower, 0.01 against 0.02.",
    );
  });

  test("say nothing that is not known", () => {
    expect(endSentence([{ ...sgd, columns: [] }, adam])).toBe("");
    expect(verdictOf([{ ...sgd, columns: [] }], paths.slice(0, 1))).toBe("");
  });
});
