import { InvalidDataError, InvalidOptionError } from "../../base/errors.js";
import type { DrawOptions } from "../draw/figure-frame.js";
import { type FigureLayout, figureSize, layoutFigure, layoutOption } from "../draw/layout-figure.js";
import { themeOf } from "../draw/palette.js";
import { timeline } from "../draw/snapshots.js";
import type { Figure } from "../figure.js";
import { turnView } from "../space/scene-view.js";
import { type PlacedSpace, spacePixels } from "../space/surface-panel.js";
import { over, type PathAnimationOptions, pathAnimation } from "./encode-gif.js";
import { type Raster, rasterize, renderSvg } from "./render-picture.js";

/** Opaque pictures of one size, one after the other. */
export interface MovieFrames {
  /** In pixels, even. */
  readonly width: number;
  readonly height: number;
  /** Each (height, width, 4), red, green, blue, 255; the same array again where nothing has changed. */
  readonly frames: Iterable<Uint8Array>;
}

/** Frames a second: even for those who look at each, and half the work of 50. */
const RATE = 25;
/** Loss of the encoder: 10 is best, 51 is least. Lines and letters stay clean. */
const QUANTIZATION = 20;
/** Frames between those that stand for themselves: players jump to them. */
const GROUP = 25;

/**
 * Encodes frames as an MP4 file with H.264 (25 frames per second), in memory. The same frames give the same bytes.
 *
 * @throws {@link InvalidDataError} if the width or the height is odd, or a frame has another size.
 */
export async function encodeMp4(
  { width, height, frames }: MovieFrames,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  if (width % 2 !== 0 || height % 2 !== 0) {
    throw new InvalidDataError("movie", "an even width and height", `${width} × ${height} pixels`);
  }
  // A megabyte of code that only movies need.
  const { default: h264 } = await import("h264-mp4-encoder");
  const encoder = await h264.createH264MP4Encoder();
  let count = 0;
  try {
    Object.assign(encoder, {
      width,
      height,
      frameRate: RATE,
      quantizationParameter: QUANTIZATION,
      groupOfPictures: GROUP,
      speed: 5,
    });
    encoder.initialize();
    for (const frame of frames) {
      signal?.throwIfAborted();
      if (frame.length !== 4 * width * height) {
        throw new InvalidDataError("frame", `${width} × ${height} pixels`, `${frame.length / 4} pixels`);
      }
      encoder.addFrameRgba(frame);
      count++;
    }
    encoder.finalize();
    const bytes = encoder.FS.readFile(encoder.outputFilename) as Uint8Array;
    encoder.FS.unlink(encoder.outputFilename);
    encoder.delete();
    return finished(bytes, count);
  } catch (error) {
    // The encoder ends the process if it is freed while it waits for frames; without any it cannot be ended.
    if (count > 0) {
      encoder.finalize();
      encoder.delete();
    }
    throw error;
  }
}

/** Boxes that hold boxes. */
const CONTAINERS = new Set(["moov", "trak", "mdia", "minf", "stbl"]);

/**
 * Completes what the encoder writes: a table of the frames that stand for themselves (without it players jump to any
 * frame, and show rubbish), and no time of writing, so that the same frames give the same bytes. The index lies
 * behind the frames, so that no place of a frame changes.
 *
 * @see ISO/IEC 14496-12, boxes mvhd, tkhd, mdhd, stss.
 */
function finished(boxes: Uint8Array, count: number): Uint8Array {
  const view = new DataView(boxes.buffer, boxes.byteOffset, boxes.length);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < boxes.length; at += view.getUint32(at)) {
    const box = boxes.slice(at, at + view.getUint32(at));
    const name = String.fromCharCode(...box.subarray(4, 8));
    if (name === "mvhd" || name === "tkhd" || name === "mdhd") box.fill(0, 12, 20);
    if (!CONTAINERS.has(name)) parts.push(box);
    else {
      const inner = [finished(box.subarray(8), count), ...(name === "stbl" ? [syncTable(count)] : [])];
      const size = 8 + inner.reduce((sum, { length }) => sum + length, 0);
      const head = box.slice(0, 8);
      new DataView(head.buffer).setUint32(0, size);
      parts.push(head, ...inner);
    }
  }
  return Uint8Array.from(Buffer.concat(parts));
}

/** The numbers, from 1, of the frames that stand for themselves. */
function syncTable(count: number): Uint8Array {
  const entries = Math.ceil(count / GROUP);
  const box = new Uint8Array(16 + 4 * entries);
  const view = new DataView(box.buffer);
  view.setUint32(0, box.length);
  box.set(
    [..."stss"].map((letter) => letter.charCodeAt(0)),
    4,
  );
  view.setUint32(12, entries);
  for (let k = 0; k < entries; k++) view.setUint32(16 + 4 * k, k * GROUP + 1);
  return box;
}

/** Options of {@link renderMp4}. */
export interface RenderMp4Options extends PathAnimationOptions {
  /** Pixels for each px; default 1, at most 4. */
  readonly scale?: number | undefined;
  /** Draws a surface in 3-D as the cells of the grid that was evaluated. Default false. */
  readonly isFaceted?: boolean | undefined;
  /** Milliseconds that the path takes to grow, and a surface in 3-D to turn round once; default 6000. */
  readonly duration?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Width of a movie in px, and height of one in 3-D: those of screens. */
const WIDTH = 1280;
const HEIGHT = 720;
/** Seconds that the finished picture stands. */
const LAST = 1.5;
/** Share of the turn in which the path grows. */
const GROWING = 0.7;

/**
 * Draws a figure's paths growing, as an MP4 movie: over its contours, or, where the figure is `inSpace`, along the
 * surface while it turns round once.
 *
 * Cost: a frame in 3-D takes about 0.2 s at 1280 × 720.
 *
 * @throws {@link InvalidOptionError} if `scale` is not in (0, 4] or `duration` not in (0, 600000].
 * @example writeFileSync("path.mp4", await renderMp4(figure, { duration: 5000 }));
 */
export async function renderMp4(figure: Figure, options: RenderMp4Options = {}): Promise<Uint8Array> {
  const { scale = 1, duration = 6000, signal, ...look } = options;
  if (!(scale > 0 && scale <= 4)) throw new InvalidOptionError("scale", "a number in (0, 4]", String(scale));
  if (!(duration > 0 && duration <= 600_000)) {
    throw new InvalidOptionError("duration", "a number of ms in (0, 600000]", String(duration));
  }
  const count = Math.max(2, Math.round((duration / 1000) * RATE));
  const isSpace = figure.panels.some((panel) => panel.kind === "map" && panel.view === "space");
  const frames = isSpace
    ? spaceFrames(figure, { width: WIDTH, height: HEIGHT, ...look }, scale, count)
    : pathFrames(figure, { width: WIDTH, ...look }, scale, count);
  return await encodeMp4(frames, signal);
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

/** The surface turning round once, and the path growing on it. */
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
    const front = draw(layout, (name) => name !== "back" && name !== "surface", "transparent");
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
