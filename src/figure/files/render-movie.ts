import { InvalidOptionError } from "../../base/errors.js";
import type { Stoppable } from "../../base/work.js";
import type { DrawOptions } from "../draw/figure-frame.js";
import { type OwnFont, withFont } from "../draw/font.js";
import { type FigureLayout, figureSize, layoutFigure, layoutOption } from "../draw/layout-figure.js";
import { themeOf } from "../draw/palette.js";
import { timeline } from "../draw/snapshots.js";
import type { Figure } from "../figure.js";
import { turnView } from "../space/scene-view.js";
import { type PlacedSpace, spacePixels } from "../space/space-panel.js";
import { isInSpace } from "../space/surface-panel.js";
import { over, type PathAnimationOptions, pathAnimation } from "./encode-gif.js";
import { encodeMp4, type MovieFrames, RATE } from "./encode-mp4.js";
import { type FontSource, fontOf } from "./own-font.js";
import { type Raster, rasterize, renderSvg } from "./render-picture.js";

/** Options of {@link renderMp4} and {@link renderWebp}. */
export interface RenderMp4Options extends PathAnimationOptions, Stoppable, FontSource {
  /** Pixels for each px; default 1, at most 4. */
  readonly scale?: number | undefined;
  /** Draws a surface in 3-D as the cells of the grid that was evaluated. Default false. */
  readonly isFaceted?: boolean | undefined;
  /** Milliseconds that the path takes to grow, and a picture in 3-D to turn round once; default 6000. */
  readonly duration?: number | undefined;
}

/** Width of a movie in px, and height of one in 3-D: those of screens. */
const WIDTH = 1280;
const HEIGHT = 720;
/** Seconds that the finished picture stands. */
const LAST = 1.5;
/** Share of the turn in which the path grows. */
const GROWING = 0.7;

/**
 * Draws a figure's paths growing, as an MP4 movie: over its contours, or, where the figure is drawn in 3-D, while
 * that turns round once.
 *
 * Cost: a frame in 3-D takes about 0.2 s at 1280 × 720.
 *
 * @throws {@link InvalidOptionError} if `scale` is not in (0, 4] or `duration` not in (0, 600000].
 * @example writeFileSync("path.mp4", await renderMp4(figure, { duration: 5000 }));
 */
export async function renderMp4(figure: Figure, options: RenderMp4Options = {}): Promise<Uint8Array> {
  return await encodeMp4(movieFrames(figure, options), options.signal);
}

/**
 * Draws the same movie as {@link renderMp4} as an animated WebP, which pages and chats play like a picture: a flat
 * figure exact to the pixel, one in 3-D with the losses of a photograph.
 *
 * @throws {@link InvalidOptionError} if `scale` is not in (0, 4] or `duration` not in (0, 600000].
 * @example writeFileSync("path.webp", await renderWebp(figure, { duration: 5000, width: 800 }));
 */
export async function renderWebp(figure: Figure, options: RenderMp4Options = {}): Promise<Uint8Array> {
  const frames = movieFrames(figure, options);
  const { encodeWebp } = await import("./encode-webp.js");
  return await encodeWebp(frames, { isLossless: !isInSpace(figure) }, options.signal);
}

/** The frames of a movie: those with a path that grows, then the finished picture. */
function movieFrames(figure: Figure, options: RenderMp4Options): MovieFrames {
  const { scale = 1, duration = 6000, signal: _, font: file, fontBold, ...look } = options;
  if (!(scale > 0 && scale <= 4)) throw new InvalidOptionError("scale", "a number in (0, 4]", String(scale));
  if (!(duration > 0 && duration <= 600_000)) {
    throw new InvalidOptionError("duration", "a number of ms in (0, 600000]", String(duration));
  }
  const count = Math.max(2, Math.round((duration / 1000) * RATE));
  const font = fontOf({ font: file, fontBold });
  const movie = withFont(font, () =>
    isInSpace(figure)
      ? spaceFrames(figure, { width: WIDTH, height: HEIGHT, ...look }, scale, count)
      : pathFrames(figure, { width: WIDTH, ...look }, scale, count),
  );
  return { ...movie, frames: framesWith(font, movie.frames) };
}

/** The same frames, each drawn with a font: they are drawn when the encoder asks for them. */
function* framesWith(font: OwnFont | null, frames: Iterable<Uint8Array>): Generator<Uint8Array> {
  const each = frames[Symbol.iterator]();
  for (;;) {
    const next = withFont(font, () => each.next());
    if (next.done === true) return;
    yield next.value;
  }
}

/** A size in px of which both sides are even in pixels. */
function evenSize(size: { readonly width: number; readonly height: number }, scale: number) {
  const even = (px: number): number => (2 * Math.ceil((px * scale) / 2 - 1e-9)) / scale;
  return { width: even(size.width), height: even(size.height) };
}

/** The paths growing over the map, snapshot by snapshot. */
function pathFrames(figure: Figure, look: PathAnimationOptions, scale: number, count: number): MovieFrames {
  const natural = pathAnimation(figure, look);
  const animation = pathAnimation(figure, { ...look, ...evenSize(natural, scale) });
  const background = rasterize(renderSvg(animation.background, animation), scale);
  const { times } = animation;
  function* frames(): Generator<Uint8Array> {
    let shown = -1;
    let pixels = background.pixels;
    for (let k = 0; k < count + LAST * RATE; k++) {
      const index = Math.min(times.length - 1, Math.floor((k / (count - 1)) * (times.length - 1) + 1e-9));
      if (index !== shown) {
        const overlay = rasterize(renderSvg(animation.overlay(times[index] as number), animation), scale);
        pixels = over(background.pixels, overlay.pixels);
        shown = index;
      }
      yield pixels;
    }
  }
  return { width: background.width, height: background.height, frames: frames() };
}

/** The box turning round once, and the path growing in it. */
function spaceFrames(figure: Figure, look: DrawOptions, scale: number, count: number): MovieFrames {
  // Sentences belong under a still picture: nobody reads them while something moves.
  const shown = { ...figure, fidelity: [], caption: "", provenance: "" };
  const size = evenSize(figureSize(shown, look), scale);
  const options = { ...look, ...size, isTurning: true };
  const times = timeline(figure);
  const { view } = (layoutFigure(shown, options).panels[0] as PlacedSpace).projection;
  const draw = (layout: FigureLayout, part: (name: string) => boolean, background?: string): Raster =>
    rasterize(
      renderSvg(layoutOption(layout, { theme: look.theme, isShown: part, background }), layout),
      scale,
    );
  const frameAt = (turn: number, until: number | undefined): Uint8Array => {
    const layout = layoutFigure(shown, { ...options, view: turnView(view, 360 * turn, 0), until });
    const pixels = draw(layout, (name) => name === "back").pixels;
    const front = draw(layout, (name) => name !== "back" && name !== "scene", "transparent");
    const placed = layout.panels[0] as PlacedSpace;
    const drawn = spacePixels(placed, themeOf(look.theme ?? "light"), scale);
    placeInto(pixels, front.width, drawn.pixels, drawn.rect, scale);
    return over(pixels, front.pixels);
  };
  const last = frameAt(0, undefined);
  function* frames(): Generator<Uint8Array> {
    for (let k = 0; k < count; k++) {
      const grown = Math.min(1, k / (count - 1) / GROWING);
      yield frameAt(k / count, grown === 1 ? undefined : times[Math.floor(grown * (times.length - 1))]);
    }
    for (let k = 0; k < LAST * RATE; k++) yield last;
  }
  return { width: Math.round(size.width * scale), height: Math.round(size.height * scale), frames: frames() };
}

/** Lays pixels with alpha of their own into an opaque picture. */
function placeInto(
  picture: Uint8Array,
  width: number,
  pixels: { readonly width: number; readonly height: number; readonly rgba: Uint8Array },
  at: { readonly x: number; readonly y: number },
  scale: number,
): void {
  const [left, top] = [Math.round(at.x * scale), Math.round(at.y * scale)];
  for (let j = 0; j < pixels.height; j++) {
    for (let i = 0; i < pixels.width; i++) {
      const from = 4 * (j * pixels.width + i);
      const share = (pixels.rgba[from + 3] as number) / 255;
      if (share === 0 || left + i >= width) continue;
      const to = 4 * ((top + j) * width + left + i);
      for (let c = 0; c < 3; c++) {
        picture[to + c] = Math.round(
          share * (pixels.rgba[from + c] as number) + (1 - share) * (picture[to + c] as number),
        );
      }
    }
  }
}
