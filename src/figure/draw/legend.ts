import type { TrajectoryFigure } from "../figure.js";
import { textWidth, truncateText } from "./placed-text.js";

/** What a legend entry shows beside its text. */
export type LegendMark =
  | { readonly kind: "run"; readonly index: number }
  | { readonly kind: "start" | "end" | "point" | "drop" | "unknown" | "plane" | "own" | "gap" };

/** A mark and what it means. */
export interface LegendEntry {
  readonly mark: LegendMark;
  readonly text: string;
}

/** An entry at its place: x is the left edge of the mark, y the middle of the row. */
export interface PlacedLegendEntry extends LegendEntry {
  readonly offset: number;
}

/** One row of the legend. */
export interface LegendRow {
  readonly x: number;
  readonly y: number;
  readonly entries: readonly PlacedLegendEntry[];
}

/** Font size of the legend. */
export const LEGEND_SIZE = 12;

/** Room for the mark. */
export const LEGEND_MARK_WIDTH = 27;

const GAP = 16;
const ROW_HEIGHT = 22;

/** Returns the entries that a figure needs: runs if there are several, then the marks that occur. */
export function legendEntries(figure: TrajectoryFigure): LegendEntry[] {
  const isSingle = figure.paths.length === 1;
  const points = figure.paths.flatMap((path) => path.points);
  const runs = isSingle
    ? []
    : figure.paths.map((path, index) => ({ mark: { kind: "run", index } as const, text: path.name }));
  const mark = (kind: "start" | "end" | "point" | "drop" | "unknown", text: string): LegendEntry => ({
    mark: { kind },
    text,
  });
  return [
    ...runs,
    mark("start", "start"),
    ...(isSingle ? [mark("point", "snapshot")] : []),
    ...(points.some((point) => point.rateDropped) ? [mark("drop", "learning rate lowered")] : []),
    mark("end", "end"),
    ...(figure.surface.nonFinite > 0 ? [mark("unknown", "loss not finite")] : []),
  ];
}

/** Returns the entries of a picture in space: runs if there are several, then how paths and gaps are drawn. */
export function surfaceLegendEntries(figure: TrajectoryFigure): LegendEntry[] {
  const points = figure.paths.flatMap((path) => path.points);
  const hasOwn = points.some((point) => point.trueLoss !== null);
  const own: LegendEntry[] = [
    { mark: { kind: "own" }, text: "path at its own loss" },
    { mark: { kind: "gap" }, text: "gap" },
  ];
  return [
    ...legendEntries(figure).filter(({ mark }) => mark.kind === "run"),
    { mark: { kind: "plane" }, text: "path at the loss of the plane" },
    ...(hasOwn ? own : []),
    ...legendEntries(figure).filter(
      ({ mark }) => mark.kind === "start" || mark.kind === "end" || mark.kind === "drop",
    ),
  ];
}

/** Sets entries in rows no wider than `width`; a name wider than a row is cut with "…". */
export function layoutLegend(
  entries: readonly LegendEntry[],
  width: number,
): { readonly rows: readonly LegendRow[]; readonly height: number } {
  const rows: PlacedLegendEntry[][] = [[]];
  let x = 0;
  for (const entry of entries) {
    const text = truncateText(entry.text, LEGEND_SIZE, width - LEGEND_MARK_WIDTH);
    const needed = LEGEND_MARK_WIDTH + textWidth(text, LEGEND_SIZE);
    if (x > 0 && x + needed > width) {
      rows.push([]);
      x = 0;
    }
    rows[rows.length - 1]?.push({ mark: entry.mark, text, offset: x });
    x += needed + GAP;
  }
  return {
    rows: rows.map((row, index) => ({ x: 0, y: index * ROW_HEIGHT + ROW_HEIGHT / 2, entries: row })),
    height: rows.length * ROW_HEIGHT + 10,
  };
}
