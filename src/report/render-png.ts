import { InvalidOptionError } from "../errors.js";
import { rasterize } from "./rasterize.js";

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
 */
export function renderPng(svg: string, options: RenderPngOptions = {}): Uint8Array {
  const { scale = 2 } = options;
  if (!(scale > 0 && scale <= 16))
    throw new InvalidOptionError("scale", "a number in (0, 16]", String(scale));
  return rasterize(svg, scale).asPng();
}
