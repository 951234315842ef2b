import { describe, expect, test } from "vitest";
import { figureOption, figureSize, layoutFigure } from "../../src/figure/draw/layout-figure.js";
import { surfaceColors } from "../../src/figure/draw/palette.js";
import { textWidth } from "../../src/figure/draw/placed-text.js";
import type { Figure } from "../../src/figure/figure.js";
import { renderPng, renderSvg } from "../../src/figure/files/render-picture.js";
import { mapOf, placedMap, pointsOf } from "./panels.js";
import { decodePng } from "./png.js";
import { arc, bowl, sampleFigure, samplePath, stepped, valley } from "./sample-figures.js";

/** Without the inset, which would cover places that are looked at. */
const figure: Figure = { ...sampleFigure(valley), hidden: ["labels", "inset"] };
const size = figureSize(figure);
const svg = renderSvg(figureOption(figure), size);

/** Text content of an SVG's text elements. */
function texts(document: string): string[] {
  return [...document.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map((match) => match[1] as string);
}

describe("renderSvg", () => {
  test("holds title, axes, levels, legend, fidelity, caption and provenance as text", () => {
    const all = texts(svg).join("\n").replaceAll("&#39;", "'");
    for (const text of [
      figure.title,
      mapOf(figure).axes[0].title,
      mapOf(figure).axes[1].title,
      "0.05",
      "learning rate lowered",
      "epoch",
    ]) {
      expect(all).toContain(text);
    }
    for (const text of [...figure.fidelity, figure.caption, figure.provenance]) {
      expect(all.replaceAll("\n", " ")).toContain(text);
    }
  });

  test.each([280, 390, 520, 719, 720, 760, 1100])("keeps every text inside a picture %i px wide", (width) => {
    const options = { width };
    const document = renderSvg(figureOption(figure, options), figureSize(figure, options));
    const level =
      /<text[^>]*text-anchor="(\w+)" style="font-size:([\d.]+)px[^>]*translate\(([\d.]+) [\d.]+\)[^>]*>([^<]*)</g;
    const found = [...document.matchAll(level)];
    expect(found.length).toBeGreaterThan(30);
    for (const [, anchor, fontSize, x, text = ""] of found) {
      const wide = textWidth(text.replaceAll("&#39;", "'"), Number(fontSize), "semibold");
      const start = Number(x) - (anchor === "start" ? 0 : anchor === "middle" ? wide / 2 : wide);
      expect(start, text).toBeGreaterThan(-1);
      // Regular text is up to 4 % narrower than the semibold that is reckoned with here.
      expect(start + wide * 0.97, text).toBeLessThanOrEqual(width);
    }
  });

  test("carries its font and asks for nothing else", () => {
    expect(svg).toContain('@font-face{font-family:"Landscape Sans"');
    expect(svg.match(/(?:href|src)="?(?!#)[^"]*http|url\((?!data:font|#)/)).toBeNull();
    expect(svg.length).toBeLessThan(250_000);
  });

  test("gives the same text for the same figure, however often", () => {
    expect(renderSvg(figureOption(figure), size)).toBe(svg);
    expect(svg).not.toMatch(/zr\d+-|ecmeta/);
  });

  test("stays well-formed with hostile names (an XML parser reads it to draw the PNG)", () => {
    const hostile = `</text><script>alert(1)</script>"'&amp; ]]> \u0000\u001b zr0-c0 id="zr1-c0" <!--`;
    const evil = sampleFigure(valley, {
      title: hostile,
      lossName: hostile,
      paths: [samplePath(hostile, arc(3, [3, 2]), valley), samplePath(hostile, arc(3, [2, 2]), valley)],
    });
    const document = renderSvg(figureOption(evil), figureSize(evil));
    expect(document).not.toContain("<script");
    expect(renderPng(document, { scale: 1 }).length).toBeGreaterThan(10_000);
    expect(texts(document).join(" ")).toContain("zr0-c0");
    expect(texts(document).join(" ")).toContain("id=&quot;zr1-c0&quot;");
  });

  test("refuses a size that is none", () => {
    expect(() => renderSvg(figureOption(figure), { width: 0, height: 10 })).toThrow(
      /width: expected a positive number of px, got 0/,
    );
    expect(() => renderSvg(figureOption(figure), { width: 10, height: Number.NaN })).toThrow(
      /height: .*got NaN/,
    );
  });
});

describe("renderPng", () => {
  const scale = 2;
  const { toPixel } = placedMap(figure);
  const levels = mapOf(figure).scale?.levels ?? [];
  const picture = decodePng(renderPng(svg, { scale }));

  /** Red, green and blue at a place of the plane. */
  function colorAt(alpha: number, beta: number): string {
    const { x, y } = toPixel([alpha, beta]);
    return hex(picture.at(x * scale, y * scale));
  }

  test("has the asked size and is the same every time", () => {
    expect([picture.width, picture.height]).toEqual([size.width * scale, size.height * scale]);
    expect(Buffer.from(renderPng(svg, { scale }))).toEqual(Buffer.from(renderPng(svg, { scale })));
  });

  test("shows start, snapshots, drops of the learning rate and end where they are", () => {
    const points = pointsOf(figure);
    for (const [index, point] of points.entries()) {
      const color = index === 0 ? "#ffffff" : point.rateDropped ? "#d00000" : "#0072b2";
      expect(colorAt(Number(point.alpha), Number(point.beta)), `snapshot ${index}`).toBe(color);
    }
    expect(points.filter((point) => point.rateDropped).length).toBe(2);
  });

  test("shows the whole star also where a drop of the learning rate lies on the end", () => {
    const path = samplePath(
      "SGD",
      [
        [9, 4],
        [2, 1],
        [0.01, 0],
        [0, 0],
      ],
      valley,
      (index) => ({ learningRate: index < 2 ? 0.1 : 0.01 }),
    );
    const near = sampleFigure(valley, { paths: [path] });
    const drawn = decodePng(renderPng(renderSvg(figureOption(near), figureSize(near)), { scale }));
    const { x, y } = placedMap(near).toPixel([0, 0]);
    expect(hex(drawn.at(x * scale, y * scale))).toBe("#0072b2");
    expect(hex(drawn.at(x * scale, (y - 7.5) * scale))).toBe("#0072b2");
  });

  test("fills each place with the colour of its level, rows over beta", () => {
    const colors = surfaceColors(levels.length + 1);
    for (const [a, b] of [
      [-3.7, -4.2],
      [11.6, -4.6],
      [11.5, 5.5],
      [-3.5, 5.5],
      [1, 5.9],
      [5, -2],
    ] as const) {
      const band = levels.filter((level) => valley(a, b) >= level).length;
      expect(colorAt(a, b), `(${a}, ${b})`).toBe(colors[band]);
    }
  });

  test("draws text: the title's place is not blank", () => {
    const title = layoutFigure(figure).texts[0];
    let dark = 0;
    for (let x = 20; x < 300; x++) {
      const [r = 255] = picture.at(x * scale, (title?.y ?? 0) * scale);
      if (r < 100) dark++;
    }
    expect(dark).toBeGreaterThan(30);
  });

  test("hatches grey where the loss is not finite", () => {
    const holed = sampleFigure((a, b) => (a > 8 && b < -2 ? Number.NaN : bowl(a, b)));
    const drawn = decodePng(renderPng(renderSvg(figureOption(holed), figureSize(holed)), { scale: 1 }));
    const { toPixel: place } = placedMap(holed);
    const seen = new Set<string>();
    for (let step = 0; step < 12; step++) {
      const { x, y } = place([10, -4]);
      seen.add(hex(drawn.at(x + step, y)));
    }
    expect(seen.has("#d0d0d0")).toBe(true);
    expect(seen.size).toBeGreaterThan(1);
    for (const color of seen) expect(color).toMatch(/^#(..)\1\1$/);
  });

  test("draws two runs in two colours", () => {
    const two = sampleFigure(valley, {
      paths: [
        samplePath("SGD", arc(9, [9, 4]), valley, stepped(9)),
        samplePath("Adam", arc(9, [8, -4]), valley),
      ],
    });
    const drawn = decodePng(renderPng(renderSvg(figureOption(two), figureSize(two)), { scale: 1 }));
    const { toPixel: place } = placedMap(two);
    const at = (path: number, index: number): string => {
      const point = pointsOf(two, path)[index];
      const { x, y } = place([point?.alpha ?? Number.NaN, point?.beta ?? Number.NaN]);
      return hex(drawn.at(x, y));
    };
    expect(at(0, 2)).toBe("#0072b2");
    expect(at(1, 2)).toBe("#d17b25");
  });

  test("refuses a scale that is none", () => {
    expect(() => renderPng(svg, { scale: 0 })).toThrow(/scale: expected a number in \(0, 16\], got 0/);
  });
});

function hex(color: readonly number[]): string {
  return `#${color
    .slice(0, 3)
    .map((value) => value.toString(16).padStart(2, "0"))
    .join("")}`;
}
