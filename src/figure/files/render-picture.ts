import { crc32 } from "node:zlib";
import { Resvg } from "@resvg/resvg-js";
import type { EChartsOption } from "echarts";
import { InvalidOptionError } from "../../base/errors.js";
import { init, setPlatformAPI } from "../draw/echarts.js";
import {
  advanceWidths,
  currentFont,
  FONT_FAMILY,
  type FontWeight,
  type OwnFont,
  ownWidths,
} from "../draw/font.js";
import { measureText, textWidth } from "../draw/placed-text.js";
import { fontFaceCss, type LoadedFonts, loadedFonts } from "./font-files.js";
import { styleOfFile } from "./own-font.js";

/** Size of a picture in px. */
export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/**
 * Draws an ECharts option as an SVG document that carries its own font.
 *
 * The same option gives the same text. ECharts measures text with the embedded font's advances from here
 * on, in this process, wherever the font's family is asked for.
 *
 * @throws {@link InvalidOptionError} if the size is not positive and finite.
 * @example const size = figureSize(figure);
 * writeFileSync("plot.svg", renderSvg(figureOption(figure, size), size));
 */
export function renderSvg(option: EChartsOption, { width, height }: PictureSize): string {
  checkSize("width", width);
  checkSize("height", height);
  setPlatformAPI({ measureText });
  const chart = init(null, null, { renderer: "svg", ssr: true, width, height });
  try {
    chart.setOption(option);
    return embedFont(stripRuntime(chart.renderToSVGString()));
  } finally {
    chart.dispose();
  }
}

function checkSize(where: string, value: number): void {
  if (!(value > 0 && Number.isFinite(value))) {
    throw new InvalidOptionError(where, "a positive number of px", String(value));
  }
}

/**
 * Takes out what zrender puts in for a page that would bring the picture to life: data attributes, and
 * class names numbered over the life of the process. Quotes in texts are entities, so nothing else matches.
 */
function stripRuntime(svg: string): string {
  return svg
    .replace(/ (?:ecmeta_\w+|class)="[^"]*"/g, "")
    .replace(/<style ?><!\[CDATA\[[^<]*\]\]>\s*<\/style>\n?/g, "")
    .replace(/( id="|="url\(#)zr\d+-/g, "$1");
}

function embedFont(svg: string): string {
  const text = svg.replace(/<[^>]*>/g, "");
  const style = `<style>${fontFaceCss(decodeEntities(text))}</style>`;
  return svg.replace(/^(<svg[^>]*>)/, (open) => `${open}\n${style}`);
}

function decodeEntities(text: string): string {
  return text.replace(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)));
}

const SIGNS: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"' };

/** The text of an element, as it is read. */
function plainText(text: string): string {
  return decodeEntities(text).replace(/&(\w+);/g, (whole, name: string) => SIGNS[name] ?? whole);
}

/**
 * Returns an SVG with its size on paper: programs that set pages place it at that size, whatever its px are.
 *
 * @param pxPerInch - px of the drawing per inch.
 * @example writeFileSync("plot.svg", withInches(svg, 108)); // width="3.25in" for 351 px
 */
export function withInches(svg: string, pxPerInch: number): string {
  const inches = (px: string): string => `${Number((Number(px) / pxPerInch).toFixed(4))}in`;
  return svg.replace(
    /^<svg([^>]*?) width="([\d.]+)" height="([\d.]+)"/,
    (_, before: string, width: string, height: string) =>
      `<svg${before} width="${inches(width)}" height="${inches(height)}"`,
  );
}

/** What stands for a character that the font of pictures lacks. */
export const MISSING = "\u25a1";

/**
 * Returns an SVG for a renderer that knows the package's font only: characters that it lacks are written as
 * {@link MISSING}, and marks that turn or join other letters are left out.
 */
export function withKnownLetters(svg: string): string {
  return svg.replace(
    /(<text\b[^>]*>)([^<]+)</g,
    (_, open: string, text: string) => `${open}${knownLetters(text, weightOf(open))}<`,
  );
}

/** The weight of a text, as its element says it. */
function weightOf(open: string): FontWeight {
  return /font-weight:(600|bold)/.test(open) ? "semibold" : "regular";
}

function knownLetters(text: string, weight: FontWeight): string {
  const known = advanceWidths(weight);
  if ([...text].every((character) => known.has(character.codePointAt(0) as number))) return text;
  // An emoji of several code points is one character to a reader.
  const graphemes = [...new Intl.Segmenter("en", { granularity: "grapheme" }).segment(text)];
  return graphemes
    .map(({ segment }) => {
      const isKnown = [...segment].every((character) => known.has(character.codePointAt(0) as number));
      return isKnown || /^\s$/.test(segment) ? segment : MISSING;
    })
    .join("");
}

/**
 * An SVG whose characters that the user's font lacks ask for the package's font, each run of letters at its place: left to
 * themselves, a renderer of pixels draws the whole text in another font, and one of PDF leaves them out.
 */
export function withFilledGaps(svg: string, own: OwnFont): string {
  const has = { regular: ownWidths(own, "regular"), semibold: ownWidths(own, "semibold") };
  return svg.replace(/(<text\b[^>]*>)([^<]*)</g, (whole, open: string, text: string) => {
    const weight = weightOf(open);
    const isOwn = (part: string): boolean => has[weight].has(plainText(part).codePointAt(0) as number);
    const runs: { readonly isOwn: boolean; text: string }[] = [];
    for (const part of text.match(/&[^;]+;|./gsu) ?? []) {
      const last = runs.at(-1);
      if (last?.isOwn === isOwn(part)) last.text += part;
      else runs.push({ isOwn: isOwn(part), text: part });
    }
    if (runs.every((run) => run.isOwn)) return whole;
    const size = Number(/font-size:([\d.]+)/.exec(open)?.[1]);
    const widths = runs.map((run) => textWidth(plainText(run.text), size, weight));
    const width = widths.reduce((sum, one) => sum + one, 0);
    const anchor = /text-anchor="(\w+)"/.exec(open)?.[1];
    let x = Number(/ x="([-\d.]+)"/.exec(open)?.[1] ?? 0);
    x -= anchor === "middle" ? width / 2 : anchor === "end" ? width : 0;
    const placed = runs.map((run, i) => {
      const at = Number(x.toFixed(3));
      x += widths[i] as number;
      const family = run.isOwn ? "" : ` style="font-family:${FONT_FAMILY}"`;
      return `<tspan x="${at}"${family}>${run.text}</tspan>`;
    });
    return `${open.replace(/ text-anchor="\w+"/, ' text-anchor="start"')}${placed.join("")}<`;
  });
}

/**
 * An SVG whose texts ask for the user's font by the names inside its files: two files may call themselves by two
 * families, or by another weight.
 */
function withNamesOfFiles(svg: string, named: LoadedFonts["named"]): string {
  return svg.replace(/<text\b[^>]*>/g, (open) => {
    const style = styleOfFile(named[weightOf(open)]);
    return open.replace(/font-weight:\w+;?/, "").replace(/font-family:[^;"]*/, () => style);
  });
}

/** A picture of pixels. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  /** (height, width, 4): red, green, blue, each multiplied by alpha, and alpha. */
  readonly pixels: Uint8Array;
  /** The same as a PNG file. */
  asPng(): Uint8Array;
}

/**
 * Turns an SVG document into pixels. Only the package's font, and one that the user gives, are used: the fonts of the
 * machine change nothing.
 *
 * @param scale - pixels for each px of the SVG.
 */
export function rasterize(svg: string, scale: number): Raster {
  const { paths, fallback, named } = loadedFonts();
  const own = currentFont();
  const known = withKnownLetters(svg);
  const picture = new Resvg(own === null ? known : withNamesOfFiles(withFilledGaps(known, own), named), {
    font: {
      loadSystemFonts: false,
      fontFiles: [...paths],
      defaultFontFamily: fallback,
      sansSerifFamily: fallback,
    },
    fitTo: { mode: "zoom", value: scale },
  }).render();
  return {
    width: picture.width,
    height: picture.height,
    pixels: picture.pixels,
    asPng: () => picture.asPng(),
  };
}

/** Options of {@link renderPng}. */
export interface RenderPngOptions {
  /** Pixels of the picture for each px of the SVG; default 2. */
  readonly scale?: number;
  /** Pixels per inch, noted in the file for programs that set pages. Default not noted. */
  readonly dpi?: number;
}

/**
 * Turns an SVG document of {@link renderSvg} into a PNG file's bytes.
 *
 * Only the package's own font is used: the fonts of the machine change nothing.
 *
 * @throws {@link InvalidOptionError} if `scale` is not in (0, 16].
 * @example
 * const size = figureSize(figure);
 * const svg = renderSvg(figureOption(figure, size), size);
 * writeFileSync("plot.png", renderPng(svg, { scale: 2 }));
 */
export function renderPng(svg: string, options: RenderPngOptions = {}): Uint8Array {
  const { scale = 2, dpi } = options;
  if (!(scale > 0 && scale <= 16))
    throw new InvalidOptionError("scale", "a number in (0, 16]", String(scale));
  const png = rasterize(svg, scale).asPng();
  return dpi === undefined ? png : withResolution(png, dpi);
}

/** A PNG with the chunk that says how many pixels are a metre; it stands behind the header. */
function withResolution(png: Uint8Array, dpi: number): Uint8Array {
  const header = 8 + 12 + 13;
  const chunk = Buffer.alloc(12 + 9);
  chunk.writeUInt32BE(9, 0);
  chunk.write("pHYs", 4, "latin1");
  chunk.writeUInt32BE(Math.round(dpi / 0.0254), 8);
  chunk.writeUInt32BE(Math.round(dpi / 0.0254), 12);
  chunk.writeUInt8(1, 16);
  chunk.writeUInt32BE(crc32(chunk.subarray(4, 17)), 17);
  return Buffer.concat([png.subarray(0, header), chunk, png.subarray(header)]);
}
