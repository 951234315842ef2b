import { type FontWeight, textWidth } from "./text-width.js";

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
