import type { EChartsOption } from "echarts";
import * as loaded from "gifenc";
import { InvalidDataError, InvalidOptionError } from "../../base/errors.js";
import type { DrawOptions } from "../draw/figure-frame.js";
import { withFont } from "../draw/font.js";
import { layoutFigure, layoutOption } from "../draw/layout-figure.js";
import { themeOf } from "../draw/palette.js";
import { line, textWidth, truncateText } from "../draw/placed-text.js";
import { shapesSeries, textShape } from "../draw/shapes.js";
import { timeline } from "../draw/snapshots.js";
import type { Figure } from "../figure.js";
import { type FontSource, fontOf } from "./own-font.js";
import { type Raster, rasterize, renderSvg } from "./render-picture.js";

/** Size and colours of an animation. */
export type PathAnimationOptions = Pick<DrawOptions, "width" | "height" | "theme">;

/** A moving picture of a path as ECharts options: what stands still, and what lies on top at each time. */
export interface PathAnimation {
  readonly width: number;
  readonly height: number;
  readonly background: EChartsOption;
  /** Epochs (or iterations, or steps) at which there is a frame, increasing. */
  readonly times: readonly number[];
  /** What lies over the background at a time: the path so far, its curves and the label, on nothing. */
  overlay(time: number): EChartsOption;
}

/** Frames at most: of a longer path every n-th snapshot has one. */
const MOST_FRAMES = 120;
const TITLE_SIZE = 18;
const LABEL_SIZE = 16;
const LABEL_RIGHT = 20;
const LABEL_Y = 33;

/** Parts of a picture that grow. */
const MOVING = new Set(["paths", "curves", "scene", "front"]);
const isMoving = (name: string): boolean => MOVING.has(name);

/**
 * Returns the animation of a figure's paths: surface, axes, legend and title stand still, the paths and the
 * curves beside them grow. Pure; the panels have the same places in every frame.
 */
export function pathAnimation(figure: Figure, options: PathAnimationOptions = {}): PathAnimation {
  const { theme: themeName = "light", width = 800 } = options;
  const theme = themeOf(themeName);
  const times = timesOf(figure);
  const labelOf = (time: number): string => `${figure.progress} ${time}`;
  const labelWidth = Math.max(...times.map((time) => textWidth(labelOf(time), LABEL_SIZE, "semibold")));
  const room = width - 2 * LABEL_RIGHT - labelWidth - 16;
  // Sentences belong under a still picture: nobody reads them while something moves.
  const title = truncateText(figure.title, TITLE_SIZE, room, "semibold");
  const shown = { ...figure, title: title === "" ? " " : title, fidelity: [], caption: "", provenance: "" };
  const size = { ...options, width };
  const layout = layoutFigure(shown, size);
  const hidden = (axes: unknown) => (axes as readonly object[]).map((axis) => ({ ...axis, show: false }));
  return {
    width: layout.width,
    height: layout.height,
    background: layoutOption(layout, { theme: themeName, isShown: (name) => !isMoving(name) }),
    times,
    overlay(time) {
      const label = line(labelOf(time), width - LABEL_RIGHT, LABEL_Y, {
        align: "right",
        size: LABEL_SIZE,
        weight: "semibold",
      });
      const moving = layoutOption(layoutFigure(shown, { ...size, until: time }), {
        theme: themeName,
        isShown: isMoving,
        background: "transparent",
      });
      return {
        ...moving,
        xAxis: hidden(moving.xAxis),
        yAxis: hidden(moving.yAxis),
        series: [
          ...(moving.series as unknown as readonly object[]),
          shapesSeries("label", [textShape(label, theme)], 6),
        ],
      } as EChartsOption;
    },
  };
}

function timesOf(figure: Figure): number[] {
  const all = timeline(figure);
  const stride = Math.ceil(all.length / MOST_FRAMES);
  // Counted from the end: the last snapshot has its frame always.
  return all.filter((_, i) => i === 0 || (all.length - 1 - i) % stride === 0);
}

type Color = readonly number[];

/** A GIF being written. */
interface GifStream {
  writeFrame(
    index: Uint8Array,
    width: number,
    height: number,
    options: {
      readonly palette?: readonly Color[];
      /** Milliseconds. */
      readonly delay?: number;
      readonly transparent?: boolean;
      readonly transparentIndex?: number;
      /** 0 repeats for ever. */
      readonly repeat?: number;
      /** 1 leaves the frame standing. */
      readonly dispose?: number;
    },
  ): void;
  finish(): void;
  bytes(): Uint8Array;
}

/** The part of gifenc that is used here; the package brings no types. */
interface GifEncoder {
  GIFEncoder(): GifStream;
  quantize(rgba: Uint8Array, maxColors: number): Color[];
  applyPalette(rgba: Uint8Array, palette: readonly Color[]): Uint8Array;
}

/** gifenc is CommonJS that calls itself a module: whether its functions are named exports depends on the loader. */
export const gifenc = ("quantize" in loaded ? loaded : loaded.default) as GifEncoder;

/** A moving picture: frames of one size, opaque. */
export interface GifFrames {
  readonly width: number;
  readonly height: number;
  /** Each (height, width, 4), red, green, blue, 255. May be generated one by one. */
  readonly frames: Iterable<Uint8Array>;
  /** Number of frames. */
  readonly count: number;
  /** A picture that holds every colour of the frames: the palette is made from it. */
  readonly colors: Uint8Array;
  /** Milliseconds that a frame stands, and the last one. */
  readonly delay: number;
  readonly lastDelay: number;
}

/** Colours that a frame can have; one more index says "as before". */
const COLORS = 255;

/**
 * Encodes frames as a GIF that repeats for ever.
 *
 * All frames share one palette of at most 255 colours, so that what stands still does not flicker; of each
 * frame only what has changed since the one before is written.
 *
 * @throws {@link InvalidDataError} if a frame has another size, or there are more or fewer than `count`.
 */
export function encodeGif({ width, height, frames, count, colors, delay, lastDelay }: GifFrames): Uint8Array {
  const palette = gifenc.quantize(colors, COLORS);
  const unchanged = palette.length;
  const gif = gifenc.GIFEncoder();
  let before: Uint8Array | null = null;
  let written = 0;
  for (const frame of frames) {
    if (frame.length !== 4 * width * height) {
      throw new InvalidDataError(
        `frame ${written}`,
        `${width} × ${height} pixels`,
        `${frame.length / 4} pixels`,
      );
    }
    const index = gifenc.applyPalette(frame, palette);
    if (before !== null) markUnchangedInto(index, frame, before, unchanged);
    gif.writeFrame(index, width, height, {
      ...(before === null ? { palette: [...palette, [0, 0, 0]], repeat: 0 } : {}),
      ...(before === null ? {} : { transparent: true, transparentIndex: unchanged }),
      delay: written === count - 1 ? lastDelay : delay,
      dispose: 1,
    });
    before = frame;
    written++;
  }
  if (written !== count) throw new InvalidDataError("frames", `${count} frames`, String(written));
  gif.finish();
  return gif.bytes();
}

function markUnchangedInto(
  index: Uint8Array,
  frame: Uint8Array,
  before: Uint8Array,
  unchanged: number,
): void {
  const now = new Uint32Array(frame.buffer, frame.byteOffset, index.length);
  const then = new Uint32Array(before.buffer, before.byteOffset, index.length);
  for (let i = 0; i < index.length; i++) if (now[i] === then[i]) index[i] = unchanged;
}

/** Options of {@link renderGif}. */
export interface RenderGifOptions extends PathAnimationOptions, FontSource {
  /** Pixels for each px; default 1, at most 4. */
  readonly scale?: number;
  /** Milliseconds that the path takes to grow; default 6000. A frame stands for 40 ms at least. */
  readonly duration?: number;
}

/** Milliseconds that the finished path stands. */
const LAST_DELAY = 2500;
const LEAST_DELAY = 40;
const MOST_DELAY = 500;

/**
 * Draws a figure's paths growing over its contours, snapshot by snapshot, as an animated GIF.
 *
 * The picture under the path is drawn once; only paths, curves and the label are drawn for each frame. GIF
 * has 256 colours: soft edges are rounded to the nearest of them.
 *
 * @throws {@link InvalidOptionError} if `scale` is not in (0, 4] or `duration` not positive.
 * @example writeFileSync("path.gif", renderGif(figure, { scale: 1 }));
 */
export function renderGif(figure: Figure, options: RenderGifOptions = {}): Uint8Array {
  const { scale = 1, duration = 6000, font, fontBold, ...rest } = options;
  if (!(scale > 0 && scale <= 4)) throw new InvalidOptionError("scale", "a number in (0, 4]", String(scale));
  if (!(duration > 0 && Number.isFinite(duration))) {
    throw new InvalidOptionError("duration", "a positive number of ms", String(duration));
  }
  return withFont(fontOf({ font, fontBold }), () => gifOf(pathAnimation(figure, rest), scale, duration));
}

function gifOf(animation: PathAnimation, scale: number, duration: number): Uint8Array {
  const { times } = animation;
  const draw = (option: typeof animation.background): Raster =>
    rasterize(renderSvg(option, animation), scale);
  const background = draw(animation.background);
  const frameAt = (time: number): Uint8Array => over(background.pixels, draw(animation.overlay(time)).pixels);
  const last = frameAt(times[times.length - 1] as number);
  function* frames(): Generator<Uint8Array> {
    for (const time of times.slice(0, -1)) yield frameAt(time);
    yield last;
  }
  // GIF counts in hundredths of a second.
  const delay = 10 * Math.round(Math.min(MOST_DELAY, Math.max(LEAST_DELAY, duration / times.length)) / 10);
  return encodeGif({
    width: background.width,
    height: background.height,
    frames: frames(),
    count: times.length,
    colors: last,
    delay,
    lastDelay: LAST_DELAY,
  });
}

/** Lays a picture with premultiplied alpha over an opaque one. */
export function over(below: Uint8Array, above: Uint8Array): Uint8Array {
  const out = new Uint8Array(below.length);
  for (let i = 0; i < below.length; i += 4) {
    const share = 255 - (above[i + 3] as number);
    for (let c = i; c < i + 3; c++)
      out[c] = (above[c] as number) + Math.round(((below[c] as number) * share) / 255);
    out[i + 3] = 255;
  }
  return out;
}
