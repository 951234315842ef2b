import { decodeNumber } from "../../base/json.js";
import type { Figure, MapPanel, Path, Series } from "../figure.js";
import type { Rect } from "./figure-frame.js";
import { digitsApart, formatLevels, formatNumber } from "./format-number.js";
import { differenceColors, roundOf, runColor, runStroke, surfaceColors, type Theme } from "./palette.js";
import { line, type PlacedText, TICK_SIZE, textWidth, truncateText } from "./placed-text.js";
import { finiteRange, type ScaleKind } from "./scales.js";
import {
  crossMark,
  disc,
  dropMark,
  endMark,
  frameShape,
  pathShape,
  pointMark,
  rectangle,
  round,
  type Shape,
  startMark,
  stroke,
  textShape,
  unknownShapes,
} from "./shapes.js";

/** What an entry of the legend shows beside its text. */
export type LegendMark =
  /** A run of the figure; with a dot unless the points have other colours. */
  | { readonly kind: "run"; readonly run: number; readonly hasDot: boolean }
  /** A curve; null is the colour of no run. */
  | {
      readonly kind: "curve";
      readonly color: number | null;
      readonly isDashed: boolean;
      readonly isDotted: boolean;
      readonly isPoints: boolean;
      readonly hasGround: boolean;
    }
  | {
      readonly kind:
        | "start"
        | "end"
        | "point"
        | "drop"
        | "minimum"
        | "unknown"
        | "no value"
        | "plane"
        | "own"
        | "gap";
    };

/** A mark and what it means. */
export interface LegendEntry {
  readonly mark: LegendMark;
  readonly text: string;
}

/** An entry at its place: x is the left edge of the mark, y the middle of the row. */
export interface PlacedLegendEntry extends LegendEntry {
  readonly x: number;
  readonly y: number;
}

/** Font size of the legend. */
const SIZE = 12;
/** Room for the mark. */
export const LEGEND_MARK_WIDTH = 30;
const GAP = 18;
const ROW = 22;
/** Room between the last row and what follows. */
export const LEGEND_BELOW = 10;
/** Longest entry in px. */
const LONGEST = 320;

/** Returns the entries that panels ask for, each once and runs first; none for a single curve. */
export function mergeEntries(entries: readonly LegendEntry[]): LegendEntry[] {
  const known = new Map<string, LegendEntry>();
  for (const entry of entries) {
    const key = JSON.stringify([entry.mark.kind, entry.text, keyOf(entry.mark)]);
    if (!known.has(key)) known.set(key, entry);
  }
  const isRun = ({ mark }: LegendEntry): boolean => mark.kind === "run";
  const all = [...known.values()];
  // What curves of several runs share follows the names of the runs.
  const isShared = ({ mark }: LegendEntry): boolean => mark.kind === "curve" && mark.color === null;
  const others = all.filter((entry) => !isRun(entry));
  const kept = [
    ...all.filter(isRun),
    ...others.filter((entry) => !isShared(entry)),
    ...others.filter(isShared),
  ];
  const isNeeded = kept.length > 1 || kept.some(({ mark }) => mark.kind !== "curve");
  return isNeeded ? kept : [];
}

function keyOf(mark: LegendMark): unknown {
  if (mark.kind === "run") return mark.run;
  return mark.kind === "curve" ? [mark.color, mark.isDashed, mark.isDotted] : "";
}

/** What entries of paths depend on. */
export interface PathEntryOptions {
  readonly hasDot?: boolean;
  readonly hasValues?: boolean;
  /** Lengths of the axes: of a drop that the star of its path's end covers there is nothing to explain. */
  readonly extents?: readonly number[];
}

/** Entries for the runs of a panel that shows several, and for the marks of their snapshots. */
export function pathEntries(
  { runs, panels }: Pick<Figure, "runs" | "panels">,
  paths: readonly Path[],
  { hasDot = true, hasValues = false, extents }: PathEntryOptions = {},
): LegendEntry[] {
  if (paths.length === 0) return [];
  const isSingle = runs.length === 1;
  const names = isSingle
    ? []
    : paths.map(({ run }) => ({ mark: { kind: "run", run, hasDot } as const, text: runs[run]?.name ?? "" }));
  const hasDrops = paths.some((path) =>
    (runs[path.run]?.drops ?? []).some((drop) => !isUnderStar(path, drop, extents)),
  );
  // Beside curves the entry names the upright lines, too.
  const hasLines = panels.some(
    (panel) => panel.kind === "curves" && panel.marks.some(({ tone }) => tone === "drop"),
  );
  return [
    ...names,
    { mark: { kind: "start" }, text: "start" },
    ...(isSingle && hasDot ? [{ mark: { kind: "point" }, text: "snapshot" } as const] : []),
    ...(hasDrops || hasLines ? [{ mark: { kind: "drop" }, text: "learning rate lowered" } as const] : []),
    { mark: { kind: "end" }, text: hasValues ? "end, with true loss" : "end" },
  ];
}

/** Share of an axis that a star covers on either side of its middle, at least. */
const STAR = 0.012;

/** Whether the star of a path's end lies over a snapshot. */
function isUnderStar({ at }: Path, snapshot: number, extents: readonly number[] | undefined): boolean {
  const [place, end] = [at[snapshot], at.at(-1)];
  if (extents === undefined || place === undefined || end === undefined) return false;
  return extents.every(
    (extent, k) => Math.abs(decodeNumber(place[k] ?? null) - decodeNumber(end[k] ?? null)) < STAR * extent,
  );
}

/** Sets entries in rows no wider than `width`, from (0, 0); a name wider than a row is cut with "…". */
export function layoutLegend(
  entries: readonly LegendEntry[],
  width: number,
): { readonly entries: readonly PlacedLegendEntry[]; readonly height: number } {
  let x = 0;
  let y = ROW / 2;
  const placed = entries.map(({ mark, text: whole }) => {
    const text = truncateText(whole, SIZE, Math.min(width, LONGEST) - LEGEND_MARK_WIDTH);
    const needed = LEGEND_MARK_WIDTH + textWidth(text, SIZE);
    if (x > 0 && x + needed > width) {
      x = 0;
      y += ROW;
    }
    const entry = { mark, text, x, y };
    x += needed + GAP;
    return entry;
  });
  return { entries: placed, height: placed.length === 0 ? 0 : y + ROW / 2 + LEGEND_BELOW };
}

/** Returns an entry of the legend: its mark with its text. */
export function legendShapes({ mark, text, x, y }: PlacedLegendEntry, figure: Figure, theme: Theme): Shape[] {
  const label = textShape(line(text, x + LEGEND_MARK_WIDTH, y, { align: "left", size: SIZE }), theme);
  return [...markShapes(mark, x + 12, y, figure, theme), label];
}

function markShapes(mark: LegendMark, x: number, y: number, { runs }: Figure, theme: Theme): Shape[] {
  const isSingle = runs.length === 1;
  const common = isSingle ? runColor(runs[0]?.color ?? 0, theme) : theme.line;
  switch (mark.kind) {
    case "start":
      return startMark(x, y, common, theme);
    case "end":
      return endMark(x, y, common, theme);
    case "point":
      return pointMark(x, y, 3.8, common, theme);
    case "drop":
      return dropMark(x, y, isSingle ? null : common, theme);
    case "minimum":
      return crossMark(x, y, theme);
    case "plane":
      return [level(x, y, common, 3.2)];
    case "own":
      return [level(x, y, common, 1.5), disc(x, y, 3.4, common), disc(x, y, 1.9, theme.background)];
    case "gap":
      return [level(x, y, theme.muted, 1)];
    case "unknown":
      return unknownShapes({ x: x - 8, y: y - 6, width: 16, height: 12 }, theme);
    case "no value":
      return [disc(x, y, 4.6, theme.hatch), disc(x, y, 3.6, theme.unknown)];
    case "run": {
      const { color, lineDash } = runStroke(runs[mark.run]?.color ?? 0, theme);
      return [level(x, y, color, 2.4, lineDash), ...(mark.hasDot ? pointMark(x, y, 3.8, color, theme) : [])];
    }
    case "curve": {
      const color = mark.color === null ? theme.muted : runColor(mark.color, theme);
      const ground = rectangle({ x: x - 12, y: y - 6, width: 24, height: 12 }, color, { opacity: 0.2 });
      return [
        ...(mark.hasGround ? [ground] : []),
        mark.isPoints
          ? disc(x, y, 3.4, color)
          : level(x, y, color, mark.isDotted ? 1.5 : 2, dashesOf(mark), 12),
      ];
    }
  }
}

/** Dashes of solid and of dashed curves, by the round through the palette: runs of one colour stay apart. */
const CURVE_DASHES: readonly (readonly [solid: readonly number[] | null, dashed: readonly number[]])[] = [
  [null, [5, 3]],
  [
    [12, 3],
    [9, 3, 2, 3],
  ],
  [
    [2, 3],
    [2, 6],
  ],
];

/** Dashes of the stroke of a curve, in px; null for a solid one. */
export function dashesOf({
  isDashed,
  isDotted,
  color,
}: Pick<Series, "isDashed" | "isDotted"> & { readonly color: number | null }): number[] | null {
  if (isDotted) return [1.5, 2.5];
  const [solid, dashed] = CURVE_DASHES[
    roundOf(color ?? 0) % CURVE_DASHES.length
  ] as (typeof CURVE_DASHES)[number];
  const dashes = isDashed ? dashed : solid;
  return dashes === null ? null : [...dashes];
}

function level(
  x: number,
  y: number,
  color: string,
  lineWidth: number,
  lineDash: readonly number[] | null = null,
  half = 10,
): Shape {
  return stroke([x - half, y], [x + half, y], { stroke: color, lineWidth, lineDash });
}

/** Which colours stand for which values. */
export interface ColorKey {
  /** What the values are. */
  readonly title: string;
  readonly kind: ScaleKind;
  /** Bands from low to high. */
  readonly colors: readonly string[];
  /** Values with their place on the bar, 0 at the bottom and 1 at the top. */
  readonly marks: readonly { readonly value: number; readonly share: number }[];
  /** Least and greatest value, written at the ends; null where it lies inside the levels. Default none. */
  readonly ends?: readonly [low: number | null, high: number | null] | undefined;
}

/** A colour bar at its place. */
export interface PlacedColorBar {
  readonly key: ColorKey;
  readonly rect: Rect;
  /** From left to right, below the plot. Default from bottom to top, beside it. */
  readonly isBelow?: boolean;
}

/** Width of a colour bar, and its distance from the plot. */
const WIDTH = 14;
const BAR_GAP = 12;
/** Least distance between labels in px; of labels that are nearer some are left out. */
const LEAST_STEP = 16;

/** Returns the room beside a plot that a bar takes with its labels and its name. */
export function colorBarRoom(key: ColorKey): number {
  return Math.ceil(BAR_GAP + WIDTH + 6 + labelWidth(key) + 8 + 18);
}

/** Places a bar right of a plot, with its name beside it. */
export function placeColorBar(
  key: ColorKey,
  plot: Rect,
  height = plot.height,
): { readonly bar: PlacedColorBar; readonly texts: readonly PlacedText[] } {
  const rect = { x: plot.x + plot.width + BAR_GAP, y: plot.y, width: WIDTH, height };
  const name = line(barName(key, height), rect.x + WIDTH + 6 + labelWidth(key) + 8 + 9, rect.y + height / 2, {
    isVertical: true,
    size: TICK_SIZE,
  });
  return { bar: { key, rect }, texts: [name] };
}

/** Room that a bar below a plot takes, with its labels and its name. */
export const BAR_BELOW = WIDTH + 6 + 14 + 22;

/** Places a bar below a plot and the `below` px of its names. */
export function placeColorBarBelow(
  key: ColorKey,
  plot: Rect,
  below: number,
): { readonly bar: PlacedColorBar; readonly texts: readonly PlacedText[] } {
  const rect = { x: plot.x, y: plot.y + plot.height + below, width: plot.width, height: WIDTH };
  const y = rect.y + BAR_BELOW - 12;
  return {
    bar: { key, rect, isBelow: true },
    texts: [line(barName(key, plot.width), plot.x + plot.width / 2, y, { size: TICK_SIZE })],
  };
}

/** A bar from left to right, with its labels below it. */
function levelBarShapes({ key, rect }: PlacedColorBar, theme: Theme): Shape[] {
  const step = rect.width / key.colors.length;
  const last = key.colors.length - 1;
  const bands = key.colors.map((color, index) =>
    rectangle({ ...rect, x: rect.x + index * step, width: step + (index < last ? 0.5 : 0) }, color),
  );
  const bottom = rect.y + rect.height;
  const texts = formatLevels(key.marks.map(({ value }) => value));
  let free = Number.NEGATIVE_INFINITY;
  const labels = key.marks.flatMap(({ share }, index): Shape[] => {
    const text = texts[index] as string;
    const x = rect.x + rect.width * share;
    const half = textWidth(text, TICK_SIZE) / 2;
    if (x - half < free) return [];
    free = x + half + 8;
    const tick = pathShape(`M${round(x)} ${round(bottom - 4)}V${round(bottom + 3)}`, {
      fill: "none",
      stroke: theme.line,
      lineWidth: 1,
    });
    return [tick, textShape(line(text, x, bottom + 12, { size: TICK_SIZE, tone: "muted" }), theme)];
  });
  return [...bands, frameShape(rect, theme), ...labels];
}

/** Returns the bar with its labels, thinned out where they would touch. */
export function colorBarShapes(bar: PlacedColorBar, theme: Theme): Shape[] {
  if (bar.isBelow === true) return levelBarShapes(bar, theme);
  const { key, rect } = bar;
  const step = rect.height / key.colors.length;
  const bands = key.colors.map((color, index) =>
    rectangle(
      { ...rect, y: rect.y + rect.height - (index + 1) * step, height: step + (index > 0 ? 0.5 : 0) },
      color,
    ),
  );
  const texts = formatLevels(key.marks.map(({ value }) => value));
  // An end that reads as its level says nothing more.
  const [low, high] = (rect.height >= 3 * LEAST_STEP ? (key.ends ?? []) : []).map((value, i) =>
    value !== null && endText(key, value) === texts.at(-i) ? null : value,
  );
  let kept = typeof low === "number" ? 0 : Number.NEGATIVE_INFINITY;
  const most = typeof high === "number" ? 1 - (LEAST_STEP - 1e-6) / rect.height : 1;
  const labels = key.marks.flatMap(({ share }, index): Shape[] => {
    if ((share - kept) * rect.height < LEAST_STEP - 1e-6 || share > most) return [];
    kept = share;
    const y = rect.y + rect.height * (1 - share);
    const right = rect.x + rect.width;
    const tick = pathShape(`M${round(right - 4)} ${round(y)}H${round(right + 3)}`, {
      fill: "none",
      stroke: theme.line,
      lineWidth: 1,
    });
    const style = { align: "left", size: TICK_SIZE, tone: "muted" } as const;
    return [tick, textShape(line(texts[index] as string, right + 6, y, style), theme)];
  });
  const ends = [low, high].flatMap((value, index): Shape[] => {
    if (typeof value !== "number") return [];
    const text = endText(key, value);
    const style = { align: "left", size: TICK_SIZE, weight: "semibold" } as const;
    return [textShape(line(text, rect.x + rect.width + 6, rect.y + (1 - index) * rect.height, style), theme)];
  });
  return [...bands, frameShape(rect, theme), ...labels, ...ends];
}

/** The least or greatest value: with as many digits as its levels need, so that it is on the right side of them. */
function endText({ marks }: ColorKey, value: number): string {
  const levels = marks.map((mark) => mark.value);
  return formatNumber(value, digitsApart(levels, 3));
}

function labelWidth(key: ColorKey): number {
  const labels = formatLevels(key.marks.map(({ value }) => value));
  const ends = (key.ends ?? []).flatMap((value) => (value === null ? [] : [endText(key, value)]));
  return Math.max(
    0,
    ...labels.map((label) => textWidth(label, TICK_SIZE)),
    ...ends.map((label) => textWidth(label, TICK_SIZE, "semibold")),
  );
}

/** The longest name of a bar that fits beside it. */
function barName({ title, kind }: ColorKey, room: number): string {
  const names = kind === "linear" ? [title] : [`${title} (${kind} scale)`, `${title} (${kind})`, title];
  return names.find((name) => textWidth(name, TICK_SIZE) <= room) ?? truncateText(title, TICK_SIZE, room);
}

/**
 * Returns the colours of a map's levels; null where it has no values.
 *
 * @param tint - share of white mixed in; default that of maps, none where light and rims part path and surface.
 */
export function mapColors(
  { scale, palette, quantity, colors, values }: MapPanel,
  tint?: number,
): ColorKey | null {
  if (scale === null) return null;
  const range = values === null ? null : finiteRange(values.map(decodeNumber));
  const count = scale.levels.length + 1;
  return {
    title: quantity,
    kind: scale.kind,
    colors: palette === "difference" ? differenceColors(count) : (colors ?? surfaceColors(count, tint)),
    marks: scale.levels.map((value, index) => ({ value, share: (index + 1) / count })),
    ends: range === null || range[0] === range[1] ? undefined : outsideOf(scale.levels, range),
  };
}

/** Least and greatest value, each only where it lies in the colour of its end: levels may be common to several maps. */
function outsideOf(
  levels: readonly number[],
  [low, high]: readonly [number, number],
): readonly [number | null, number | null] {
  const [first = Number.POSITIVE_INFINITY, last = Number.NEGATIVE_INFINITY] = [levels[0], levels.at(-1)];
  return [low <= first ? low : null, high >= last ? high : null];
}
