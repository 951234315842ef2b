import { readFileSync } from "node:fs";
import { InvalidDataError } from "../../base/errors.js";
import { requireOfPackage } from "../../base/package-files.js";
import { type MovieFrames, RATE } from "./encode-mp4.js";

/** How pictures are encoded. */
export interface EncodeWebpOptions {
  /** Every pixel as it was drawn. Default false: as good as anybody sees, and a tenth of the size of light and shade. */
  readonly isLossless?: boolean | undefined;
}

/** libwebp, compiled to WebAssembly. */
interface WebpEncoder {
  /** A file with one still picture: a RIFF header of 12 bytes, then its chunks. */
  encode(rgba: Uint8Array, width: number, height: number, options: object): Uint8Array | null;
}

let loaded: Promise<WebpEncoder> | null = null;

/** Half a megabyte that only animations need. */
async function loadEncoder(): Promise<WebpEncoder> {
  const { default: create } = await import("@jsquash/webp/codec/enc/webp_enc_simd.js");
  const file = requireOfPackage().resolve("@jsquash/webp/codec/enc/webp_enc_simd.wasm");
  return (await create({ noInitialRun: true, wasmBinary: readFileSync(file) })) as WebpEncoder;
}

/** A part of a picture in pixels; left and top are even, as the format wants them. */
interface Part {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** A frame of the file: pixels that lie over what stood there before, for so many of the movie's frames. */
interface Step extends Part {
  readonly chunks: Uint8Array;
  count: number;
}

/** A frame stands for 24 bits of milliseconds at most. */
const MOST_MS = 0xff_ffff;
const QUALITY = 82;
/** The format has 14 bits for a side. */
const MOST_SIDE = 16_383;

/**
 * Encodes frames as an animated WebP that repeats for ever (25 frames per second), in memory. Of each frame only the
 * rectangle that has changed is written. The same frames give the same bytes.
 *
 * @throws {@link InvalidDataError} if there is no frame, one has another size, or a side has more than 16,383 pixels.
 * @see RFC 9649, WebP image format: chunks VP8X, ANIM and ANMF.
 */
export async function encodeWebp(
  { width, height, frames }: MovieFrames,
  { isLossless = false }: EncodeWebpOptions = {},
  signal?: AbortSignal,
): Promise<Uint8Array> {
  if (Math.max(width, height) > MOST_SIDE) {
    throw new InvalidDataError(
      "movie",
      `at most ${MOST_SIDE} pixels a side for WebP`,
      `${width} × ${height}`,
    );
  }
  loaded ??= loadEncoder();
  const encoder = await loaded;
  const { defaultOptions } = await import("@jsquash/webp/meta.js");
  const options = {
    ...defaultOptions,
    ...(isLossless ? { lossless: 1, quality: 50 } : { quality: QUALITY }),
  };
  const steps: Step[] = [];
  let before: Uint8Array | null = null;
  for (const frame of frames) {
    signal?.throwIfAborted();
    if (frame.length !== 4 * width * height)
      throw new InvalidDataError("frame", `${width} × ${height} pixels`, `${frame.length / 4} pixels`);
    const part = before === null ? { left: 0, top: 0, width, height } : changedPart(before, frame, width);
    const last = steps.at(-1);
    if (part === null && last !== undefined) last.count++;
    else if (part !== null) {
      const pixels = cut(frame, width, part);
      const file = encoder.encode(pixels, part.width, part.height, options);
      if (file === null) throw new InvalidDataError("frame", "pixels that libwebp encodes", "an error");
      steps.push({ ...part, chunks: pictureChunks(file), count: 1 });
    }
    before = frame;
  }
  if (steps.length === 0) throw new InvalidDataError("frames", "at least one", "none");
  const canvas = new Uint8Array(10);
  canvas[0] = 0x02;
  put24(canvas, 4, width - 1);
  put24(canvas, 7, height - 1);
  // Background white, in the order blue, green, red, alpha; then how often it plays: 0 is for ever.
  const animation = Uint8Array.of(255, 255, 255, 255, 0, 0);
  const body = Buffer.concat([
    Buffer.from("WEBP", "latin1"),
    chunk("VP8X", canvas),
    chunk("ANIM", animation),
    ...steps.map((step) => chunk("ANMF", frameOf(step))),
  ]);
  return Uint8Array.from(chunk("RIFF", body));
}

/** The smallest rectangle around all pixels that differ; null if none does. */
function changedPart(before: Uint8Array, frame: Uint8Array, width: number): Part | null {
  if (before === frame) return null;
  const count = frame.length / 4;
  const then = new Uint32Array(before.buffer, before.byteOffset, count);
  const now = new Uint32Array(frame.buffer, frame.byteOffset, count);
  let [left, right, top, bottom] = [width, -1, -1, -1];
  for (let k = 0; k < count; k++) {
    if (then[k] === now[k]) continue;
    const [x, y] = [k % width, Math.floor(k / width)];
    if (top < 0) top = y;
    bottom = y;
    if (x < left) left = x;
    if (x > right) right = x;
  }
  if (bottom < 0) return null;
  const [x, y] = [left - (left % 2), top - (top % 2)];
  return { left: x, top: y, width: right - x + 1, height: bottom - y + 1 };
}

function cut(frame: Uint8Array, width: number, part: Part): Uint8Array {
  if (part.width === width && part.height * width * 4 === frame.length) return frame;
  const out = new Uint8Array(4 * part.width * part.height);
  for (let row = 0; row < part.height; row++) {
    const from = 4 * ((part.top + row) * width + part.left);
    out.set(frame.subarray(from, from + 4 * part.width), 4 * row * part.width);
  }
  return out;
}

/** The chunks of a still picture that a frame takes: those with the pixels. */
function pictureChunks(file: Uint8Array): Uint8Array {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const found: Uint8Array[] = [];
  for (let at = 12; at + 8 <= file.length; ) {
    const size = 8 + view.getUint32(at + 4, true);
    const name = String.fromCharCode(...file.subarray(at, at + 4));
    const end = at + size + (size % 2);
    if (name === "VP8 " || name === "VP8L" || name === "ALPH") found.push(file.slice(at, end));
    at = end;
  }
  return Uint8Array.from(Buffer.concat(found));
}

function frameOf({ left, top, width, height, count, chunks }: Step): Uint8Array {
  const head = new Uint8Array(16);
  put24(head, 0, left / 2);
  put24(head, 3, top / 2);
  put24(head, 6, width - 1);
  put24(head, 9, height - 1);
  put24(head, 12, Math.min(MOST_MS, Math.round((1000 * count) / RATE)));
  // Laid over what is there without mixing; nothing is taken away after it.
  head[15] = 0x02;
  return Uint8Array.from(Buffer.concat([head, chunks]));
}

function put24(bytes: Uint8Array, at: number, value: number): void {
  for (let k = 0; k < 3; k++) bytes[at + k] = (value >> (8 * k)) & 255;
}

/** A chunk: four letters, the length, the content, and a byte more where that is odd. */
function chunk(name: string, content: Uint8Array): Uint8Array {
  const out = new Uint8Array(8 + content.length + (content.length % 2));
  for (let k = 0; k < 4; k++) out[k] = name.charCodeAt(k);
  new DataView(out.buffer).setUint32(4, content.length, true);
  out.set(content, 8);
  return out;
}
