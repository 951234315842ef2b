import { decodeNumber, type JsonNumber } from "../../base/json.js";
import type { CurvesPanel, Figure, Panel, RunData, Series, SnapshotColumn } from "../figure.js";
import type { Place } from "./panel-kind.js";
import { countUpTo } from "./snapshots.js";

/** Dots of a path at most: more would lie on each other, and take a browser seconds. The line passes through all. */
export const MOST_DOTS = 500;
/** Snapshots that the line of a path in a box passes through at most: each part of it has a depth of its own. */
const MOST_IN_BOX = 2000;
/** Points of a curve up to which all are drawn. */
export const MOST_POINTS = 2000;
/** Columns of a longer curve: of each, the lowest and the highest value are drawn. About one for a px. */
const COLUMNS = 600;
/** Snapshots of a run that are listed at most. */
export const MOST_ROWS = 1000;
const CURVES_SENTENCE = `Curves of more than ${MOST_POINTS} points are drawn through the lowest and the highest value of each of ${COLUMNS} columns.`;
/** How near in px to the point before a point of a line is left out. */
const NEAR = 0.3;

/** Returns whether a snapshot of a path of so many has a dot: evenly spaced ones, the first and the last among them. */
export function hasDot(snapshot: number, count: number): boolean {
  return isKept(snapshot, count, MOST_DOTS);
}

/** Returns whether the line of a path in a box passes through a snapshot of so many. */
export function isInBoxLine(snapshot: number, count: number): boolean {
  return isKept(snapshot, count, MOST_IN_BOX);
}

/** Returns whether a snapshot of so many has a row in a table: evenly spaced ones, the first and the last among them. */
export function hasRow(snapshot: number, count: number): boolean {
  return isKept(snapshot, count, MOST_ROWS);
}

function isKept(index: number, count: number, most: number): boolean {
  if (count <= most) return true;
  const nearest = Math.round((index * (most - 1)) / (count - 1));
  return Math.round((nearest * (count - 1)) / (most - 1)) === index;
}

/** Returns a line without the points that fall on the one before: it looks the same. First and last are kept. */
export function withoutCloseOnes<P extends Place>(points: readonly P[]): readonly P[] {
  if (points.length <= MOST_POINTS) return points;
  let kept = points[0] as P;
  return points.filter((point, i) => {
    const isFirst = i === 0;
    if (!isFirst && i < points.length - 1 && Math.hypot(point.x - kept.x, point.y - kept.y) < NEAR)
      return false;
    kept = point;
    return true;
  });
}

/**
 * Returns the positions of the lowest and the highest of each list of values in each column, with the first and the
 * last of all, increasing. A value that is not finite is kept once a column: it is a gap.
 *
 * A line through them covers the same px as one through all, but for what happens inside a column.
 *
 * Cost: O(count · lists).
 *
 * @param columnOf - column of a position; does not decrease.
 * @see Jugel et al. 2014, M4: a visualization-oriented time series data aggregation.
 */
export function extremes(
  count: number,
  columnOf: (index: number) => number,
  lists: readonly ((index: number) => number)[],
): number[] {
  const kept = new Set<number>([0, Math.max(0, count - 1)]);
  for (const at of lists) {
    let column = Number.NaN;
    let [low, high, gap] = [-1, -1, -1];
    const end = (): void => {
      for (const index of [low, high, gap]) if (index >= 0) kept.add(index);
      [low, high, gap] = [-1, -1, -1];
    };
    for (let i = 0; i < count; i++) {
      const own = columnOf(i);
      if (own !== column) {
        end();
        column = own;
      }
      const value = at(i);
      if (!Number.isFinite(value)) gap = i;
      else {
        if (low < 0 || value < at(low)) low = i;
        if (high < 0 || value > at(high)) high = i;
      }
    }
    end();
  }
  return [...kept].sort((a, b) => a - b);
}

/** Whether a curve has more points than are drawn. Points by themselves are all drawn: they are in any order. */
function isLong({ x, shape }: Series): boolean {
  return x.length > MOST_POINTS && shape !== "points";
}

const thinPanels = new WeakMap<Panel, Panel>();

/**
 * Returns a figure whose long curves have the lowest and the highest value of each of 600 columns; the figure itself
 * where it has none. Curves that share their positions keep the same ones.
 */
export function thinnedFigure(figure: Figure): Figure {
  const isThin = (panel: Panel): boolean => panel.kind !== "curves" || !panel.series.some(isLong);
  if (figure.panels.every(isThin)) return figure;
  const panels = figure.panels.map((panel): Panel => {
    if (panel.kind !== "curves" || isThin(panel)) return panel;
    const known = thinPanels.get(panel) ?? thinnedPanel(panel);
    thinPanels.set(panel, known);
    return known;
  });
  // What a notebook displays stays what it is.
  return Object.assign(Object.create(Object.getPrototypeOf(figure) as object | null) as object, figure, {
    panels,
  });
}

function thinnedPanel(panel: CurvesPanel): CurvesPanel {
  const long = panel.series.filter(isLong);
  const groups: Series[][] = [];
  for (const series of long) {
    const group = groups.find(([first]) => first !== undefined && sharesPositions(first, series));
    if (group === undefined) groups.push([series]);
    else group.push(series);
  }
  const thin = new Map(groups.flatMap((group) => thinnedGroup(group, panel.x.scale === "log")));
  return { ...panel, series: panel.series.map((series) => thin.get(series) ?? series) };
}

function sharesPositions(a: Series, b: Series): boolean {
  return a.x.length === b.x.length && a.x.every((value, i) => value === b.x[i]);
}

function thinnedGroup(group: readonly Series[], isLog: boolean): (readonly [Series, Series])[] {
  const { x } = group[0] as Series;
  const place = (i: number): number => (isLog ? Math.log(x[i] as number) : (x[i] as number));
  // What is not above 0 has no place on a logarithmic axis.
  const start = x.findIndex((_, i) => Number.isFinite(place(i)));
  const [first, last] = [place(Math.max(0, start)), place(x.length - 1)];
  const columnOf = (i: number): number =>
    i < start ? -1 : Math.floor(((place(i) - first) / (last - first || 1)) * COLUMNS);
  const lists = group.flatMap(({ y, band }) => (band === null ? [y] : [y, band.low, band.high]));
  const found = extremes(
    x.length,
    columnOf,
    lists.map((values) => (i) => decodeNumber(values[i] ?? null)),
  );
  // Across columns without a point a line is long: it goes from the last before them to the first after.
  const isWide = (i: number): boolean => i > 0 && i < x.length && columnOf(i) - columnOf(i - 1) > 1;
  const ends = x.flatMap((_, i) => (isWide(i) || isWide(i + 1) ? [i] : []));
  const kept = [...new Set([...found, ...ends])].sort((a, b) => a - b);
  const of = <T>(values: readonly T[]): T[] => kept.map((i) => values[i] as T);
  return group.map((series) => {
    const { band, link } = series;
    const thin = {
      ...series,
      x: of(series.x),
      y: of(series.y),
      band: band === null ? null : { low: of(band.low), high: of(band.high) },
      ...(link === undefined ? {} : { link: { run: link.run, snapshots: of(link.snapshots) } }),
    };
    return [series, thin] as const;
  });
}

const columnsBehind = new WeakMap<Series, SnapshotColumn["values"] | null>();

/**
 * Returns the value of a curve at a snapshot of its run, also where a long curve is drawn without it; null where the
 * curve has none there, or it is not known.
 */
export function valueAtSnapshot(
  series: Series,
  { runs, progress }: Pick<Figure, "runs" | "progress">,
  snapshot: number,
): JsonNumber | null {
  const { link, x, y } = series;
  if (link === undefined || snapshot < 0) return null;
  const index = countUpTo(link.snapshots, snapshot) - 1;
  if (link.snapshots[index] === snapshot) return y[index] ?? null;
  const run = runs[link.run];
  // A curve over something else has no place for the snapshot.
  const isAt = (k: number): boolean => x[k] === run?.[progress][link.snapshots[k] ?? -1];
  if (run === undefined || y.length < COLUMNS || !isAt(0) || !isAt(x.length - 1)) return null;
  const known = columnsBehind.get(series);
  const values = known === undefined ? columnBehind(series, link.snapshots, run) : known;
  columnsBehind.set(series, values);
  return values?.[snapshot] ?? null;
}

/** The facts of a run that a curve shows: those that are equal wherever it is drawn. */
function columnBehind(
  { y }: Series,
  snapshots: readonly number[],
  { columns }: RunData,
): SnapshotColumn["values"] | null {
  const shown = y.flatMap((value, k) =>
    typeof value === "number" ? [[value, snapshots[k] as number] as const] : [],
  );
  // A page has both in single precision, or one of them.
  const isSame = (a: number, b: JsonNumber | null): boolean =>
    typeof b === "number" && Math.abs(a - b) <= 2e-6 * Math.abs(a);
  const found = columns.find(({ values }) =>
    shown.every(([value, snapshot]) => isSame(value, values[snapshot] ?? null)),
  );
  return shown.length === 0 ? null : (found?.values ?? null);
}

/** Returns in sentences what a picture leaves out of long paths and curves; none where it draws everything. */
export function thinnedSentences(panels: readonly Panel[]): string[] {
  const longest = (isMeant: (panel: Panel) => boolean): number =>
    panels
      .flatMap((panel) => ("paths" in panel && isMeant(panel) ? panel.paths : []))
      .reduce((most, { at }) => Math.max(most, at.length), 0);
  const isBox = (panel: Panel): boolean => panel.kind === "scatter" && panel.axes.length === 3;
  const hasLongCurves = panels.some((panel) => panel.kind === "curves" && panel.series.some(isLong));
  const most = longest(() => true);
  const line = longest(isBox) > MOST_IN_BOX ? `${MOST_IN_BOX} of them` : "all of them";
  return [
    most > MOST_DOTS
      ? `Of more than ${MOST_DOTS} snapshots, ${MOST_DOTS} have a dot; the line passes through ${line}.`
      : "",
    hasLongCurves ? CURVES_SENTENCE : "",
  ];
}

/** Returns a caption for a picture without the curves that it had. */
export function captionWithoutCurves(caption: string): string {
  return caption.replace(CURVES_SENTENCE, "").replace(/ {2,}/g, " ").trim();
}
