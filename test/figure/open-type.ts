/**
 * Reads the advance widths, in em by code point, from an OpenType file's `head`, `hhea`, `hmtx` and `cmap`
 * tables: a second source for what the package keeps as a table.
 */
export function readAdvances(file: Buffer): Map<number, number> {
  const tables = new Map<string, number>();
  for (let k = 0; k < file.readUInt16BE(4); k++) {
    const record = 12 + 16 * k;
    tables.set(file.toString("latin1", record, record + 4), file.readUInt32BE(record + 8));
  }
  const table = (name: string): number => tables.get(name) as number;
  const unitsPerEm = file.readUInt16BE(table("head") + 18);
  const longMetrics = file.readUInt16BE(table("hhea") + 34);
  const advance = (glyph: number): number =>
    file.readUInt16BE(table("hmtx") + 4 * Math.min(glyph, longMetrics - 1)) / unitsPerEm;
  const advances = new Map<number, number>();
  for (const [codePoint, glyph] of glyphs(file, table("cmap"))) advances.set(codePoint, advance(glyph));
  return advances;
}

/** Pairs of code point and glyph from the format 4 subtable (segments of the basic plane). */
function* glyphs(file: Buffer, cmap: number): Generator<[number, number]> {
  let start = -1;
  for (let k = 0; k < file.readUInt16BE(cmap + 2); k++) {
    const offset = cmap + file.readUInt32BE(cmap + 4 + 8 * k + 4);
    if (file.readUInt16BE(offset) === 4) start = offset;
  }
  const segments = file.readUInt16BE(start + 6) / 2;
  const at = (list: number, k: number): number => start + 14 + 2 * (list * segments + k) + (list > 0 ? 2 : 0);
  for (let k = 0; k < segments; k++) {
    const [end, first] = [file.readUInt16BE(at(0, k)), file.readUInt16BE(at(1, k))];
    const delta = file.readUInt16BE(at(2, k));
    const range = file.readUInt16BE(at(3, k));
    for (let code = first; code <= end && code < 0xffff; code++) {
      const index = range === 0 ? code : file.readUInt16BE(at(3, k) + range + 2 * (code - first));
      if (index !== 0) yield [code, (index + delta) & 0xffff];
    }
  }
}
