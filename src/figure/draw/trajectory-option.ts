import type { EChartsOption } from "echarts";
import type { TrajectoryFigure } from "../figure.js";
import { lossPanel, type Panel, sharePanel } from "./fidelity-panels.js";
import type { Rect } from "./figure-frame.js";
import { LEGEND_SIZE } from "./legend.js";
import { legendShapes } from "./legend-shapes.js";
import type { Shape } from "./marks.js";
import { axis, grid, shapesSeries, textShape } from "./option-parts.js";
import { type Theme, type ThemeName, themeOf } from "./palette.js";
import type { PlacedText } from "./placed-text.js";
import { FONT_STACK, textWidth } from "./placed-text.js";
import { colorBarShapes, pathShapes, surfaceShapes } from "./surface-shapes.js";
import { layoutTrajectory, PANEL_LABELS, type TrajectoryLayoutOptions } from "./trajectory-layout.js";

/** Options of {@link trajectoryOption}. */
export interface TrajectoryOptionOptions extends TrajectoryLayoutOptions {
  /** Colours for light (default) or dark surroundings. */
  readonly theme?: ThemeName;
}

/** Returns the size in px that a picture of this figure takes at a width (default 1100). */
export function trajectorySize(
  figure: TrajectoryFigure,
  options: TrajectoryLayoutOptions = {},
): { readonly width: number; readonly height: number } {
  const { width, height } = layoutTrajectory(figure, options);
  return { width, height };
}

/**
 * Returns the ECharts option that draws a figure: the map with its path, and how faithful it is beside it.
 *
 * A pure function of its arguments; everything is placed in px for the given size, so a picture of another
 * size is another option. The same code runs in Node and in the page.
 */
export function trajectoryOption(
  figure: TrajectoryFigure,
  options: TrajectoryOptionOptions = {},
): EChartsOption {
  const theme = themeOf(options.theme ?? "light");
  const layout = layoutTrajectory(figure, options);
  const { map } = layout;
  const mapAxes = [
    axis(0, layout.alphaTicks, edges(figure.surface.alpha), theme, false),
    axis(0, layout.betaTicks, edges(figure.surface.beta), theme, false),
  ] as const;
  const frame: Shape = {
    type: "rect",
    shape: { x: map.x, y: map.y, width: map.width, height: map.height },
    style: { fill: "none", stroke: theme.line, lineWidth: 1 },
    silent: true,
  };
  const panels = [
    ...(layout.lossPanel === null ? [] : [{ rect: layout.lossPanel, panel: lossPanel(figure, theme) }]),
    { rect: layout.sharePanel, panel: sharePanel(figure, theme) },
  ];
  const furniture = [
    ...colorBarShapes(figure, layout.colorBar, theme),
    ...layout.legend.flatMap((row) => legendShapes(row, figure, theme)),
    ...(layout.lossPanel === null ? [] : curveKey(layout.lossPanel, theme)),
    ...layout.texts.map((text) => textShape(text, theme)),
  ];
  return {
    animation: false,
    backgroundColor: theme.background,
    textStyle: { fontFamily: FONT_STACK },
    grid: [grid(map), ...panels.map(({ rect }) => grid(rect))],
    xAxis: [mapAxes[0], ...panels.map(({ panel }, i) => axis(i + 1, panel.x.ticks, panel.x, theme, true))],
    yAxis: [mapAxes[1], ...panels.map(({ panel }, i) => axis(i + 1, panel.y.ticks, panel.y, theme, true))],
    series: [
      shapesSeries("surface", surfaceShapes(figure, map, theme), 1),
      shapesSeries("paths", [frame, ...pathShapes(figure, map, theme)], 3),
      shapesSeries(
        "gaps",
        panels.flatMap(({ rect, panel }) => gapShapes(rect, panel)),
        2,
        false,
      ),
      ...panels.flatMap(({ panel }, index) => curveSeries(panel, index + 1, theme)),
      shapesSeries(
        "drops",
        panels.flatMap(({ rect, panel }) => dropLines(rect, panel, theme)),
        3,
        false,
      ),
      shapesSeries("furniture", furniture, 6, false),
    ],
  } as EChartsOption;
}

function edges(values: readonly number[]): { min: number; max: number } {
  return { min: values[0] as number, max: values[values.length - 1] as number };
}

function curveSeries(panel: Panel, axisIndex: number, theme: Theme): object[] {
  const count = Math.max(...panel.curves.map(({ points }) => points.length));
  return panel.curves.map(({ name, color, isDashed, points }) => ({
    type: "line",
    name,
    xAxisIndex: axisIndex,
    yAxisIndex: axisIndex,
    data: points.map(([x, y]) => [x, y]),
    symbol: "circle",
    symbolSize: count > 40 ? 0 : isDashed ? 5 : 4,
    showSymbol: count <= 40,
    showAllSymbol: true,
    lineStyle: { color, width: 1.6, type: isDashed ? [5, 3] : "solid" },
    itemStyle: isDashed ? { color: theme.background, borderColor: color, borderWidth: 1.4 } : { color },
    silent: true,
    clip: false,
    z: isDashed ? 5 : 4,
  }));
}

/** The gap between the true loss and the plane's, as a band between the two curves. */
function gapShapes(rect: Rect, { x, y, gaps }: Panel): Shape[] {
  const toX = (value: number): number => rect.x + ((value - x.min) / (x.max - x.min)) * rect.width;
  const toY = (value: number): number => rect.y + (1 - (value - y.min) / (y.max - y.min)) * rect.height;
  return gaps.map(({ color, points }) => ({
    type: "polygon",
    shape: {
      points: [
        ...points.map(([at, own]) => [toX(at), toY(own)]),
        ...[...points].reverse().map(([at, , plane]) => [toX(at), toY(plane)]),
      ],
    },
    style: { fill: color, opacity: 0.22 },
    silent: true,
  }));
}

/** Upright lines where the learning rate had dropped. */
function dropLines(rect: Rect, { x: { min, max }, drops }: Panel, theme: Theme): Shape[] {
  return drops.map((value) => {
    const x = rect.x + ((value - min) / (max - min)) * rect.width;
    return {
      type: "line",
      shape: { x1: x, y1: rect.y, x2: x, y2: rect.y + rect.height },
      style: { stroke: theme.drop, lineWidth: 1, lineDash: [2, 3] },
      silent: true,
    };
  });
}

/** "— true  - - on the plane", above the loss panel. */
function curveKey(panel: Rect, theme: Theme): Shape[] {
  const y = panel.y - 13;
  const left = panel.x - PANEL_LABELS;
  const text = (value: string, x: number): PlacedText => ({
    text: value,
    x,
    y,
    size: LEGEND_SIZE,
    weight: "regular",
    tone: "muted",
    align: "left",
    isVertical: false,
  });
  const line = (x: number, lineDash: number[] | null): Shape => ({
    type: "line",
    shape: { x1: x, y1: y, x2: x + 22, y2: y },
    style: { stroke: theme.muted, lineWidth: 1.6, ...(lineDash === null ? {} : { lineDash }) },
    silent: true,
  });
  const second = left + 28 + textWidth("true loss", LEGEND_SIZE) + 18;
  return [
    line(left, null),
    textShape(text("true loss", left + 28), theme),
    line(second, [5, 3]),
    textShape(text("loss on the plane", second + 28), theme),
  ];
}
