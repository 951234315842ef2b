import { InvalidOptionError } from "../errors.js";
import type { TrajectoryFigure } from "../report/figure.js";
import { type Raster, rasterize } from "../report/rasterize.js";
import { renderSvg } from "../report/render-svg.js";
import { encodeGif } from "./encode-gif.js";
import { type PathAnimationOptions, pathAnimation } from "./path-animation.js";

/** Options of {@link renderGif}. */
export interface RenderGifOptions extends PathAnimationOptions {
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
 */
export function renderGif(figure: TrajectoryFigure, options: RenderGifOptions = {}): Uint8Array {
  const { scale = 1, duration = 6000, ...rest } = options;
  if (!(scale > 0 && scale <= 4)) throw new InvalidOptionError("scale", "a number in (0, 4]", String(scale));
  if (!(duration > 0 && Number.isFinite(duration))) {
    throw new InvalidOptionError("duration", "a positive number of ms", String(duration));
  }
  const animation = pathAnimation(figure, rest);
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
function over(below: Uint8Array, above: Uint8Array): Uint8Array {
  const out = new Uint8Array(below.length);
  for (let i = 0; i < below.length; i += 4) {
    const share = 255 - (above[i + 3] as number);
    for (let c = i; c < i + 3; c++)
      out[c] = (above[c] as number) + Math.round(((below[c] as number) * share) / 255);
    out[i + 3] = 255;
  }
  return out;
}
