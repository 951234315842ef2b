import type { ChartFigure, ChartPanel, ChartSeries } from "../chart-figure.js";
import { type AxisScale, horizontalScale, verticalScale } from "./chart-scale.js";
import type { Rect } from "./figure-frame.js";
import { checkHeight, layoutFrame, type TrajectoryLayoutOptions } from "./figure-frame.js";
import { line, NAME_SIZE, type PlacedText, TICK_SIZE, textWidth, truncateText } from "./placed-text.js";

/** Where a panel and its axes are. */
export interface PlacedPanel {
  readonly panel: ChartPanel;
  readonly rect: Rect;
  readonly x: AxisScale;
  readonly left: AxisScale;
  readonly right: AxisScale | null;
}

/** An entry of the legend; x is the left edge of its stroke, y the middle of the row. */
export interface ChartLegendEntry {
  readonly series: ChartSeries;
  readonly text: string;
  readonly x: number;
  readonly y: number;
}

/** Where everything of a chart is. */
export interface ChartLayout {
  readonly width: number;
  readonly height: number;
  readonly panels: readonly PlacedPanel[];
  readonly legend: readonly ChartLegendEntry[];
  readonly texts: readonly PlacedText[];
}

/** Room for the stroke of a legend entry. */
export const STROKE_ROOM = 30;

const LEGEND_SIZE = 12;
const ROW = 22;
const GAP = 26;
/** Least width of a panel; with less room there are fewer columns. */
const LEAST_PANEL = 300;
const LEAST_PLOT = 120;

/**
 * Returns where everything of a chart is, so that nothing overlaps and nothing is cut.
 *
 * @throws {@link InvalidOptionError} if the width, or the height for what there is to say, is too small.
 */
export function layoutChart(figure: ChartFigure, options: TrajectoryLayoutOptions = {}): ChartLayout {
  const columnsWanted = Math.max(1, Math.min(figure.columns, figure.panels.length));
  const natural = [760, 1000, 1200][Math.min(columnsWanted, 3) - 1] as number;
  const frame = layoutFrame(figure, options.width ?? natural, options.parts);
  const { width, padding, inner, headHeight, footHeight } = frame;
  const legend = layoutLegendRows(figure, inner);
  const columns = Math.max(1, Math.min(columnsWanted, Math.floor((inner + GAP) / (LEAST_PANEL + GAP))));
  const rows = Math.ceil(figure.panels.length / columns);
  const top = padding + headHeight + legend.height + 4;
  const hasNames = figure.panels.some(({ marks }) => marks.some(({ label }) => label !== ""));
  const heading = (figure.panels.some(({ title }) => title !== "") ? 26 : 6) + (hasNames ? 15 : 0);
  const below = 8 + 16 + 24;
  const perRow = heading + below;
  const rest = top + (footHeight > 0 ? footHeight + 8 : 0) + padding + rows * perRow + (rows - 1) * 10;
  const plot = columns === 1 && rows === 1 ? 340 : 230;
  const least = Math.ceil(rest + rows * LEAST_PLOT);
  checkHeight(options.height, least);
  const plotHeight = options.height === undefined ? plot : (options.height - rest) / rows;
  const height = options.height ?? Math.ceil(rest + rows * plot);
  const boxWidth = (inner - (columns - 1) * GAP) / columns;
  const placed = figure.panels.map((panel, index) => {
    const box = {
      x: padding + (index % columns) * (boxWidth + GAP),
      y: top + Math.floor(index / columns) * (perRow + plotHeight + 10),
      width: boxWidth,
      height: perRow + plotHeight,
    };
    return placePanel(panel, box, heading, plotHeight);
  });
  return {
    width,
    height,
    panels: placed.map(({ place }) => place),
    legend: legend.entries.map((entry) => ({
      ...entry,
      x: padding + entry.x,
      y: padding + headHeight + entry.y,
    })),
    texts: [...frame.place(height), ...placed.flatMap(({ texts }) => texts)],
  };
}

function placePanel(
  panel: ChartPanel,
  box: Rect,
  heading: number,
  plotHeight: number,
): { readonly place: PlacedPanel; readonly texts: readonly PlacedText[] } {
  const verticalTicks = Math.max(2, Math.min(7, Math.floor(plotHeight / 42)));
  const left = verticalScale(panel, "left", verticalTicks) as AxisScale;
  const right = verticalScale(panel, "right", verticalTicks);
  const leftRoom = Math.ceil(widest(left) + 8 + 24);
  const rightRoom = right === null ? 14 : Math.ceil(widest(right) + 8 + 24);
  const rect = {
    x: box.x + leftRoom,
    y: box.y + heading,
    width: Math.max(40, box.width - leftRoom - rightRoom),
    height: plotHeight,
  };
  const x = horizontalScale(panel, Math.max(2, Math.min(9, Math.floor(rect.width / 60))));
  const middle = rect.y + rect.height / 2;
  const cut = (text: string, room: number): string => truncateText(text, NAME_SIZE, room);
  const texts = [
    ...(panel.title === ""
      ? []
      : [
          line(truncateText(panel.title, NAME_SIZE, box.width, "semibold"), box.x, box.y + 9, {
            align: "left",
            weight: "semibold",
          }),
        ]),
    line(cut(panel.x.title, box.width), rect.x + rect.width / 2, rect.y + rect.height + 8 + 16 + 11, {
      x: [box.x, box.x + box.width],
    }),
    line(cut(panel.left.title, plotHeight + heading), box.x + 9, middle, { isVertical: true }),
    ...(panel.right === null
      ? []
      : [
          line(cut(panel.right.title, plotHeight + heading), box.x + box.width - 9, middle, {
            isVertical: true,
          }),
        ]),
    ...markLabels(panel, rect, x),
  ];
  return { place: { panel, rect, x, left, right }, texts };
}

/** Names of the marks, above the plot, each only where it fits. */
function markLabels({ marks }: ChartPanel, rect: Rect, scale: AxisScale): PlacedText[] {
  let free = Number.NEGATIVE_INFINITY;
  return marks
    .filter(({ label }) => label !== "")
    .sort((a, b) => a.x - b.x)
    .flatMap(({ x, label }) => {
      const at = rect.x + ((x - scale.min) / (scale.max - scale.min)) * rect.width + 4;
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

/** One entry for each name, colour and stroke, in rows. */
function layoutLegendRows(
  { panels }: ChartFigure,
  width: number,
): { readonly entries: readonly ChartLegendEntry[]; readonly height: number } {
  const seen = new Map<string, ChartSeries>();
  for (const series of panels.flatMap((panel) => panel.series)) {
    const key = JSON.stringify([series.name, series.color, series.isDashed]);
    if (!seen.has(key)) seen.set(key, series);
  }
  if (seen.size < 2) return { entries: [], height: 0 };
  let x = 0;
  let y = ROW / 2;
  const entries = [...seen.values()].map((series) => {
    const text = truncateText(series.name, LEGEND_SIZE, width - STROKE_ROOM);
    const needed = STROKE_ROOM + textWidth(text, LEGEND_SIZE);
    if (x > 0 && x + needed > width) {
      x = 0;
      y += ROW;
    }
    const entry = { series, text, x, y };
    x += needed + 18;
    return entry;
  });
  return { entries, height: y + ROW / 2 + 6 };
}

function widest({ ticks }: AxisScale): number {
  return Math.max(0, ...ticks.map(({ label }) => textWidth(label, TICK_SIZE)));
}
