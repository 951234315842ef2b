import { REGULAR_WIDTHS, SEMIBOLD_WIDTHS, UNITS_PER_EM } from "../files/font-widths.js";

/** Family name of the font that pictures carry inside them. */
export const FONT_FAMILY = "Landscape Sans";

/** The family with substitutes for viewers that ignore embedded fonts. */
export const FONT_STACK = `${FONT_FAMILY}, Inter, Helvetica, Arial, sans-serif`;

/** Weight of text. */
export type FontWeight = "regular" | "semibold";

/** A font of the user in place of the package's, as plain data: pages carry it. */
export interface OwnFont {
  /** Family name in style sheets: letters, digits, spaces, hyphens. */
  readonly family: string;
  /** By weight: advance widths of every character in units, as {@link encodeWidths} writes them. */
  readonly widths: Readonly<Record<FontWeight, string>>;
  readonly unitsPerEm: Readonly<Record<FontWeight, number>>;
}

type Widths = ReadonlyMap<number, number>;

/**
 * The font that is drawn with now; null is the package's own. Layout asks for widths of texts at some thirty places:
 * it is set around a whole drawing by {@link withFont}, which ends with the call, and on a page once.
 */
let current: OwnFont | null = null;

const packaged: Partial<Record<FontWeight, Widths>> = {};
/** Of a user's font its own widths, and those with the gaps filled. */
const owned = new WeakMap<OwnFont, Partial<Record<FontWeight, Widths>>>();
const filled = new WeakMap<OwnFont, Partial<Record<FontWeight, Widths>>>();

/** Draws with a font: everything that `draw` lays out and draws until it returns. */
export function withFont<T>(font: OwnFont | null, draw: () => T): T {
  const before = current;
  current = font;
  try {
    return draw();
  } finally {
    current = before;
  }
}

/** Draws with a font from now on, as a page does. */
export function useFont(font: OwnFont | null): void {
  current = font;
}

/** The font that is drawn with; null is the package's own. */
export function currentFont(): OwnFont | null {
  return current;
}

/** Families of text, for styles: the user's first, since the package's font has signs that others lack. */
export function fontStack(): string {
  return current === null ? FONT_STACK : `'${current.family}', ${FONT_STACK}`;
}

/** Returns advance widths in em by code point of the font that is drawn with, and of the one that fills its gaps. */
export function advanceWidths(weight: FontWeight): Widths {
  if (current === null) return packagedWidths(weight);
  const known = filled.get(current) ?? {};
  filled.set(current, known);
  known[weight] ??= new Map([...packagedWidths(weight), ...ownWidths(current, weight)]);
  return known[weight];
}

/** Advance widths in em by code point of the package's font. */
export function packagedWidths(weight: FontWeight): Widths {
  packaged[weight] ??= decodeWidths(weight === "regular" ? REGULAR_WIDTHS : SEMIBOLD_WIDTHS, UNITS_PER_EM);
  return packaged[weight];
}

/** Advance widths in em by code point of a user's font. */
export function ownWidths(font: OwnFont, weight: FontWeight): Widths {
  const known = owned.get(font) ?? {};
  owned.set(font, known);
  known[weight] ??= decodeWidths(font.widths[weight], font.unitsPerEm[weight]);
  return known[weight];
}

/** Characters of a text that a user's font lacks in one of its weights, each once; spaces are none. */
export function lackingIn(font: OwnFont, text: string): string[] {
  const known = (["regular", "semibold"] as const).map((weight) => ownWidths(font, weight));
  const characters = [...new Set(text.replace(/[\s\p{Mark}\p{Control}\p{Format}]/gu, ""))];
  return characters
    .filter((character) => known.some((widths) => !widths.has(character.codePointAt(0) as number)))
    .sort();
}

/**
 * Returns advance widths as a short text: `start:width,width*repeat,…;…`, all numbers in base 36 but the repeats.
 *
 * @param widths - widths in units by code point, in increasing order of these.
 */
export function encodeWidths(widths: Iterable<readonly [codePoint: number, units: number]>): string {
  const runs: { next: number; readonly start: number; readonly items: [width: number, count: number][] }[] =
    [];
  for (const [codePoint, width] of widths) {
    let run = runs.at(-1);
    if (run === undefined || run.next !== codePoint) {
      run = { start: codePoint, next: codePoint, items: [] };
      runs.push(run);
    }
    run.next++;
    const last = run.items.at(-1);
    if (last !== undefined && last[0] === width) last[1]++;
    else run.items.push([width, 1]);
  }
  const itemOf = ([width, count]: readonly [number, number]): string =>
    `${width.toString(36)}${count === 1 ? "" : `*${count}`}`;
  return runs.map(({ start, items }) => `${start.toString(36)}:${items.map(itemOf).join(",")}`).join(";");
}

function decodeWidths(encoded: string, unitsPerEm: number): Widths {
  const table = new Map<number, number>();
  for (const run of encoded.split(";")) {
    const [start = "", widths = ""] = run.split(":");
    let codePoint = Number.parseInt(start, 36);
    for (const item of widths.split(",")) {
      const [width = "", repeat = "1"] = item.split("*");
      for (let k = 0; k < Number(repeat); k++)
        table.set(codePoint++, Number.parseInt(width, 36) / unitsPerEm);
    }
  }
  return table;
}
