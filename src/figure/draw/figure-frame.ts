import { InvalidOptionError } from "../../base/errors.js";
import { decodeNumber, defined } from "../../base/json.js";
import type { FigureAxis, MapPanel } from "../figure.js";
import { formatNumber, formatPercent } from "./format-number.js";
import type { ThemeName } from "./palette.js";
import {
  type Block,
  block,
  blocksHeight,
  line,
  NAME_SIZE,
  type PlacedText,
  placeBlocks,
  TICK_SIZE,
  textWidth,
  truncateText,
} from "./placed-text.js";
import { niceTicks } from "./scales.js";

/** From where a picture in three dimensions is looked at, in degrees. */
export interface SceneView {
  /** Above the floor: 0 from the side, 90 from the top. */
  readonly elevation: number;
  /** Around the vertical axis. */
  readonly azimuth: number;
  /** How much nearer than where everything is in sight; default 1. */
  readonly zoom?: number | undefined;
}

/** Size, colours and parts of a picture. */
export interface DrawOptions {
  /** Width in px, at least 280; default what the panels need. */
  readonly width?: number | undefined;
  /** Height in px; default what the content needs. The panels take up or give way to what is left. */
  readonly height?: number | undefined;
  /** Margin in px. Default 20, in a narrow picture 12. */
  readonly padding?: number | undefined;
  /** Colours for light (default) or dark surroundings. */
  readonly theme?: ThemeName | undefined;
  /** "figure" (default): with title, fidelity and caption; "chart": without, where a page sets them itself. */
  readonly parts?: "figure" | "chart" | undefined;
  /** Draws the panels of pages too. Default false. */
  readonly isPage?: boolean | undefined;
  /** From where a picture in three dimensions is looked at. Default from the front right, a little above. */
  readonly view?: SceneView | undefined;
  /** Leaves room to turn a surface in 3-D without a change of its size, as pages and movies do. Default false. */
  readonly isTurning?: boolean | undefined;
  /** Shows a surface in 3-D as the flat cells of the grid that was evaluated. Default false. */
  readonly isFaceted?: boolean | undefined;
  /** Pixels for each px of what is drawn as pixels: surfaces in 3-D. Default 2. */
  readonly pixelRatio?: number | undefined;
  /** Draws only snapshots up to this count of the figure's `progress`, to play a training. Default all. */
  readonly until?: number | undefined;
  /** Places in the palette of the runs that are left out; axes stay as they are. Default none. */
  readonly hidden?: ReadonlySet<number> | undefined;
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
  /** A sentence between title and content. */
  readonly verdict?: string | undefined;
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
  { parts = "figure", padding = width < NARROW ? 12 : 20 }: Pick<DrawOptions, "parts" | "padding"> = {},
  least: number = LEAST_WIDTH,
): FigureFrame {
  if (!(width >= least && width <= MOST_SIZE)) {
    const bound = width > MOST_SIZE ? `at most ${MOST_SIZE}` : `at least ${least}`;
    throw new InvalidOptionError("width", `${bound} px`, String(width));
  }
  const inner = width - 2 * padding;
  const isFigure = parts === "figure";
  const head = isFigure
    ? [
        block(texts.title, 18, inner, "semibold", "text", 2),
        block(texts.verdict ?? "", 14, inner, "regular", "text"),
      ]
    : [];
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

/** Returns about `count` round ticks of an axis of increasing coordinates, two at least: one tick is no scale. */
export function ticksOf(axis: readonly number[], count: number): Tick[] {
  const [min, max] = [axis[0] as number, axis[axis.length - 1] as number];
  const tried = [1, 2, 3].map((times) => niceTicks(min, max, times * count));
  const ticks = tried.find((values) => values.length > 1) ?? (tried[0] as number[]);
  return ticks.map((value) => ({ value, label: formatNumber(value, 6) }));
}

/** Returns the width of the widest label. */
export function widestLabel(ticks: readonly Tick[]): number {
  return Math.max(0, ...ticks.map(({ label }) => textWidth(label, TICK_SIZE)));
}

/** Returns the longest form of an axis title that fits. */
export function axisTitle(axis: FigureAxis, available: number): string {
  const ratio = decodeNumber(axis.explainedVarianceRatio);
  const walk = decodeNumber(axis.randomWalkBaseline);
  const short = Number.isFinite(ratio)
    ? [
        ...(Number.isFinite(walk)
          ? [`${axis.label}: ${formatPercent(ratio)} (walk: ${formatPercent(walk)})`]
          : []),
        `${axis.label}: ${formatPercent(ratio)}`,
      ]
    : [];
  const fits = [axis.title, ...short].find((title) => textWidth(title, NAME_SIZE) <= available);
  return fits ?? truncateText(axis.label, NAME_SIZE, available);
}

/** Room below a plot for tick labels and the name of the axis. */
export const NAMES_BELOW = 8 + 16 + 24;

/** Room above plots for their headings. */
export function headingRoom(panels: readonly { readonly title: string }[]): number {
  return panels.some(({ title }) => title !== "") ? 26 : 6;
}

/** The heading of a panel, cut to its width; nothing without a title. */
export function headingTexts(title: string, { x, y, width }: Omit<Rect, "height">): PlacedText[] {
  if (title === "") return [];
  const shown = truncateText(title, NAME_SIZE, width, "semibold");
  return [line(shown, x, y + 9, { align: "left", weight: "semibold" })];
}

/** The name of the horizontal axis of a plot, shifted into the bounds. */
export function nameBelow(name: string, plot: Rect, x?: readonly [number, number]): PlacedText {
  const y = plot.y + plot.height + NAMES_BELOW - 13;
  return line(name, plot.x + plot.width / 2, y, defined({ x }));
}

/** The name of an upright axis of a plot. */
export function uprightName(name: string, x: number, plot: Rect): PlacedText {
  return line(name, x, plot.y + plot.height / 2, { isVertical: true });
}

/** Whether a place lies in a rectangle. */
export function isInside(
  { x, y, width, height }: Rect,
  at: { readonly x: number; readonly y: number },
): boolean {
  return at.x >= x && at.x <= x + width && at.y >= y && at.y <= y + height;
}

/** First and last coordinate of an axis. */
export function edgesOf(axis: readonly number[]): { readonly min: number; readonly max: number } {
  return { min: axis[0] as number, max: axis[axis.length - 1] as number };
}

/** Length of an axis in its own units. */
export function extentOf(axis: readonly number[]): number {
  const { min, max } = edgesOf(axis);
  return max - min;
}

/** Returns the mapping of a map's plane onto its plot; beta grows upwards. */
export function planeToPixel(
  { alpha, beta }: Pick<MapPanel, "alpha" | "beta">,
  plot: Rect,
): (at: readonly number[]) => { readonly x: number; readonly y: number } {
  const [a, b] = [edgesOf(alpha), edgesOf(beta)];
  return ([x = Number.NaN, y = Number.NaN]) => ({
    x: plot.x + ((x - a.min) / (a.max - a.min)) * plot.width,
    y: plot.y + plot.height - ((y - b.min) / (b.max - b.min)) * plot.height,
  });
}

/** Returns the place of the plane at a place of its plot, the inverse of {@link planeToPixel}. */
export function pixelToPlane(
  { alpha, beta }: Pick<MapPanel, "alpha" | "beta">,
  plot: Rect,
  at: { readonly x: number; readonly y: number },
): { readonly x: number; readonly y: number } {
  return {
    x: edgesOf(alpha).min + ((at.x - plot.x) / plot.width) * extentOf(alpha),
    y: edgesOf(beta).max - ((at.y - plot.y) / plot.height) * extentOf(beta),
  };
}

/** A rectangle in px from the top left corner. */
export interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}
