/** A frame of a GIF as its blocks say. */
export interface GifFrame {
  readonly width: number;
  readonly height: number;
  /** Milliseconds. */
  readonly delay: number;
  /** Indices into the palette, decoded. */
  readonly indices: Uint8Array;
  /** The index that says "as before", or null. */
  readonly transparent: number | null;
}

/** A GIF as its blocks say. */
export interface ParsedGif {
  readonly width: number;
  readonly height: number;
  /** Repetitions, 0 for ever; null without the extension. */
  readonly loop: number | null;
  readonly palette: Uint8Array;
  readonly frames: readonly GifFrame[];
}

/** Reads a GIF by the format's description (version 89a, one palette): a second implementation. */
export function parseGif(bytes: Uint8Array): ParsedGif {
  const file = Buffer.from(bytes);
  if (file.toString("latin1", 0, 6) !== "GIF89a") throw new Error("not a GIF89a");
  const flags = file[10] as number;
  const colors = flags & 0x80 ? 2 << (flags & 7) : 0;
  const palette = new Uint8Array(file.subarray(13, 13 + 3 * colors));
  let at = 13 + 3 * colors;
  let loop: number | null = null;
  let control = { delay: 0, transparent: null as number | null };
  const frames: GifFrame[] = [];
  const blocks = (): Buffer => {
    const parts: Buffer[] = [];
    for (let size = file[at++] as number; size > 0; size = file[at++] as number) {
      parts.push(file.subarray(at, at + size));
      at += size;
    }
    return Buffer.concat(parts);
  };
  for (;;) {
    const mark = file[at++];
    if (mark === 0x3b) break;
    if (mark === 0x21) {
      const label = file[at++];
      const data = blocks();
      if (label === 0xf9) {
        const packed = data[0] as number;
        control = { delay: 10 * data.readUInt16LE(1), transparent: packed & 1 ? (data[3] as number) : null };
      } else if (label === 0xff) loop = data.readUInt16LE(data.length - 2);
    } else if (mark === 0x2c) {
      const [width, height] = [file.readUInt16LE(at + 4), file.readUInt16LE(at + 6)];
      if ((file[at + 8] as number) & 0x80) throw new Error("a palette of its own");
      at += 9;
      const size = file[at++] as number;
      frames.push({ width, height, ...control, indices: unpack(blocks(), size, width * height) });
    } else throw new Error(`unknown block ${mark} at ${at}`);
  }
  if (at !== file.length) throw new Error("bytes after the end");
  return { width: file.readUInt16LE(6), height: file.readUInt16LE(8), loop, palette, frames };
}

/** Variable-width LZW. */
function unpack(data: Buffer, leastSize: number, length: number): Uint8Array {
  const clear = 1 << leastSize;
  const out = new Uint8Array(length);
  let table: number[][] = [];
  let size = leastSize + 1;
  let [bits, held, next, written] = [0, 0, 0, 0];
  let before: number[] | null = null;
  const reset = (): void => {
    table = Array.from({ length: clear + 2 }, (_, i) => (i < clear ? [i] : []));
    size = leastSize + 1;
    before = null;
  };
  reset();
  for (;;) {
    while (held < size) {
      bits |= (data[next++] as number) << held;
      held += 8;
    }
    const code = bits & ((1 << size) - 1);
    bits >>>= size;
    held -= size;
    if (code === clear) {
      reset();
      continue;
    }
    if (code === clear + 1) break;
    const old: number[] | null = before;
    const entry: number[] = table[code] ?? [...(old ?? []), (old ?? [0])[0] as number];
    for (const index of entry) out[written++] = index;
    if (old !== null && table.length < 4096) table.push([...old, entry[0] as number]);
    if (table.length === 1 << size && size < 12) size++;
    before = entry;
  }
  if (written !== length) throw new Error(`expected ${length} pixels, got ${written}`);
  return out;
}
