import { InvalidOptionError } from "../../base/errors.js";
import { formatNumber } from "./format-number.js";
import { type Block, block, blocksHeight, type PlacedText, placeBlocks } from "./placed-text.js";

/**
 * Returns about `count` round values (1, 2 or 5 times a power of ten) inside [min, max], increasing.
 *
 * Each value is computed as an integer times the step, so that 0 is exactly 0 and nothing accumulates.
 */
export function niceTicks(min: number, max: number, count: number): number[] {
  if (!(max > min) || !Number.isFinite(max - min)) return min === max ? [min] : [];
  const rough = (max - min) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const error = rough / power;
  const factor = error >= Math.sqrt(50) ? 10 : error >= Math.sqrt(10) ? 5 : error >= Math.SQRT2 ? 2 : 1;
  // Below 1 a division by an integer keeps the digits clean: 3 / 10, not 3 × 0.1.
  const step = factor * power;
  const inverse = power < 1 ? Math.round(1 / power) / factor : 0;
  const at = (index: number): number => (inverse > 0 ? index / inverse : index * step);
  const first = Math.ceil(min / step - 1e-9);
  const last = Math.floor(max / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => at(first + index) + 0);
}

/** Size and parts of a picture. */
export interface TrajectoryLayoutOptions {
  /** Width in px, at least 280; default 1100. */
  readonly width?: number;
  /** Height in px; default what the content needs. The map takes up or gives way to what is left. */
  readonly height?: number;
  /** "figure" (default): with title, fidelity and caption; "chart": without, where a page sets them itself. */
  readonly parts?: "figure" | "chart";
}

/** A tick: its position in data units and its label. */
export interface Tick {
  readonly value: number;
  readonly label: string;
}

/** Least width of a picture in px. */
export const LEAST_WIDTH = 280;

/** Greatest width and height of a picture in px: a PNG of twice that is near what memory and viewers take. */
const MOST_SIZE = 8000;

/** Below this width a picture has narrow margins. */
export const NARROW = 720;

/** The texts around the content of a picture. */
export interface FrameTexts {
  readonly title: string;
  /** Paragraphs between content and caption. */
  readonly paragraphs?: readonly string[];
  readonly caption: string;
  readonly provenance: string;
}

/** What surrounds the content of a picture, and the room that it leaves. */
export interface FigureFrame {
  readonly width: number;
  readonly padding: number;
  /** Width without the padding. */
  readonly inner: number;
  /** Height of the title, and of what stands below the content. */
  readonly headHeight: number;
  readonly footHeight: number;
  /** The texts at their places in a picture of this height: title on top, the others at the bottom. */
  place(height: number): PlacedText[];
}

/**
 * Lays out title, paragraphs, caption and provenance of a picture.
 *
 * @param least - least width; default that of every picture.
 * @throws {@link InvalidOptionError} if the width is too small or too great.
 */
export function layoutFrame(
  texts: FrameTexts,
  width: number,
  parts: TrajectoryLayoutOptions["parts"] = "figure",
  least: number = LEAST_WIDTH,
): FigureFrame {
  if (!(width >= least && width <= MOST_SIZE)) {
    const bound = width > MOST_SIZE ? `at most ${MOST_SIZE}` : `at least ${least}`;
    throw new InvalidOptionError("width", `${bound} px`, String(width));
  }
  const padding = width < NARROW ? 12 : 20;
  const inner = width - 2 * padding;
  const isFigure = parts === "figure";
  const head = isFigure ? [block(texts.title, 18, inner, "semibold", "text", 2)] : [];
  const foot: Block[] = isFigure
    ? [
        ...(texts.paragraphs ?? []).map((text) => block(text, 12.5, inner, "regular", "text")),
        block(texts.caption, 12, inner, "regular", "muted"),
        block(texts.provenance, 11, inner, "regular", "muted"),
      ]
    : [];
  const footHeight = blocksHeight(foot);
  return {
    width,
    padding,
    inner,
    headHeight: blocksHeight(head),
    footHeight,
    place: (height) => [
      ...placeBlocks(head, padding, padding),
      ...placeBlocks(foot, padding, Math.max(height - padding - footHeight, 0)),
    ],
  };
}

/** @throws {@link InvalidOptionError} if a height was asked for that is too small for what there is to say, or too great. */
export function checkHeight(height: number | undefined, least: number): void {
  if (height === undefined || (height >= least && height <= Math.max(least, MOST_SIZE))) return;
  if (height > least) throw new InvalidOptionError("height", `at most ${MOST_SIZE} px`, String(height));
  throw new InvalidOptionError("height", `at least ${least} px for this figure`, String(height));
}

/** Returns about `count` round ticks of an axis of increasing coordinates. */
export function ticksOf(axis: readonly number[], count: number): Tick[] {
  const [min, max] = [axis[0] as number, axis[axis.length - 1] as number];
  return niceTicks(min, max, count).map((value) => ({ value, label: formatNumber(value, 6) }));
}

/** A rectangle in px from the top left corner. */
export interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}
