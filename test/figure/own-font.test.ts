import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { styleOf } from "../../src/cli/pictures.js";
import { currentFont, encodeWidths, lackingIn, type OwnFont, withFont } from "../../src/figure/draw/font.js";
import { textWidth } from "../../src/figure/draw/placed-text.js";
import type { Figure } from "../../src/figure/figure.js";
import { renderGif } from "../../src/figure/files/encode-gif.js";
import { fontFaceCss, pageFontCss } from "../../src/figure/files/font-files.js";
import { readOwnFont } from "../../src/figure/files/own-font.js";
import { checkStyle, readStyleFile } from "../../src/figure/files/picture-style.js";
import { renderHtml } from "../../src/figure/files/render-html.js";
import { renderWebp } from "../../src/figure/files/render-movie.js";
import {
  MISSING,
  rasterize,
  withFilledGaps,
  withKnownLetters,
} from "../../src/figure/files/render-picture.js";
import { styledPicture } from "../../src/figure/files/styled-picture.js";
import { inSpace } from "../../src/figure/space/surface-panel.js";
import { needChromium, useChromium } from "./chromium.js";
import { readAdvances } from "./open-type.js";
import { arc, sampleFigure, samplePath, valley } from "./sample-figures.js";

const folder = mkdtempSync(join(tmpdir(), "font-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const chromium = useChromium();

const [font, fontBold] = ["", "-bold"].map((weight) => `test/figure/fonts/proof-serif${weight}.ttf`) as [
  string,
  string,
];
const own = { font, fontBold };
const regular = readFileSync(font);
/** With a θ and an arrow, which the font lacks, and an é, which it has. */
const paths = ["Adam θ→é", "SGD"].map((name, i) => samplePath(name, arc(4, [3 + i, 2]), valley));
const figure = sampleFigure(valley, { paths });
const fileOf = (name: string, bytes: Uint8Array | string): string => {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
};

describe("widths", () => {
  test.each([
    ["regular", font],
    ["semibold", fontBold],
  ] as const)("of %s text are those of its file", (weight, path) => {
    const advances = readAdvances(readFileSync(path));
    withFont(readOwnFont(own), () => {
      for (const [code, width] of advances)
        expect(textWidth(String.fromCodePoint(code), 10, weight)).toBeCloseTo(10 * width, 9);
    });
    // The package's font before and after, and for what the file lacks.
    const theta = textWidth("θ", 10, weight);
    expect(withFont(readOwnFont(own), () => textWidth("θ", 10, weight))).toBe(theta);
    expect(currentFont()).toBeNull();
  });

  test("are those that the renderer draws, of a text that the package's font completes too", () => {
    for (const text of ["HPC 1: 83.2 % of variance H", "Hθ→H"]) {
      const style = "font-size:40px;font-family:'Proof Serif 2', Landscape Sans";
      const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="900" height="60"><text x="10" y="40" style="${style}">${text}</text></svg>`;
      withFont(readOwnFont(own), () => {
        const { width, pixels } = rasterize(svg, 1);
        const columns = [...pixels.keys()].filter((i) => i % 4 === 3 && pixels[i] !== 0);
        const right = Math.max(...columns.map((i) => Math.floor(i / 4) % width));
        expect(Math.abs(right - 10 - textWidth(text, 40))).toBeLessThan(4);
      });
    }
  });
});

test("letters that fill gaps stand behind the signs that SVG writes as entities", () => {
  const asked = readOwnFont(own);
  withFont(asked, () => {
    const svg = '<text x="10" style="font-size:40px">R&amp;D &lt;1&gt; &quot;a&#39;θ</text>';
    const [, place] =
      /<tspan x="([\d.]+)" style="font-family:Landscape Sans">θ/.exec(withFilledGaps(svg, asked)) ?? [];
    expect(Number(place)).toBeCloseTo(10 + textWidth("R&D <1> \"a'", 40), 2);
  });
});

describe("a font whose bold letters are fewer", () => {
  const widthsOf = (text: string): string =>
    encodeWidths([...text].map((letter) => [letter.codePointAt(0) as number, 500]));
  const fewer: OwnFont = {
    family: "Fewer",
    widths: { regular: widthsOf("Aθ網"), semibold: widthsOf("A") },
    unitsPerEm: { regular: 1000, semibold: 1000 },
  };

  test("lacks what one of them lacks: titles need the package's font for it", () => {
    expect(lackingIn(fewer, "Aθ A")).toEqual(["θ"]);
  });

  test("shows a box in titles where no font has the letter, and the letter elsewhere", () => {
    const svg = `<text style="font-weight:600">A網</text><text style="font-size:12px">A網</text>`;
    expect(withFont(fewer, () => withKnownLetters(svg))).toBe(svg.replace("網", MISSING));
  });
});

test("a page has the package's font for numbers that its script writes", () => {
  withFont(readOwnFont(own), () => {
    expect(fontFaceCss("Runs")).not.toContain("Landscape Sans");
    expect(pageFontCss("Runs")).toContain('font-family:"Landscape Sans"');
  });
  expect(pageFontCss("Runs")).toBe(fontFaceCss("Runs"));
});

describe("pictures", () => {
  const pictureOf = (style: object, of: Figure = figure) => styledPicture(of, { ...style, ...own });

  test("carry the font, and the package's where it lacks a letter, by which the caption names them", () => {
    const { svg, captions } = pictureOf({ style: "paper" });
    const faces = [...svg.matchAll(/@font-face\{font-family:"([^"]*)";font-weight:(\d+)/g)];
    expect(faces.map(([, family, weight]) => `${family} ${weight}`)).toEqual([
      "Proof Serif 2 400",
      "Proof Serif 2 600",
      "Landscape Sans 400",
      "Landscape Sans 600",
    ]);
    expect(svg).toContain(regular.toString("base64"));
    expect(captions?.txt).toContain("Characters that Proof Serif 2 lacks are in Landscape Sans: θ →.");
    const plain = pictureOf({ style: "paper" }, sampleFigure(valley));
    expect(plain.svg).not.toContain('font-family:"Landscape Sans"');
    expect(plain.captions?.txt).not.toContain("lacks");
  });

  test("are laid out by its widths: a legend's entry stands further right behind longer words", () => {
    const placeOf = (svg: string): number =>
      Number(/translate\(([\d.]+) [\d.]+\)"[^>]*>end, with true loss</.exec(svg)?.[1]);
    const [plain, serif] = [styledPicture(figure, {}).svg, pictureOf({}).svg].map(placeOf);
    expect(serif).toBeGreaterThan((plain as number) + 3);
  });

  test("of one font file have its letters in titles too, and differ from those of two", () => {
    const one = styledPicture(figure, { font, width: 500 });
    expect(one.svg).toContain('font-family:"Proof Serif 2";font-weight:1 1000');
    expect(Buffer.compare(one.png(), pictureOf({ width: 500 }).png())).not.toBe(0);
  });

  test("have the bold file's letters in titles whatever weight it says, or it is refused", () => {
    const saying = (weight: number): string => {
      const bytes = readFileSync(fontBold);
      bytes.writeUInt16BE(weight, bytes.readUInt32BE(bytes.indexOf("OS/2", 12, "latin1") + 8) + 4);
      return fileOf(`bold-${weight}.ttf`, bytes);
    };
    const look = { width: 500, font };
    const bold = styledPicture(figure, { ...look, fontBold }).png();
    expect(Buffer.compare(styledPicture(figure, { ...look, fontBold: saying(650) }).png(), bold)).toBe(0);
    expect(() => checkStyle({ font, fontBold: saying(400) }, "--")).toThrow(
      /^--font-bold: expected a file that calls itself bolder than that of font, "Proof Serif 2" of weight 400, or by another family, got ".*", "Proof Serif 2" of weight 400$/,
    );
    // The same letters under another name are no harm.
    checkStyle({ font, fontBold: fileOf("copy.ttf", regular) });
  });

  test("are the same bytes twice, and not those without the font", async () => {
    const style = { style: "paper", dpi: 72 } as const;
    const [first, again] = [pictureOf(style), pictureOf(style)];
    expect(again.svg).toBe(first.svg);
    expect(Buffer.compare(again.png(), first.png())).toBe(0);
    expect(Buffer.compare(await again.pdf(), await first.pdf())).toBe(0);
    expect(Buffer.compare(first.png(), styledPicture(figure, style).png())).not.toBe(0);
  });

  test("in 3-D write it on every label", () => {
    const { svg } = pictureOf({ width: 300, dpi: 96 }, inSpace(figure) as Figure);
    const families = [...svg.matchAll(/<text[^>]*font-family:([^,]*),/g)].map(([, family]) => family);
    expect([...new Set(families)]).toEqual(["'Proof Serif 2'"]);
    expect(families.length).toBeGreaterThan(12);
  });

  test("as PDF embed it, and the package's font for what it lacks", async (context) => {
    if (spawnSync("pdffonts", ["-v"]).error !== undefined) {
      const reason = "no pdffonts: install Debian's package poppler-utils";
      if (process.env.CI === "true") throw new Error(reason);
      context.skip(reason);
    }
    const file = fileOf("plot.pdf", await pictureOf({ style: "paper" }).pdf());
    const fonts = execFileSync("pdffonts", [file], { encoding: "utf8" }).trim().split("\n").slice(2);
    const named = fonts.map((line) => line.split(/\s+/)[0]?.replace(/^\w+\+/, ""));
    expect(named.sort()).toEqual(["LandscapeSans-Regular", "ProofSerif2-Bold", "ProofSerif2-Regular"]);
    for (const line of fonts)
      expect(line.trim().split(/\s+/).slice(-5, -2), line).toEqual(["yes", "yes", "yes"]);
    expect(execFileSync("pdftotext", [file, "-"], { encoding: "utf8" })).toContain("Adam θ→é");
  });

  test("that move have it in every frame", async () => {
    const look = { width: 280, scale: 0.5, duration: 40 };
    const small = sampleFigure(valley, { paths: [samplePath("SGD", arc(2, [3, 2]), valley)] });
    expect(Buffer.compare(renderGif(small, { ...look, ...own }), renderGif(small, look))).not.toBe(0);
    // Its frames are drawn as the encoder asks for them.
    const [movie, plain] = await Promise.all([
      renderWebp(small, { ...look, ...own }),
      renderWebp(small, look),
    ]);
    expect(Buffer.compare(movie, plain)).not.toBe(0);
    expect(currentFont()).toBeNull();
  });
});

test("a page draws and measures with it, and says what it lacks", async (context) => {
  needChromium(context);
  const html = renderHtml({ title: "Runs", figures: [figure], ...own });
  expect(html).toMatch(/<p class="provenance">Characters that Proof Serif 2 lacks [^<]* θ/);
  const { page, heard } = await chromium.open(html, { width: 800 });
  const name = page.locator(".chart svg text", { hasText: "end, with true loss" }).first();
  await name.waitFor();
  expect(await name.getAttribute("style")).toContain("Proof Serif 2");
  const loaded = '[...document.fonts].filter((one) => one.status === "loaded").map((one) => one.family)';
  expect(await page.evaluate(loaded)).toContain("Proof Serif 2");
  expect(await page.evaluate("getComputedStyle(document.body).fontFamily")).toContain("Proof Serif 2");
  expect(heard).toEqual([]);
  await page.context().close();
});

describe("a font that cannot be used is named before any work", () => {
  const renamed = (from: string, to: string): Buffer => {
    const bytes = Buffer.from(regular);
    bytes.write(to, bytes.indexOf(from, 12, "latin1"), "latin1");
    return bytes;
  };
  const collection = (): Buffer => {
    const head = Buffer.alloc(16);
    head.write("ttcf", "latin1");
    [0x00010000, 1, 16].forEach((value, i) => {
      head.writeUInt32BE(value, 4 + 4 * i);
    });
    return Buffer.concat([head, regular]);
  };
  const withoutWidths = (): Buffer => {
    const bytes = Buffer.from(regular);
    const record = bytes.indexOf("hmtx", 12, "latin1");
    const start = bytes.readUInt32BE(record + 8);
    return bytes.fill(0, start, start + bytes.readUInt32BE(record + 12));
  };

  const CASES: readonly (readonly [
    name: string,
    bytes: (() => Uint8Array | string) | null,
    words: string,
  ])[] = [
    ["missing.ttf", null, "which cannot be read (ENOENT)"],
    ["note.ttf", () => "Dear Sir or Madam", "which is no font"],
    ["half.ttf", () => regular.subarray(0, 700), "a damaged font"],
    ["all.ttc", collection, "a collection: take one font out of it"],
    ["variable.ttf", () => renamed("MATH", "fvar"), "a variable font: give one of its static fonts"],
    [
      "web.woff2",
      () => readFileSync("assets/fonts/landscape-sans-regular-latin.woff2"),
      "a WOFF2 file: give the file that it was made of",
    ],
    ["signs.ttf", withoutWidths, "which lacks all of them"],
  ];
  test.each(CASES)("%s", (name, bytes, words) => {
    const path = bytes === null ? join(folder, name) : fileOf(name, bytes());
    expect(() => checkStyle({ font: path }, "--")).toThrow(/^--font: expected a /);
    expect(() => checkStyle({ font: path }, "--")).toThrow(words);
    expect(() => checkStyle({ font, fontBold: path }, "report.")).toThrow(/^report\.fontBold: expected a /);
  });

  test("a path that the system refuses", () => {
    const check = (path: string) => () => checkStyle({ font: path }, "--");
    expect(check("x".repeat(5000))).toThrow(/^--font: expected a .* which cannot be read \(ENAMETOOLONG\)$/);
    expect(check("a\0b.ttf")).toThrow("which cannot be read (ERR_INVALID_ARG_VALUE)");
  });

  test("bold letters need others beside them", () => {
    expect(() => renderGif(figure, { fontBold })).toThrow("fontBold: expected a file beside that of font");
    expect(() => checkStyle({ fontBold }, "--")).toThrow("--font-bold: expected a file beside that of font");
  });

  test("another font than a style file's has its own bold letters", () => {
    fileOf("one.ttf", regular);
    fileOf("one-bold.ttf", readFileSync(fontBold));
    const styleFile = fileOf("two.json", JSON.stringify({ font: "one.ttf", fontBold: "one-bold.ttf" }));
    expect(styleOf({ styleFile }).fontBold).toBe(resolve(folder, "one-bold.ttf"));
    expect(styleOf({ styleFile, font })).toEqual({ font });
    expect(styleOf({ styleFile, fontBold })).toEqual({ font: resolve(folder, "one.ttf"), fontBold });
  });

  test("a style file names it from its own folder", () => {
    fileOf("thesis.ttf", regular);
    const style = fileOf("style.json", JSON.stringify({ font: "thesis.ttf" }));
    expect(readStyleFile(style)).toEqual({ font: resolve(folder, "thesis.ttf") });
    const lost = fileOf("lost.json", JSON.stringify({ font: "none.ttf" }));
    expect(() => readStyleFile(lost)).toThrow(/lost\.json: font: expected a TrueType/);
  });
});
