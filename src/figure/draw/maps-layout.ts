import type { MapPanel, MapsFigure } from "../make/create-maps-figure.js";
import { axisTitle } from "../make/create-trajectory-figure.js";
import type { Rect } from "./figure-frame.js";
import {
  checkHeight,
  layoutFrame,
  type Tick,
  type TrajectoryLayoutOptions,
  ticksOf,
} from "./figure-frame.js";
import { formatLevels } from "./format-number.js";
import { line, NAME_SIZE, type PlacedText, TICK_SIZE, textWidth, truncateText } from "./placed-text.js";

/** Where a map, its axes and its colour bar are. */
export interface PlacedMap {
  readonly panel: MapPanel;
  readonly rect: Rect;
  readonly bar: Rect;
  readonly alphaTicks: readonly Tick[];
  readonly betaTicks: readonly Tick[];
}

/** Where everything of a figure of maps is. */
export interface MapsLayout {
  readonly width: number;
  readonly height: number;
  readonly maps: readonly PlacedMap[];
  readonly texts: readonly PlacedText[];
}

const BAR_WIDTH = 12;
const GAP = 22;
/** Least width of a map with its labels; with less room there are fewer columns. */
const LEAST_BOX = 290;
const LEAST_MAP = 100;
const MOST_HEIGHT = 520;

/**
 * Returns where everything of a figure of maps is, so that nothing overlaps and nothing is cut.
 *
 * @throws {@link InvalidOptionError} if the width, or the height for what there is to say, is too small.
 */
export function layoutMaps(figure: MapsFigure, options: TrajectoryLayoutOptions = {}): MapsLayout {
  const count = figure.maps.length;
  const natural = [680, 960, 1280, 960][Math.min(count, 4) - 1] as number;
  const frame = layoutFrame(figure, options.width ?? natural, options.parts);
  const { width, padding, inner, headHeight, footHeight } = frame;
  // Four maps stand two by two: three in a row would leave the fourth alone.
  const most = count === 4 ? 2 : Math.min(count, 3);
  const columns = Math.max(1, Math.min(most, Math.floor((inner + GAP) / (LEAST_BOX + GAP))));
  const rows = Math.ceil(count / columns);
  const boxWidth = (inner - (columns - 1) * GAP) / columns;
  const heading = figure.maps.some(({ title }) => title !== "") ? 26 : 6;
  const perRow = heading + 8 + 16 + 24;
  const top = padding + headHeight;
  const rest = top + padding + (footHeight > 0 ? footHeight + 8 : 0) + rows * perRow + (rows - 1) * 10;
  const least = Math.ceil(rest + rows * LEAST_MAP);
  checkHeight(options.height, least);
  const room = options.height === undefined ? MOST_HEIGHT : (options.height - rest) / rows;
  const unit = figure.aspect === "equal" ? commonUnit(figure.maps, boxWidth, room) : null;
  const wanted =
    unit === null
      ? Math.min(MOST_HEIGHT, (boxWidth - 140) * 0.95)
      : unit * Math.max(...figure.maps.map(({ surface }) => extentOf(surface.beta)));
  const plot = Math.max(LEAST_MAP, wanted);
  const mapHeight = options.height === undefined ? plot : room;
  const height = options.height ?? Math.ceil(rest + rows * plot);
  const placed = figure.maps.map((panel, index) => {
    const x = padding + (index % columns) * (boxWidth + GAP);
    const y = top + Math.floor(index / columns) * (perRow + mapHeight + 10);
    return placeMap(figure, panel, { x, y, width: boxWidth, height: mapHeight }, heading, unit);
  });
  return {
    width,
    height,
    maps: placed.map(({ place }) => place),
    texts: [...frame.place(height), ...placed.flatMap(({ texts }) => texts)],
  };
}

/** Px per unit with which every map fits its place. */
function commonUnit(maps: readonly MapPanel[], width: number, height: number): number {
  return Math.min(
    ...maps.map((panel) =>
      Math.min(
        plotWidth(panel, width, height) / extentOf(panel.surface.alpha),
        height / extentOf(panel.surface.beta),
      ),
    ),
  );
}

function extentOf(axis: readonly number[]): number {
  return (axis[axis.length - 1] as number) - (axis[0] as number);
}

/** Room for tick labels and the names of axes left of a map, and for its colour bar. */
function roomBeside(panel: MapPanel, height: number) {
  const labelWidth = (labels: readonly string[]) =>
    Math.max(0, ...labels.map((label) => textWidth(label, TICK_SIZE)));
  const betaTicks = ticksOf(panel.surface.beta, Math.max(2, Math.floor(height / 45)));
  const levels = labelWidth(formatLevels(panel.scale.levels));
  return {
    betaTicks,
    levels,
    left: Math.ceil(labelWidth(betaTicks.map(({ label }) => label)) + 8 + 24),
    right: Math.ceil(10 + BAR_WIDTH + 6 + levels + 6 + 18),
  };
}

function plotWidth(panel: MapPanel, width: number, height: number): number {
  const { left, right } = roomBeside(panel, height);
  return Math.max(40, width - left - right);
}

function placeMap(
  figure: MapsFigure,
  panel: MapPanel,
  box: Rect,
  heading: number,
  unit: number | null,
): { readonly place: PlacedMap; readonly texts: readonly PlacedText[] } {
  const { betaTicks, levels, left } = roomBeside(panel, box.height);
  const { alpha, beta } = panel.surface;
  const rect = {
    x: box.x + left,
    y: box.y + heading,
    width: unit === null ? plotWidth(panel, box.width, box.height) : unit * extentOf(alpha),
    height: unit === null ? box.height : unit * extentOf(beta),
  };
  // A flat map leaves room below it: its colour bar takes that room, so that its levels stay legible.
  const barHeight = Math.max(rect.height, Math.min(LEAST_MAP, box.height));
  const bar = { x: rect.x + rect.width + 10, y: rect.y, width: BAR_WIDTH, height: barHeight };
  const alphaTicks = ticksOf(alpha, Math.max(2, Math.floor(rect.width / 55)));
  const cut = (text: string, room: number): string => truncateText(text, NAME_SIZE, room);
  const middle = rect.y + rect.height / 2;
  const name = (axis: 0 | 1, available: number): string =>
    panel.axes === undefined ? cut(figure.axes[axis], available) : axisTitle(panel.axes[axis], available);
  const texts = [
    ...(panel.title === ""
      ? []
      : [line(cut(panel.title, box.width), box.x, box.y + 9, { align: "left", weight: "semibold" })]),
    line(name(0, box.width), rect.x + rect.width / 2, rect.y + rect.height + 8 + 16 + 11, {
      x: [box.x, box.x + box.width],
    }),
    line(name(1, rect.height + (panel.title === "" ? heading : 10)), box.x + 9, middle, { isVertical: true }),
    line(barName(panel, barHeight), bar.x + BAR_WIDTH + 6 + levels + 6 + 9, bar.y + barHeight / 2, {
      isVertical: true,
      size: TICK_SIZE,
    }),
  ];
  return { place: { panel, rect, bar, alphaTicks, betaTicks }, texts };
}

/** The longest name of a colour bar that fits beside it. */
function barName({ quantity, scale }: MapPanel, room: number): string {
  const names =
    scale.kind === "log" ? [`${quantity} (log scale)`, `${quantity} (log)`, quantity] : [quantity];
  return names.find((name) => textWidth(name, TICK_SIZE) <= room) ?? truncateText(quantity, TICK_SIZE, room);
}
