import { inflateSync } from "node:zlib";

/** A decoded picture: 8-bit RGBA. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Colours, row by row, `channels` bytes a pixel. */
  readonly pixels: Uint8Array;
  readonly channels: number;
  /** Colour of a pixel as [r, g, b, a]. */
  at(x: number, y: number): readonly number[];
}

/** Decodes an 8-bit, non-interlaced RGB(A) PNG: a second implementation to read what is written. */
export function decodePng(bytes: Uint8Array): Picture {
  const file = Buffer.from(bytes);
  if (file.toString("latin1", 1, 4) !== "PNG") throw new Error("not a PNG file");
  const [width, height] = [file.readUInt32BE(16), file.readUInt32BE(20)];
  const [depth, colorType, , , interlace] = file.subarray(24, 29);
  const channels = colorType === 6 ? 4 : 3;
  if (depth !== 8 || interlace !== 0 || (colorType !== 6 && colorType !== 2))
    throw new Error("unexpected PNG form");
  const parts: Buffer[] = [];
  for (let at = 8; at < file.length; at += 12 + file.readUInt32BE(at)) {
    if (file.toString("latin1", at + 4, at + 8) === "IDAT")
      parts.push(file.subarray(at + 8, at + 8 + file.readUInt32BE(at)));
  }
  const raw = inflateSync(Buffer.concat(parts));
  const stride = width * channels;
  const pixels = new Uint8Array(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (stride + 1)] as number;
    for (let x = 0; x < stride; x++) {
      const left = x >= channels ? (pixels[y * stride + x - channels] as number) : 0;
      const up = y > 0 ? (pixels[(y - 1) * stride + x] as number) : 0;
      const corner = x >= channels && y > 0 ? (pixels[(y - 1) * stride + x - channels] as number) : 0;
      pixels[y * stride + x] = (raw[y * (stride + 1) + 1 + x] as number) + predict(filter, left, up, corner);
    }
  }
  return {
    width,
    height,
    pixels,
    channels,
    at: (x, y) => {
      const start = Math.round(y) * stride + Math.round(x) * channels;
      return [...pixels.subarray(start, start + channels), 255].slice(0, 4);
    },
  };
}

function predict(filter: number, left: number, up: number, corner: number): number {
  if (filter === 1) return left;
  if (filter === 2) return up;
  if (filter === 3) return (left + up) >> 1;
  if (filter !== 4) return 0;
  const estimate = left + up - corner;
  const [a, b, c] = [Math.abs(estimate - left), Math.abs(estimate - up), Math.abs(estimate - corner)];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

/**
 * Chromium's own rounding of soft edges, in steps of 255: it counts how many quarters of a pixel a shape covers,
 * and the same page twice may differ by one of them at a few pixels in ten thousand.
 */
const QUARTER = 72;
const SOFT = 16;
const FEW = 1e-4;
/** A lost mark or a turned letter are dozens of pixels that differ much. */
const SPECKS = 4;

/** Where two pictures of a page differ: nothing, or how many pixels in which part. */
export function difference(a: Buffer, b: Buffer): string {
  if (a.equals(b)) return "";
  const [one, other] = [decodePng(a), decodePng(b)];
  if (one.width !== other.width || one.height !== other.height)
    return `size ${other.width} × ${other.height}`;
  const { channels } = one;
  if (channels !== other.channels) return `${other.channels} channels`;
  let [soft, hard] = [0, 0];
  let [left, top, right, bottom] = [one.width, one.height, 0, 0];
  for (let y = 0; y < one.height; y++)
    for (let x = 0; x < one.width; x++) {
      const start = (y * one.width + x) * channels;
      let most = 0;
      for (let at = start; at < start + channels; at++) {
        most = Math.max(most, Math.abs((one.pixels[at] as number) - (other.pixels[at] as number)));
      }
      if (most <= SOFT) continue;
      if (most > QUARTER) hard++;
      else soft++;
      [left, top] = [Math.min(left, x), Math.min(top, y)];
      [right, bottom] = [Math.max(right, x), Math.max(bottom, y)];
    }
  if (hard <= SPECKS && soft <= FEW * one.width * one.height) return "";
  return `${soft} pixels a little and ${hard} much, in ${left}…${right}, ${top}…${bottom}`;
}
