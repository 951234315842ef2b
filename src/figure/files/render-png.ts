import { Resvg } from "@resvg/resvg-js";
import { InvalidOptionError } from "../../base/errors.js";
import { FONT_FAMILY } from "../draw/placed-text.js";
import { fontFiles } from "./font-files.js";

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
 * Turns an SVG document into pixels. Only the package's own font is used: the fonts of the machine change
 * nothing.
 *
 * @param scale - pixels for each px of the SVG.
 */
export function rasterize(svg: string, scale: number): Raster {
  const picture = new Resvg(svg, {
    font: {
      loadSystemFonts: false,
      fontFiles: fontFiles(),
      defaultFontFamily: FONT_FAMILY,
      sansSerifFamily: FONT_FAMILY,
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
}

/**
 * Turns an SVG document of {@link renderSvg} into a PNG file's bytes.
 *
 * Only the package's own font is used: the fonts of the machine change nothing.
 *
 * @throws {@link InvalidOptionError} if `scale` is not in (0, 16].
 * @example writeFileSync("plot.png", renderPng(svg, { scale: 2 }));
 */
export function renderPng(svg: string, options: RenderPngOptions = {}): Uint8Array {
  const { scale = 2 } = options;
  if (!(scale > 0 && scale <= 16))
    throw new InvalidOptionError("scale", "a number in (0, 16]", String(scale));
  return rasterize(svg, scale).asPng();
}
