import { type FontWeight, textWidth } from "./text-width.js";
import { wrapText } from "./wrap-text.js";

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
