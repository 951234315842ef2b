import { advanceWidths, type FontWeight } from "./font.js";

/** Width in em of a character that the font lacks: ideographs and symbols are about square. */
const UNKNOWN_WIDTH = 1;

/**
 * Returns the width of a text in px: the sum of its characters' advances in the font that is drawn with.
 *
 * @param size - Font size in px.
 */
export function textWidth(text: string, size: number, weight: FontWeight = "regular"): number {
  const table = advanceWidths(weight);
  let em = 0;
  for (const character of text) em += table.get(character.codePointAt(0) as number) ?? UNKNOWN_WIDTH;
  return em * size;
}

/** Spaces at which a line may end: not before a percent sign, not around a multiplication sign. */
const BREAKS = /(?<!×) (?![%×])/;

/** Options of {@link wrapText}. */
export interface WrapOptions {
  /** Most lines to return; the last one ends in "…" if text is left over. Default: no limit. */
  readonly maxLines?: number;
  /** Weight of the font; default "regular". */
  readonly weight?: FontWeight;
}

/**
 * Breaks a text into lines no wider than `width` px, at spaces, or inside a word that is wider than a line.
 *
 * @param size - Font size in px.
 */
export function wrapText(text: string, size: number, width: number, options: WrapOptions = {}): string[] {
  const { maxLines = Number.POSITIVE_INFINITY, weight = "regular" } = options;
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(BREAKS).filter((part) => part !== "")) {
    const joined = line === "" ? word : `${line} ${word}`;
    if (textWidth(joined, size, weight) <= width) {
      line = joined;
      continue;
    }
    if (line !== "") lines.push(line);
    const pieces = breakWord(word, size, width, weight);
    lines.push(...pieces.slice(0, -1));
    line = pieces[pieces.length - 1] ?? "";
  }
  if (line !== "") lines.push(line);
  if (lines.length <= maxLines) return lines;
  const kept = lines.slice(0, maxLines);
  kept[maxLines - 1] = truncateText(`${kept[maxLines - 1]} ${lines[maxLines]}`, size, width, weight);
  return kept;
}

/** Returns a text of at most `width` px, cut with "…" where it is longer. */
export function truncateText(
  text: string,
  size: number,
  width: number,
  weight: FontWeight = "regular",
): string {
  if (textWidth(text, size, weight) <= width) return text;
  let kept = "";
  for (const character of text) {
    if (textWidth(`${kept}${character}…`, size, weight) > width) break;
    kept += character;
  }
  return `${kept.trimEnd()}…`;
}

function breakWord(word: string, size: number, width: number, weight: FontWeight): string[] {
  const pieces: string[] = [];
  let piece = "";
  for (const character of word) {
    if (piece !== "" && textWidth(piece + character, size, weight) > width) {
      pieces.push(piece);
      piece = "";
    }
    piece += character;
  }
  return [...pieces, piece];
}

/** Font size of tick labels, and of names of axes and panels. */
export const TICK_SIZE = 12;
export const NAME_SIZE = 13;

/** A line of text; x and y are where `align` and the middle of the line are. */
export interface PlacedText {
  readonly text: string;
  readonly x: number;
  readonly y: number;
  readonly size: number;
  readonly weight: FontWeight;
  readonly tone: "text" | "muted";
  readonly align: "left" | "center" | "right";
  /** Turned a quarter to the left. */
  readonly isVertical: boolean;
}

/** A block of wrapped lines with its style. */
export interface Block {
  readonly lines: readonly string[];
  readonly size: number;
  readonly weight: FontWeight;
  readonly tone: "text" | "muted";
}

/** Wraps a text into a block. */
export function block(
  text: string,
  size: number,
  width: number,
  weight: FontWeight,
  tone: "text" | "muted",
  maxLines?: number,
): Block {
  const lines = wrapText(text, size, width, maxLines === undefined ? { weight } : { weight, maxLines });
  return { lines, size, weight, tone };
}

function lineHeight(size: number): number {
  return Math.round(size * 1.42);
}

/** Height of blocks one below the other, each with its gap. */
export function blocksHeight(blocks: readonly Block[]): number {
  return blocks.reduce(
    (sum, { lines, size }) => sum + (lines.length > 0 ? lines.length * lineHeight(size) + 8 : 0),
    0,
  );
}

/** Places the lines of blocks one below the other. */
export function placeBlocks(blocks: readonly Block[], x: number, top: number): PlacedText[] {
  const placed: PlacedText[] = [];
  let y = top;
  for (const { lines, size, weight, tone } of blocks) {
    for (const text of lines) {
      placed.push(line(text, x, y + lineHeight(size) / 2, { align: "left", size, weight, tone }));
      y += lineHeight(size);
    }
    if (lines.length > 0) y += 8;
  }
  return placed;
}

/** How a line is set. */
export interface LineStyle {
  readonly align?: "left" | "center" | "right";
  readonly size?: number;
  readonly weight?: FontWeight;
  readonly tone?: "text" | "muted";
  readonly isVertical?: boolean;
  /** Bounds that a centred line is shifted into. */
  readonly x?: readonly [number, number];
}

/** Places one line of text. */
export function line(text: string, x: number, y: number, style: LineStyle = {}): PlacedText {
  const { align = "center", size = NAME_SIZE, weight = "regular", tone = "text", isVertical = false } = style;
  const half = textWidth(text, size, weight) / 2;
  const shifted = style.x === undefined ? x : Math.min(Math.max(x, style.x[0] + half), style.x[1] - half);
  return { text, x: shifted, y, size, weight, tone, align, isVertical };
}

/** Returns the width of text in a CSS font such as "600 12px Landscape Sans, sans-serif", for ECharts. */
export function measureText(text: string, font?: string): { width: number } {
  const size = Number(/([\d.]+)px/.exec(font ?? "")?.[1] ?? 12);
  const isBold = /(^|\s)(bold|[6-9]00)\s/.test(font ?? "");
  return { width: textWidth(text ?? "", size, isBold ? "semibold" : "regular") };
}
