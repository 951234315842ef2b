import { InvalidDataError } from "../errors.js";
import { gifenc } from "./gifenc-package.js";

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
