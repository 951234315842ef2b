import type { Figure, Series } from "../figure.js";
import { runColor, runStroke, type Theme } from "./palette.js";
import { line, textWidth, truncateText } from "./placed-text.js";
import {
  disc,
  dropMark,
  endMark,
  pointMark,
  type Shape,
  startMark,
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
      readonly kind: "start" | "end" | "point" | "drop" | "unknown" | "no value" | "plane" | "own" | "gap";
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
/** Longest entry in px. */
const LONGEST = 320;

/** Returns the entries that panels ask for, each once and runs first; none where a single curve has no other to be told from. */
export function mergeEntries(entries: readonly LegendEntry[]): LegendEntry[] {
  const known = new Map<string, LegendEntry>();
  for (const entry of entries) {
    const key = JSON.stringify([entry.mark.kind, entry.text, keyOf(entry.mark)]);
    if (!known.has(key)) known.set(key, entry);
  }
  const isRun = ({ mark }: LegendEntry): boolean => mark.kind === "run";
  const all = [...known.values()];
  const kept = [...all.filter(isRun), ...all.filter((entry) => !isRun(entry))];
  const isNeeded = kept.length > 1 || kept.some(({ mark }) => mark.kind !== "curve");
  return isNeeded ? kept : [];
}

function keyOf(mark: LegendMark): unknown {
  if (mark.kind === "run") return mark.run;
  return mark.kind === "curve" ? [mark.color, mark.isDashed, mark.isDotted] : "";
}

/** Entries for the runs of a panel that shows several, and for the marks of their snapshots. */
export function pathEntries(
  { runs }: Figure,
  paths: readonly { readonly run: number }[],
  { hasDot = true }: { readonly hasDot?: boolean } = {},
): LegendEntry[] {
  if (paths.length === 0) return [];
  const isSingle = runs.length === 1;
  const names = isSingle
    ? []
    : paths.map(({ run }) => ({ mark: { kind: "run", run, hasDot } as const, text: runs[run]?.name ?? "" }));
  const hasDrops = paths.some(({ run }) => (runs[run]?.drops.length ?? 0) > 0);
  return [
    ...names,
    { mark: { kind: "start" }, text: "start" },
    ...(isSingle && hasDot ? [{ mark: { kind: "point" }, text: "snapshot" } as const] : []),
    ...(hasDrops ? [{ mark: { kind: "drop" }, text: "learning rate lowered" } as const] : []),
    { mark: { kind: "end" }, text: "end" },
  ];
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
  return { entries: placed, height: placed.length === 0 ? 0 : y + ROW / 2 + 10 };
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
    case "plane":
      return [stroke(x, y, common, 3.2)];
    case "own":
      return [stroke(x, y, common, 1.5), disc(x, y, 3.4, common), disc(x, y, 1.9, theme.background)];
    case "gap":
      return [stroke(x, y, theme.muted, 1)];
    case "unknown":
      return unknownShapes({ x: x - 8, y: y - 6, width: 16, height: 12 }, theme);
    case "no value":
      return [disc(x, y, 4.6, theme.hatch), disc(x, y, 3.6, theme.unknown)];
    case "run": {
      const { color, lineDash } = runStroke(runs[mark.run]?.color ?? 0, theme);
      return [stroke(x, y, color, 2.4, lineDash), ...(mark.hasDot ? pointMark(x, y, 3.8, color, theme) : [])];
    }
    case "curve": {
      const color = mark.color === null ? theme.muted : runColor(mark.color, theme);
      const ground: Shape = {
        type: "rect",
        shape: { x: x - 12, y: y - 6, width: 24, height: 12 },
        style: { fill: color, opacity: 0.2 },
        silent: true,
      };
      return [
        ...(mark.hasGround ? [ground] : []),
        mark.isPoints
          ? disc(x, y, 3.4, color)
          : stroke(x, y, color, mark.isDotted ? 1.5 : 2, dashesOf(mark), 12),
      ];
    }
  }
}

/** Dashes of the stroke of a curve, in px; null for a solid one. */
export function dashesOf({ isDashed, isDotted }: Pick<Series, "isDashed" | "isDotted">): number[] | null {
  if (isDotted) return [1.5, 2.5];
  return isDashed ? [5, 3] : null;
}

function stroke(
  x: number,
  y: number,
  color: string,
  lineWidth: number,
  lineDash: readonly number[] | null = null,
  half = 10,
): Shape {
  return {
    type: "line",
    shape: { x1: x - half, y1: y, x2: x + half, y2: y },
    style: { stroke: color, lineWidth, ...(lineDash === null ? {} : { lineDash }) },
    silent: true,
  };
}
