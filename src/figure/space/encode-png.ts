import { zlibSync } from "fflate";
import type { Pixels } from "./render-scene.js";

/** How a row is written: as it is, or as differences from the pixel to the left or above. */
const FILTERS = [0, 1, 2] as const;

/**
 * Encodes pixels as a PNG file; pure, so that a browser can do it too. The same pixels give the same bytes.
 *
 * @param level - 0 stores, which is quick; 9 is the smallest file. Default 6.
 */
export function encodePng({ width, height, rgba }: Pixels, level: 0 | 6 | 9 = 6): Uint8Array {
  const head = new Uint8Array(13);
  const view = new DataView(head.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  head.set([8, 6, 0, 0, 0], 8);
  const data = zlibSync(level === 0 ? unfiltered(rgba, width, height) : filtered(rgba, width, height), {
    level,
  });
  const chunks = [chunk("IHDR", head), chunk("IDAT", data), chunk("IEND", new Uint8Array(0))];
  const out = new Uint8Array(8 + chunks.reduce((sum, { length }) => sum + length, 0));
  out.set([137, 80, 78, 71, 13, 10, 26, 10]);
  let at = 8;
  for (const bytes of chunks) {
    out.set(bytes, at);
    at += bytes.length;
  }
  return out;
}

function unfiltered(rgba: Uint8Array, width: number, height: number): Uint8Array {
  const row = 4 * width;
  const out = new Uint8Array((row + 1) * height);
  for (let j = 0; j < height; j++) out.set(rgba.subarray(j * row, (j + 1) * row), j * (row + 1) + 1);
  return out;
}

/** Each row by the filter that leaves the least differences. */
function filtered(rgba: Uint8Array, width: number, height: number): Uint8Array {
  const row = 4 * width;
  const out = new Uint8Array((row + 1) * height);
  const tried = FILTERS.map(() => new Uint8Array(row));
  for (let j = 0; j < height; j++) {
    let best = 0;
    let least = Number.POSITIVE_INFINITY;
    for (const filter of FILTERS) {
      const to = tried[filter] as Uint8Array;
      let sum = 0;
      for (let i = 0; i < row; i++) {
        const at = j * row + i;
        const before = filter === 1 ? (i < 4 ? 0 : rgba[at - 4]) : filter === 2 && j > 0 ? rgba[at - row] : 0;
        const value = ((rgba[at] as number) - (before as number)) & 255;
        to[i] = value;
        sum += value < 128 ? value : 256 - value;
      }
      if (sum < least) [best, least] = [filter, sum];
    }
    out[j * (row + 1)] = best;
    out.set(tried[best] as Uint8Array, j * (row + 1) + 1);
  }
  return out;
}

function chunk(name: string, data: Uint8Array): Uint8Array {
  const out = new Uint8Array(12 + data.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, data.length);
  for (let k = 0; k < 4; k++) out[4 + k] = name.charCodeAt(k);
  out.set(data, 8);
  view.setUint32(8 + data.length, crc32(out.subarray(4, 8 + data.length)));
  return out;
}

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

function crc32(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of bytes) c = (CRC[(c ^ byte) & 255] as number) ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}
