import type { EChartsOption } from "echarts";
import type { TableFigure } from "../table-figure.js";
import type { Shape } from "./marks.js";
import { grid, shapesSeries, textShape } from "./option-parts.js";
import { themeOf } from "./palette.js";
import { FONT_STACK } from "./placed-text.js";
import { layoutTable } from "./table-layout.js";
import type { TrajectoryLayoutOptions } from "./trajectory-layout.js";
import type { TrajectoryOptionOptions } from "./trajectory-option.js";

/** Returns the size in px that a picture of this table takes. */
export function tableSize(
  figure: TableFigure,
  options: TrajectoryLayoutOptions = {},
): { readonly width: number; readonly height: number } {
  const { width, height } = layoutTable(figure, options);
  return { width, height };
}

/**
 * Returns the ECharts option that draws a table as a picture, for where text alone will not do.
 *
 * A pure function of its arguments; everything is placed in px for the given size.
 */
export function tableOption(figure: TableFigure, options: TrajectoryOptionOptions = {}): EChartsOption {
  const theme = themeOf(options.theme ?? "light");
  const { width, height, texts, keys, rules, edges } = layoutTable(figure, options);
  const shapes: Shape[] = [
    ...rules.map(
      ({ y, isStrong }): Shape => ({
        type: "line",
        shape: { x1: edges[0], y1: y, x2: edges[1], y2: y },
        style: { stroke: isStrong ? theme.line : theme.faint, lineWidth: 1 },
        silent: true,
      }),
    ),
    ...keys.map(
      ({ color, rect }): Shape => ({
        type: "rect",
        shape: { ...rect },
        style: { fill: theme.runs[color % theme.runs.length] },
        silent: true,
      }),
    ),
    ...texts.map((text) => textShape(text, theme)),
  ];
  const hidden = { type: "value", show: false, min: 0, max: 1 };
  return {
    animation: false,
    backgroundColor: theme.background,
    textStyle: { fontFamily: FONT_STACK },
    grid: [grid({ x: 0, y: 0, width, height })],
    xAxis: [hidden],
    yAxis: [hidden],
    series: [shapesSeries("table", shapes, 2, false)],
  } as EChartsOption;
}
