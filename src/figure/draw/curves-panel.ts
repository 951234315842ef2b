import { decodeNumber } from "../../base/json.js";
import type { CurvesPanel, Figure, Series } from "../figure.js";
import {
  headingRoom,
  headingTexts,
  isInside,
  NAMES_BELOW,
  nameBelow,
  type Rect,
  uprightName,
  widestLabel,
} from "./figure-frame.js";
import { formatNumber, formatPercent } from "./format-number.js";
import { dashesOf, type LegendEntry } from "./legend.js";
import { runColor, type Theme } from "./palette.js";
import type { Drawing, Moment, PanelKind, Place, Placed, PlacedReadout, Slot } from "./panel-kind.js";
import { line, NAME_SIZE, type PlacedText, TICK_SIZE, textWidth, truncateText } from "./placed-text.js";
import { type AxisScale, horizontalScale, verticalScale } from "./scales.js";
import { axis, polygon, type Shape, stroke } from "./shapes.js";
import { countLeading, countUpTo, type Readout } from "./snapshots.js";
import { valueAtSnapshot } from "./thinning.js";

/** Curves with their axes at their place. */
export interface PlacedCurves extends Placed<CurvesPanel> {
  readonly x: AxisScale;
  readonly left: AxisScale;
  readonly right: AxisScale | null;
}

/** Height of a plot that stands alone, of one among others, of one beside a large panel, and the least. */
const ALONE = 340;
const AMONG = 230;
const LEAST = 120;
/** Room for the name of an axis, and the gap between labels and plot. */
const NAME_ROOM = 24;
const GAP = 8;
/** From so many points on a line has no dots. */
const MOST_DOTS = 30;

/** Curves over one horizontal axis, with one vertical axis or two. */
export const curvesKind: PanelKind<CurvesPanel, PlacedCurves> = {
  role: "chart",
  least: 300,
  gap: 26,
  naturalWidth: (_, columns) => [760, 1000, 1200][Math.min(columns, 3) - 1] as number,
  edges(panels) {
    const hasNames = panels.some(({ marks }) => marks.some(({ label }) => label !== ""));
    return { heading: headingRoom(panels) + (hasNames ? 15 : 0), below: NAMES_BELOW };
  },
  plotHeight: (_panel, _figure, { isAlone }) => ({ natural: isAlone ? ALONE : AMONG, least: LEAST }),
  place(panel, figure, slot, options) {
    const verticalTicks = Math.max(2, Math.min(7, Math.floor(slot.plot / 42)));
    const left = verticalScale(panel, "left", verticalTicks) as AxisScale;
    const right = verticalScale(panel, "right", verticalTicks);
    const leftRoom = Math.ceil(widestLabel(left.ticks) + GAP + (panel.left.title === "" ? 2 : NAME_ROOM));
    const rightRoom = right === null ? 14 : Math.ceil(widestLabel(right.ticks) + GAP + NAME_ROOM);
    const rect = {
      x: slot.x + leftRoom,
      y: slot.y + slot.heading,
      width: Math.max(40, slot.width - leftRoom - rightRoom),
      height: slot.plot,
    };
    const x = horizontalScale(panel, Math.max(2, Math.min(9, Math.floor(rect.width / 60))));
    return { panel, figure, options, rect, x, left, right, texts: textsOf(panel, slot, rect, x) };
  },
  legend({ series }) {
    const named = series.filter(({ key }) => key !== null);
    return named.map((one): LegendEntry => {
      const sharing = named.filter(({ key, isDashed }) => key === one.key && isDashed === one.isDashed);
      const isShared = one.key !== undefined && sharing.some(({ color }) => color !== one.color);
      return {
        mark: {
          kind: "curve",
          color: isShared ? null : one.color,
          isDashed: one.isDashed,
          isDotted: one.isDotted === true,
          isPoints: one.shape === "points",
          hasGround: one.band !== null || one.shape === "area",
        },
        text: one.key ?? one.name,
      };
    });
  },
  draw: drawCurves,
  targets: () => [],
  readout: (placed, at) => readoutAt(placed, at),
  moment: momentOf,
  traces: ({ panel, rect, x, left, right }, run) =>
    panel.series
      .filter(({ link }) => link?.run === run)
      .map((series) => {
        const y = series.axis === "left" ? left : right;
        const places = series.x.flatMap((value, i): Place[] => {
          const at = [x.position(value), y?.position(series.y[i] as number) ?? null] as const;
          if (at[0] === null || at[1] === null || y === null) return [];
          return [{ x: toX(rect, x, at[0]), y: toY(rect, y, at[1]) }];
        });
        if (series.isStepped !== true) return places;
        return places.flatMap((place, i) =>
          i === 0 ? [place] : [{ ...place, x: places[i - 1]?.x ?? place.x }, place],
        );
      }),
};

function textsOf(panel: CurvesPanel, slot: Slot, rect: Rect, x: AxisScale): PlacedText[] {
  const cut = (text: string, room: number): string => truncateText(text, NAME_SIZE, room);
  const upright = (text: string, at: number): PlacedText =>
    uprightName(cut(text, slot.plot + slot.heading), at, rect);
  return [
    ...headingTexts(panel.title, slot),
    nameBelow(cut(panel.x.title, slot.width), rect, [slot.x, slot.x + slot.width]),
    upright(panel.left.title, slot.x + 9),
    ...(panel.right === null ? [] : [upright(panel.right.title, slot.x + slot.width - 9)]),
    ...markLabels(panel, rect, x),
  ].filter(({ text }) => text !== "");
}

/** Names of the marks, above the plot, each only where it fits. */
function markLabels({ marks }: CurvesPanel, rect: Rect, scale: AxisScale): PlacedText[] {
  let free = Number.NEGATIVE_INFINITY;
  return marks
    .filter(({ label }) => label !== "")
    .sort((a, b) => a.x - b.x)
    .flatMap(({ x, label }) => {
      const at = toX(rect, scale, x) + 4;
      const width = textWidth(label, TICK_SIZE - 1);
      const isOnLeft = at + width > rect.x + rect.width;
      const start = isOnLeft ? at - 8 - width : at;
      if (start < free) return [];
      free = start + width + 6;
      return [
        line(label, isOnLeft ? at - 8 : at - 4, rect.y - 9, {
          align: isOnLeft ? "right" : "left",
          size: TICK_SIZE - 1,
          tone: "muted",
        }),
      ];
    });
}

/** Px of a position on the horizontal axis. */
function toX(rect: Rect, { min, max }: AxisScale, position: number): number {
  return rect.x + ((position - min) / (max - min)) * rect.width;
}

/** Px of a position on a vertical axis. */
function toY(rect: Rect, { min, max }: AxisScale, position: number): number {
  return rect.y + rect.height * (1 - (position - min) / (max - min));
}

function drawCurves(placed: PlacedCurves, theme: Theme): Drawing {
  const { panel, rect, x, left, right } = placed;
  const sides = [
    { y: left, side: "left" as const },
    ...(right === null ? [] : [{ y: right, side: "right" as const }]),
  ];
  const of = (side: "left" | "right"): readonly Series[] => panel.series.filter((one) => one.axis === side);
  const isIn = ({ color }: Series): boolean => placed.options.hidden?.has(color) !== true;
  return {
    grids: sides.map(({ y, side }) => ({
      rect,
      x: { ...axis(x.ticks, x, theme, side === "left"), show: side === "left" },
      y: { ...axis(y.ticks, y, theme, side === "left"), position: side },
    })),
    curves: sides.flatMap(({ y, side }, grid) =>
      of(side).map((series) => ({ grid, series: curve(series, placed, y, theme) })),
    ),
    layers: [
      {
        name: "bands",
        z: 2,
        shapes: sides.flatMap(({ y, side }) => bandShapes(of(side).filter(isIn), rect, x, y, theme)),
      },
      { name: "marks", z: 6, shapes: markShapes(placed, theme) },
    ],
  };
}

function curve(series: Series, { x, figure, options }: PlacedCurves, y: AxisScale, theme: Theme): object {
  const color = runColor(series.color, theme);
  const isPoints = series.shape === "points";
  const hasDots = isPoints || (series.shape === "line" && series.x.length <= MOST_DOTS);
  const run = series.link === undefined ? undefined : figure.runs[series.link.run];
  const isHidden = options.hidden?.has(series.color) === true;
  const isShown = (i: number): boolean =>
    !isHidden &&
    (options.until === undefined ||
      run === undefined ||
      (run[figure.progress][series.link?.snapshots[i] ?? 0] ?? 0) <= options.until);
  return {
    type: "line",
    name: series.name,
    // The turn is at the position before: see Series.isStepped.
    ...(series.isStepped === true ? { step: "start" } : {}),
    data: series.x
      .map((value, i) => [x.position(value), y.position(series.y[i] as number)])
      .filter((_, i) => isShown(i)),
    symbol: "circle",
    symbolSize: isPoints ? 6 : hasDots ? (series.isDotted ? 3 : 4) : 0,
    showSymbol: hasDots,
    showAllSymbol: true,
    lineStyle: {
      color,
      width: isPoints ? 0 : series.shape === "area" || series.isDotted ? 1.2 : 1.7,
      type: dashesOf(series) ?? "solid",
    },
    itemStyle: series.isDashed
      ? { color: theme.background, borderColor: color, borderWidth: 1.4 }
      : { color },
    silent: true,
    clip: true,
    z: series.isDashed ? 5 : 4,
  };
}

/** Bands, and the ground below areas, as polygons between finite points. */
function bandShapes(all: readonly Series[], rect: Rect, x: AxisScale, y: AxisScale, theme: Theme): Shape[] {
  const height = (position: number): number =>
    toY(rect, y, Math.min(Math.max(position, Math.min(y.min, y.max)), Math.max(y.min, y.max)));
  return all.flatMap((series) => {
    const { band, shape } = series;
    if (band === null && shape !== "area") return [];
    const pieces: { readonly at: number; readonly low: number; readonly high: number }[][] = [[]];
    series.x.forEach((value, i) => {
      const at = x.position(value);
      const low = band === null ? y.min : y.position(band.low[i] as number);
      const high = y.position((band === null ? series.y[i] : band.high[i]) as number);
      if (at === null || low === null || high === null) pieces.push([]);
      else pieces[pieces.length - 1]?.push({ at: toX(rect, x, at), low: height(low), high: height(high) });
    });
    const style = { fill: runColor(series.color, theme), opacity: series.isDashed ? 0.12 : 0.2 };
    return pieces
      .filter((piece) => piece.length > 1)
      .map((piece) => {
        const above = piece.map(({ at, high }) => [at, high] as const);
        const below = piece.map(({ at, low }) => [at, low] as const).reverse();
        return polygon([...above, ...below], style);
      });
  });
}

function markShapes({ panel, rect, x: scale }: PlacedCurves, theme: Theme): Shape[] {
  return panel.marks.map(({ x, tone }): Shape => {
    const at = toX(rect, scale, x);
    const style = { stroke: tone === "drop" ? theme.drop : theme.line, lineWidth: 1, lineDash: [2, 3] };
    return stroke([at, rect.y], [at, rect.y + rect.height], style);
  });
}

/** The values of every curve at the position nearest to a place. */
function readoutAt(
  { panel: whole, figure, rect, x, options }: PlacedCurves,
  at: Place,
): PlacedReadout | null {
  if (!isInside(rect, at)) return null;
  const panel = { ...whole, series: whole.series.filter(({ color }) => options.hidden?.has(color) !== true) };
  const position = x.min + ((at.x - rect.x) / rect.width) * (x.max - x.min);
  const distance = (value: number): number =>
    Math.abs((x.position(value) ?? Number.POSITIVE_INFINITY) - position);
  const nearest = panel.series
    .flatMap(({ x: xs, shape }) => candidates(xs, shape, (value) => (x.position(value) ?? NaN) <= position))
    .reduce<number | null>(
      (best, value) => (best === null || distance(value) < distance(best) ? value : best),
      null,
    );
  if (nearest === null) return null;
  const isLinked = panel.series.some(({ link, x: xs }) => link !== undefined && xs.includes(nearest));
  return {
    readout: valuesAt(panel, figure, nearest),
    x: toX(rect, x, x.position(nearest) ?? x.min),
    y: at.y,
    ...(isLinked ? { moment: nearest } : {}),
  };
}

/** The positions of a series among which the nearest is: the two around a place, or all where they do not increase. */
function candidates(
  xs: readonly number[],
  shape: Series["shape"],
  isBefore: (value: number) => boolean,
): readonly number[] {
  if (shape === "points") return xs;
  const count = countLeading(xs, isBefore);
  return xs.slice(Math.max(0, count - 1), count + 1);
}

/** Returns the values of a panel's curves at a position, without those that have none there. */
function valuesAt(panel: CurvesPanel, { runs, progress }: Figure, value: number): Readout {
  const { title, ticks, labels } = panel.x;
  return {
    heading: `${title} ${labels?.[ticks?.indexOf(value) ?? -1] ?? formatNumber(value, 6)}`,
    rows: panel.series.flatMap((series) => {
      const { name, x, y, axis: side } = series;
      const places = runs[series.link?.run ?? -1]?.[progress] ?? [];
      const snapshot = countUpTo(places, value) - 1;
      // A long curve may be drawn without a snapshot at which another has a point.
      const found =
        y[x.indexOf(value)] ??
        (places[snapshot] === value ? valueAtSnapshot(series, { runs, progress }, snapshot) : null);
      if (found === null) return [];
      const scale = side === "left" ? panel.left.scale : panel.right?.scale;
      const number = decodeNumber(found);
      return [[name, scale === "percent" ? formatPercent(number) : formatNumber(number)] as const];
    }),
  };
}

/** An upright line at a place of the time line, and a ring around each run's snapshot on its curves. */
function momentOf(
  { panel, figure, rect, x, left, right, options }: PlacedCurves,
  place: number,
  snapshots: readonly number[],
): Moment {
  const linked = panel.series.filter(
    ({ link, color }) => link !== undefined && options.hidden?.has(color) !== true,
  );
  if (linked.length === 0) return { cursor: null, rings: [] };
  const at = x.position(place);
  // A training logs nothing before its first epoch: curves of it begin later than the time line.
  const isShown = at !== null && at >= x.min && at <= x.max;
  return {
    cursor: isShown ? toX(rect, x, at) : null,
    rings: linked.flatMap((series) => {
      const { link, axis: side, color } = series;
      const snapshot = snapshots[link?.run ?? -1] ?? -1;
      const y = side === "left" ? left : right;
      const index = link?.snapshots.indexOf(snapshot) ?? -1;
      // Of a long curve some points are left out: they have the values of their run.
      const own = series.x[index] ?? figure.runs[link?.run ?? -1]?.[figure.progress][snapshot] ?? "NaN";
      const value = valueAtSnapshot(series, figure, snapshot) ?? "NaN";
      const [px, py] = [x.position(own), y?.position(value) ?? null];
      if (px === null || py === null || y === null) return [];
      return [{ x: toX(rect, x, px), y: toY(rect, y, py), color }];
    }),
  };
}
