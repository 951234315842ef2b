import { InvalidOptionError } from "../errors.js";
import { formatLevels, formatNumber } from "./format-number.js";
import type { MapPanel, MapsFigure } from "./maps-figure.js";
import { niceTicks } from "./nice-ticks.js";
import {
  block,
  blocksHeight,
  line,
  NAME_SIZE,
  type PlacedText,
  placeBlocks,
  TICK_SIZE,
} from "./placed-text.js";
import type { Rect } from "./rect.js";
import { textWidth } from "./text-width.js";
import { LEAST_WIDTH, type Tick, type TrajectoryLayoutOptions } from "./trajectory-layout.js";
import { truncateText } from "./wrap-text.js";

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

/**
 * Returns where everything of a figure of maps is, so that nothing overlaps and nothing is cut.
 *
 * @throws {@link InvalidOptionError} if the width, or the height for what there is to say, is too small.
 */
export function layoutMaps(figure: MapsFigure, options: TrajectoryLayoutOptions = {}): MapsLayout {
  const { parts = "figure" } = options;
  const count = figure.maps.length;
  const width = options.width ?? [680, 960, 1280][Math.min(count, 3) - 1];
  if (!(width >= LEAST_WIDTH && Number.isFinite(width))) {
    throw new InvalidOptionError("width", `at least ${LEAST_WIDTH} px`, String(width));
  }
  const padding = width < 720 ? 12 : 20;
  const inner = width - 2 * padding;
  const isFigure = parts === "figure";
  const head = isFigure ? [block(figure.title, 18, inner, "semibold", "text", 2)] : [];
  const foot = isFigure
    ? [
        block(figure.caption, 12, inner, "regular", "muted"),
        block(figure.provenance, 11, inner, "regular", "muted"),
      ]
    : [];
  const headHeight = blocksHeight(head);
  const footHeight = blocksHeight(foot);
  const columns = Math.max(1, Math.min(count, 3, Math.floor((inner + GAP) / (LEAST_BOX + GAP))));
  const rows = Math.ceil(count / columns);
  const boxWidth = (inner - (columns - 1) * GAP) / columns;
  const heading = figure.maps.some(({ title }) => title !== "") ? 26 : 6;
  const perRow = heading + 8 + 16 + 24;
  const top = padding + headHeight;
  const rest = top + padding + (footHeight > 0 ? footHeight + 8 : 0) + rows * perRow + (rows - 1) * 10;
  const least = Math.ceil(rest + rows * LEAST_MAP);
  if (options.height !== undefined && !(options.height >= least)) {
    throw new InvalidOptionError("height", `at least ${least} px for this figure`, String(options.height));
  }
  const natural = Math.min(520, Math.max(LEAST_MAP, (boxWidth - 140) * 0.95));
  const mapHeight = options.height === undefined ? natural : (options.height - rest) / rows;
  const height = options.height ?? Math.ceil(rest + rows * natural);
  const placed = figure.maps.map((panel, index) => {
    const x = padding + (index % columns) * (boxWidth + GAP);
    const y = top + Math.floor(index / columns) * (perRow + mapHeight + 10);
    return placeMap(figure, panel, { x, y, width: boxWidth, height: mapHeight }, heading);
  });
  return {
    width,
    height,
    maps: placed.map(({ place }) => place),
    texts: [
      ...placeBlocks(head, padding, padding),
      ...placeBlocks(foot, padding, Math.max(height - padding - footHeight, 0)),
      ...placed.flatMap(({ texts }) => texts),
    ],
  };
}

function placeMap(
  figure: MapsFigure,
  panel: MapPanel,
  box: Rect,
  heading: number,
): { readonly place: PlacedMap; readonly texts: readonly PlacedText[] } {
  const betaTicks = ticksOf(panel.surface.beta, Math.max(2, Math.floor(box.height / 45)));
  const labelWidth = (labels: readonly string[]) =>
    Math.max(0, ...labels.map((label) => textWidth(label, TICK_SIZE)));
  const left = Math.ceil(labelWidth(betaTicks.map(({ label }) => label)) + 8 + 24);
  const levels = labelWidth(formatLevels(panel.scale.levels));
  const right = Math.ceil(10 + BAR_WIDTH + 6 + levels + 6 + 18);
  const rect = {
    x: box.x + left,
    y: box.y + heading,
    width: Math.max(40, box.width - left - right),
    height: box.height,
  };
  const bar = { x: rect.x + rect.width + 10, y: rect.y, width: BAR_WIDTH, height: rect.height };
  const alphaTicks = ticksOf(panel.surface.alpha, Math.max(2, Math.floor(rect.width / 55)));
  const cut = (text: string, room: number): string => truncateText(text, NAME_SIZE, room);
  const quantity = `${panel.quantity}${panel.scale.kind === "log" ? " (log scale)" : ""}`;
  const middle = rect.y + rect.height / 2;
  const texts = [
    ...(panel.title === ""
      ? []
      : [line(cut(panel.title, box.width), box.x, box.y + 9, { align: "left", weight: "semibold" })]),
    line(cut(figure.axes[0], box.width), rect.x + rect.width / 2, rect.y + rect.height + 8 + 16 + 11, {
      x: [box.x, box.x + box.width],
    }),
    line(cut(figure.axes[1], rect.height + heading), box.x + 9, middle, { isVertical: true }),
    line(truncateText(quantity, TICK_SIZE, rect.height), bar.x + BAR_WIDTH + 6 + levels + 6 + 9, middle, {
      isVertical: true,
      size: TICK_SIZE,
    }),
  ];
  return { place: { panel, rect, bar, alphaTicks, betaTicks }, texts };
}

function ticksOf(axis: readonly number[], count: number): Tick[] {
  const [min, max] = [axis[0] as number, axis[axis.length - 1] as number];
  return niceTicks(min, max, count).map((value) => ({ value, label: formatNumber(value, 6) }));
}
