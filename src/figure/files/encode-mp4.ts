import { InvalidDataError } from "../../base/errors.js";

/** Opaque pictures of one size, one after the other. */
export interface MovieFrames {
  /** In pixels, even. */
  readonly width: number;
  readonly height: number;
  /** Each (height, width, 4), red, green, blue, 255; the same array again where nothing has changed. */
  readonly frames: Iterable<Uint8Array>;
}

/** Frames a second: even for those who look at each, and half the work of 50. */
export const RATE = 25;
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
