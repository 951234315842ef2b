import { Resvg } from "@resvg/resvg-js";
import { fontFiles } from "./font-files.js";
import { FONT_FAMILY } from "./text-width.js";

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
