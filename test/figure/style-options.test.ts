import { describe, expect, test } from "vitest";
import { mapColorsOf } from "../../src/figure/draw/palette.js";
import { FIGURE_PARTS, type Figure, type FigurePart } from "../../src/figure/figure.js";
import { type PictureStyle, STYLE_OPTION_NAMES, styleFigure } from "../../src/figure/files/picture-style.js";
import { styledPicture } from "../../src/figure/files/styled-picture.js";
import { inSpace } from "../../src/figure/space/surface-panel.js";
import { mapOf, placedMap } from "./panels.js";
import { decodePng } from "./png.js";
import { sampleFigure, valley } from "./sample-figures.js";

const figure = sampleFigure(valley);
const svgOf = (style: PictureStyle, of: Figure = figure): string => styledPicture(of, style).svg;
const textsOf = (svg: string): string[] =>
  [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map((match) => match[1] as string);
const sizeOf = (svg: string): readonly [width: number, height: number] => {
  const [, width, height] = /^<svg width="([\d.]+)(?:in)?" height="([\d.]+)/.exec(svg) ?? [];
  return [Number(width), Number(height)];
};
/** Width over height of a unit of the map's axes. */
const stretchOf = (style: PictureStyle): number => {
  const shown = styleFigure(figure, style);
  const { toPixel } = placedMap(shown, { width: 900 });
  const [a, b] = [toPixel([0, 0]), toPixel([1, 1])];
  return (b.x - a.x) / (a.y - b.y);
};
const scaleOf = (style: PictureStyle) => mapOf(styleFigure(figure, style)).scale;
const quantityOf = (svg: string): string => textsOf(svg).join("|");

/** What every option of the schema does to a picture: a new option needs a case, or this file does not compile. */
const CASES: Readonly<Record<keyof Required<PictureStyle>, () => void>> = {
  style() {
    expect(sizeOf(svgOf({ style: "paper" }))[0]).toBe(3.25);
    expect(sizeOf(svgOf({ style: "talk" }))).toEqual([13.3333, 7.5]);
    expect(textsOf(svgOf({ style: "paper" }))).not.toContain(figure.title);
    expect(textsOf(svgOf({ style: "page" }))).toContain(figure.title);
  },
  theme() {
    expect(svgOf({ theme: "light" })).toMatch(/<rect[^>]*fill="#ffffff"/);
    expect(svgOf({ theme: "dark" })).toMatch(/<rect[^>]*fill="#16181d"/);
  },
  width() {
    expect(sizeOf(svgOf({ width: 640 }))[0]).toBe(640);
    expect(sizeOf(svgOf({ style: "paper", width: "two-column" }))[0]).toBe(6.75);
  },
  height() {
    expect(sizeOf(svgOf({ height: 1200 }))[1]).toBe(1200);
    expect(sizeOf(svgOf({ style: "paper", height: "4in" }))[1]).toBe(4);
  },
  aspect() {
    expect(stretchOf({ aspect: "equal" })).toBeCloseTo(1, 6);
    expect(stretchOf({ aspect: "fill" })).not.toBeCloseTo(1, 2);
    const { rect } = placedMap(styleFigure(figure, { aspect: 2 }), { width: 900 });
    expect(rect.width / rect.height).toBeCloseTo(2, 6);
  },
  dpi() {
    const widths = [96, 192].map(
      (dpi) => decodePng(styledPicture(figure, { style: "paper", dpi }).png()).width,
    );
    expect(widths).toEqual([312, 624]);
  },
  fontSize() {
    const pxPerInch = (fontSize: number) =>
      Number(/viewBox="0 0 ([\d.]+)/.exec(svgOf({ style: "paper", fontSize }))?.[1]) / 3.25;
    // 12 px of the drawing are the size of type: half of them on an inch make type twice as large.
    expect(pxPerInch(6) / pxPerInch(9)).toBeCloseTo(1.5, 6);
  },
  font() {
    const font = "test/figure/fonts/proof-serif.ttf";
    expect(svgOf({ font })).toContain("font-family:'Proof Serif 2', Landscape Sans");
    expect(svgOf({})).not.toContain("Proof Serif 2");
  },
  fontBold() {
    const [font, fontBold] = ["", "-bold"].map((weight) => `test/figure/fonts/proof-serif${weight}.ttf`);
    const faces = (style: PictureStyle) => countOf(svgOf(style), /@font-face\{font-family:"Proof/g);
    expect([faces({ font }), faces({ font, fontBold })]).toEqual([1, 2]);
  },
  colormap() {
    const colors = mapColorsOf("magma", (mapOf(figure).scale?.levels.length ?? 0) + 1);
    const svg = svgOf({ colormap: "magma" });
    for (const color of colors) expect(svg).toContain(`"${color}"`);
    expect(svgOf({})).not.toContain(`"${colors[2]}"`);
  },
  levels() {
    expect(scaleOf({ levels: [0.1, 1, 10] })?.levels).toEqual([0.1, 1, 10]);
    const [few = 0, many = 0] = [3, 30].map((levels) => scaleOf({ levels })?.levels.length);
    expect(few).toBeLessThan(many);
    expect(textsOf(svgOf({ style: "paper", levels: [0.7, 7] }))).toContain("0.7");
  },
  vmin() {
    expect(scaleOf({ vmin: 2 })?.levels[0]).toBe(2);
    // Alone, too, and not only beside the other end.
    expect(scaleOf({ vmin: 2, lossScale: "linear" })?.levels[0]).toBe(2);
    expect(svgOf({ vmin: 2 })).toContain("Values below 2 have the colour of that end.");
  },
  vmax() {
    expect(scaleOf({ vmax: 7 })?.levels.at(-1)).toBe(7);
    expect(svgOf({ vmax: 7 })).toContain("Values above 7 have the colour of that end.");
  },
  lossScale() {
    for (const lossScale of ["linear", "log", "symlog"] as const)
      expect(scaleOf({ lossScale })?.kind).toBe(lossScale);
    expect(quantityOf(svgOf({ lossScale: "symlog" }))).toContain("training loss (symlog scale)");
    expect(quantityOf(svgOf({ lossScale: "linear" }))).not.toContain("scale)");
  },
  xlabel: () => expect(textsOf(svgOf({ xlabel: "first direction" }))).toContain("first direction"),
  ylabel: () => expect(textsOf(svgOf({ ylabel: "second direction" }))).toContain("second direction"),
  zlabel: () => expect(quantityOf(svgOf({ zlabel: "cross entropy" }))).toContain("cross entropy (log scale)"),
  isFaceted() {
    const surface = inSpace(figure) as Figure;
    const pixels = (isFaceted: boolean) =>
      /href="(data:image[^"]*)"/.exec(svgOf({ isFaceted, width: 400 }, surface))?.[1];
    expect(pixels(true)).not.toBe(pixels(false));
    expect(pixels(false)?.length).toBeGreaterThan(1000);
  },
  show: () => expect(hasPart("labels", svgOf({ show: ["labels"] }))).toBe(true),
  hide: () => expect(hasPart("legend", svgOf({ hide: ["legend"] }))).toBe(false),
};

const countOf = (svg: string, what: RegExp): number => svg.match(what)?.length ?? 0;
/** How often the darkest contour stands in a picture: on the map, in its inset and in the colour bar. */
const contours = (svg: string): number => countOf(svg, /fill="#7c4d87"/g);

/** Whether a picture of the sample, without its curves, shows a part. */
const PARTS: Readonly<Record<FigurePart, (svg: string) => boolean>> = {
  title: (svg) => textsOf(svg).includes(figure.title),
  verdict: (svg) => textsOf(svg).includes(figure.verdict ?? ""),
  caption: (svg) => quantityOf(svg).includes("Contours: "),
  legend: (svg) => textsOf(svg).includes("start"),
  colorbar: (svg) => quantityOf(svg).includes("training loss (log scale)"),
  curves: (svg) => textsOf(svg).includes("Loss along the path"),
  path: (svg) => /<polygon[^>]*fill="#0072b2"|<path[^>]*fill="#0072b2"/.test(svg),
  isolines: (svg) => /<path[^>]*fill="none"[^>]*stroke="#000"|<path[^>]*stroke="#000000"/.test(svg),
  // The line about sources has letters of that size, too.
  labels: (svg) => /<text[^>]*font-size:11px[^>]*>[\d.]+</.test(svg),
  minimum: (svg) => textsOf(svg).includes("least value of the grid"),
  values: (svg) => textsOf(svg).includes("end, with true loss"),
  // Its contours are those of the map once more.
  inset: (svg) => contours(svg) > 2,
};
const hasPart = (part: FigurePart, svg: string): boolean => PARTS[part](svg);

describe("every option of the schema", () => {
  test("has a case", () => {
    expect(Object.keys(CASES).sort()).toEqual(Object.keys(STYLE_OPTION_NAMES).sort());
  });

  test.each(Object.entries(CASES))("%s changes the picture as it says", (_, check) => check());
});

test("ends of a colour bar have the digits of levels that lie close together", () => {
  const nearlyFlat = sampleFigure((a) => 0.291274 + 1.03e-5 * (a + 4));
  expect(textsOf(svgOf({}, nearlyFlat))).toEqual(expect.arrayContaining(["0.29127", "0.29144"]));
});

describe("every part", () => {
  /** Where a part can be told from the others: curves have strokes like isolines, and a map alone needs no inset. */
  const beside = (part: FigurePart): FigurePart[] =>
    part === "curves" || part === "inset" ? [] : ["curves"];

  test.each(FIGURE_PARTS)("%s is drawn, and is not where it is hidden", (part) => {
    const labels: FigurePart[] = part === "labels" ? ["labels"] : [];
    expect(hasPart(part, svgOf({ show: labels, hide: beside(part) }))).toBe(true);
    expect(hasPart(part, svgOf({ hide: [part, ...beside(part)] }))).toBe(false);
    expect(hasPart(part, svgOf({ style: "paper", width: "two-column", show: [part] }))).toBe(true);
  });

  test("can be left out with all others: the colours of the map stay", () => {
    const bare = svgOf({ hide: FIGURE_PARTS });
    for (const part of FIGURE_PARTS) expect(hasPart(part, bare), part).toBe(false);
    expect(contours(bare)).toBe(1);
  });
});
