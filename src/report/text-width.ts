import { REGULAR_WIDTHS, SEMIBOLD_WIDTHS, UNITS_PER_EM } from "./font-widths.js";

/** Family name of the font that pictures carry inside them. */
export const FONT_FAMILY = "Landscape Sans";

/** The family with substitutes for viewers that ignore embedded fonts. */
export const FONT_STACK = `${FONT_FAMILY}, Inter, Helvetica, Arial, sans-serif`;

/** Weight of text. */
export type FontWeight = "regular" | "semibold";

/** Width in em of a character that the font lacks: ideographs and symbols are about square. */
const UNKNOWN_WIDTH = 1;

const tables: Partial<Record<FontWeight, ReadonlyMap<number, number>>> = {};

/** Returns advance widths in em by code point. */
export function advanceWidths(weight: FontWeight): ReadonlyMap<number, number> {
  const known = tables[weight];
  if (known !== undefined) return known;
  const table = parseWidths(weight === "regular" ? REGULAR_WIDTHS : SEMIBOLD_WIDTHS);
  tables[weight] = table;
  return table;
}

/**
 * Returns the width of a text in px: the sum of its characters' advances in the embedded font.
 *
 * @param size - Font size in px.
 */
export function textWidth(text: string, size: number, weight: FontWeight = "regular"): number {
  const table = advanceWidths(weight);
  let em = 0;
  for (const character of text) em += table.get(character.codePointAt(0) as number) ?? UNKNOWN_WIDTH;
  return em * size;
}

function parseWidths(encoded: string): ReadonlyMap<number, number> {
  const table = new Map<number, number>();
  for (const run of encoded.split(";")) {
    const [start = "", widths = ""] = run.split(":");
    let codePoint = Number.parseInt(start, 36);
    for (const item of widths.split(",")) {
      const [width = "", repeat = "1"] = item.split("*");
      for (let k = 0; k < Number(repeat); k++)
        table.set(codePoint++, Number.parseInt(width, 36) / UNITS_PER_EM);
    }
  }
  return table;
}
