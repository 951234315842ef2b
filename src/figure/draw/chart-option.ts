import type { EChartsOption } from "echarts";
import type { ChartFigure, ChartSeries } from "../chart-figure.js";
import { type ChartLegendEntry, layoutChart, type PlacedPanel, STROKE_ROOM } from "./chart-layout.js";
import type { AxisScale } from "./chart-scale.js";
import { disc, type Shape } from "./marks.js";
import { axis, grid, shapesSeries, textShape } from "./option-parts.js";
import { type Theme, themeOf } from "./palette.js";
import { FONT_STACK, line } from "./placed-text.js";
import type { TrajectoryLayoutOptions } from "./trajectory-layout.js";
import type { TrajectoryOptionOptions } from "./trajectory-option.js";

/** Returns the size in px that a picture of this chart takes. */
export function chartSize(
  figure: ChartFigure,
  options: TrajectoryLayoutOptions = {},
): { readonly width: number; readonly height: number } {
  const { width, height } = layoutChart(figure, options);
  return { width, height };
}

/**
 * Returns the ECharts option that draws a chart: its panels with curves, bands and marks.
 *
 * A pure function of its arguments; everything is placed in px for the given size.
 */
export function chartOption(figure: ChartFigure, options: TrajectoryOptionOptions = {}): EChartsOption {
  const theme = themeOf(options.theme ?? "light");
  const { panels, legend, texts } = layoutChart(figure, options);
  const sides = panels.flatMap(({ panel, rect, x, left, right }, index) =>
    [left, ...(right === null ? [] : [right])].map((y, s) => ({
      rect,
      x: axis(0, x.ticks, x, theme, s === 0),
      y: { ...axis(0, y.ticks, y, theme, s === 0), position: s === 0 ? "left" : "right" },
      side: s === 0 ? ("left" as const) : ("right" as const),
      index,
      panel,
      scales: { x, y },
      isSecond: s === 1,
    })),
  );
  const furniture = [
    ...panels.flatMap((place) => markShapes(place, theme)),
    ...legend.flatMap((entry) => legendShapes(entry, theme)),
    ...texts.map((text) => textShape(text, theme)),
  ];
  return {
    animation: false,
    backgroundColor: theme.background,
    textStyle: { fontFamily: FONT_STACK },
    grid: sides.map(({ rect }) => grid(rect)),
    xAxis: sides.map(({ x, isSecond }, i) => ({ ...x, gridIndex: i, show: !isSecond })),
    yAxis: sides.map(({ y }, i) => ({ ...y, gridIndex: i })),
    series: [
      shapesSeries(
        "bands",
        sides.flatMap((part) =>
          bandShapes(
            part.panel.series.filter((s) => s.axis === part.side),
            part,
            theme,
          ),
        ),
        2,
        false,
      ),
      ...sides.flatMap((part, i) =>
        part.panel.series
          .filter((series) => series.axis === part.side)
          .map((series) => curve(series, part.scales, i, theme)),
      ),
      shapesSeries("furniture", furniture, 6, false),
    ],
  } as EChartsOption;
}

interface Scales {
  readonly x: AxisScale;
  readonly y: AxisScale;
}

function colorOf({ color }: Pick<ChartSeries, "color">, theme: Theme): string {
  return theme.runs[color % theme.runs.length] as string;
}

function curve(series: ChartSeries, { x, y }: Scales, axisIndex: number, theme: Theme): object {
  const color = colorOf(series, theme);
  const isPoints = series.shape === "points";
  const hasDots = isPoints || (series.shape === "line" && series.x.length <= 30);
  return {
    type: "line",
    name: series.name,
    xAxisIndex: axisIndex,
    yAxisIndex: axisIndex,
    data: series.x.map((value, i) => [x.position(value), y.position(series.y[i] as number)]),
    symbol: "circle",
    symbolSize: isPoints ? 6 : hasDots ? 4 : 0,
    showSymbol: hasDots,
    showAllSymbol: true,
    lineStyle: {
      color,
      width: isPoints ? 0 : series.shape === "area" ? 1.2 : 1.7,
      type: series.isDashed ? [5, 3] : "solid",
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
function bandShapes(
  all: readonly ChartSeries[],
  { rect, scales: { x, y } }: { readonly rect: PlacedPanel["rect"]; readonly scales: Scales },
  theme: Theme,
): Shape[] {
  const toX = (position: number): number => rect.x + ((position - x.min) / (x.max - x.min)) * rect.width;
  const toY = (position: number): number => {
    const share = Math.min(1, Math.max(0, (position - y.min) / (y.max - y.min)));
    return rect.y + rect.height * (1 - share);
  };
  return all.flatMap((series) => {
    const { band, shape } = series;
    if (band === null && shape !== "area") return [];
    const pieces: { readonly at: number; readonly low: number; readonly high: number }[][] = [[]];
    series.x.forEach((value, i) => {
      const at = x.position(value);
      const low = band === null ? y.min : y.position(band.low[i] as number);
      const high = y.position((band === null ? series.y[i] : band.high[i]) as number);
      if (at === null || low === null || high === null) pieces.push([]);
      else pieces[pieces.length - 1]?.push({ at: toX(at), low: toY(low), high: toY(high) });
    });
    return pieces
      .filter((piece) => piece.length > 1)
      .map(
        (piece): Shape => ({
          type: "polygon",
          shape: {
            points: [
              ...piece.map(({ at, high }) => [at, high]),
              ...[...piece].reverse().map(({ at, low }) => [at, low]),
            ],
          },
          style: { fill: colorOf(series, theme), opacity: series.isDashed ? 0.12 : 0.2 },
          silent: true,
        }),
      );
  });
}

function markShapes({ panel, rect, x: { min, max } }: PlacedPanel, theme: Theme): Shape[] {
  return panel.marks.map(({ x, tone }): Shape => {
    const at = rect.x + ((x - min) / (max - min)) * rect.width;
    return {
      type: "line",
      shape: { x1: at, y1: rect.y, x2: at, y2: rect.y + rect.height },
      style: { stroke: tone === "drop" ? theme.drop : theme.line, lineWidth: 1, lineDash: [2, 3] },
      silent: true,
    };
  });
}

function legendShapes({ series, text, x, y }: ChartLegendEntry, theme: Theme): Shape[] {
  const color = colorOf(series, theme);
  const stroke: Shape =
    series.shape === "points"
      ? disc(x + 12, y, 3.4, color)
      : {
          type: "line",
          shape: { x1: x, y1: y, x2: x + 24, y2: y },
          style: { stroke: color, lineWidth: 2, ...(series.isDashed ? { lineDash: [5, 3] } : {}) },
          silent: true,
        };
  const ground: Shape[] =
    series.band === null && series.shape !== "area"
      ? []
      : [
          {
            type: "rect",
            shape: { x, y: y - 6, width: 24, height: 12 },
            style: { fill: color, opacity: 0.2 },
            silent: true,
          },
        ];
  return [...ground, stroke, textShape(line(text, x + STROKE_ROOM, y, { align: "left", size: 12 }), theme)];
}
