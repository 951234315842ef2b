import type { EChartsOption } from "echarts";
import type { Figure } from "../figure.js";
import type { DrawOptions } from "./figure-frame.js";
import { type FigureLayout, kindOf, layoutFigure } from "./layout-figure.js";
import { legendShapes } from "./legend.js";
import { themeOf } from "./palette.js";
import type { Drawing } from "./panel-kind.js";
import { FONT_STACK } from "./placed-text.js";
import { grid, shapesSeries, textShape } from "./shapes.js";

/**
 * Returns the size in px that a picture of a figure takes.
 *
 * @example const { width, height } = figureSize(figure, { width: 1200 });
 */
export function figureSize(
  figure: Figure,
  options: DrawOptions = {},
): { readonly width: number; readonly height: number } {
  const { width, height } = layoutFigure(figure, options);
  return { width, height };
}

/**
 * Returns the ECharts option that draws a figure.
 *
 * A pure function of its arguments; everything is placed in px for the given size, so a picture of another
 * size is another option. The same code runs in Node and in the page.
 *
 * @example const size = figureSize(figure, { width: 1200 });
 * const svg = renderSvg(figureOption(figure, size), size);
 */
export function figureOption(figure: Figure, options: DrawOptions = {}): EChartsOption {
  return layoutOption(layoutFigure(figure, options), options);
}

/** Which parts of a picture are drawn: names of layers, "curves", and "furniture" for legend and texts. */
export interface LayoutOptionOptions extends Pick<DrawOptions, "theme"> {
  /** Default everything. */
  readonly isShown?: (name: string) => boolean;
  /** Default the theme's. */
  readonly background?: string;
}

/** Returns the ECharts option that draws a figure that has been laid out, or parts of it. */
export function layoutOption(
  { figure, panels, legend, texts }: FigureLayout,
  { theme: name, isShown = () => true, background }: LayoutOptionOptions = {},
): EChartsOption {
  const theme = themeOf(name ?? "light");
  const drawings = panels.map((placed): Drawing => kindOf(placed.panel).draw(placed, theme));
  const grids = drawings.flatMap((drawing) => drawing.grids);
  let first = 0;
  const series = drawings.flatMap(({ grids: own, layers, curves = [] }) => {
    const axes = first;
    first += own.length;
    return [
      ...layers
        .filter((layer) => isShown(layer.name))
        .map((layer) => shapesSeries(layer.name, layer.shapes, layer.z, { clip: layer.clip === true, axes })),
      ...(isShown("curves") ? curves : []).map(({ grid: number, series: curve }) => ({
        ...curve,
        xAxisIndex: axes + number,
        yAxisIndex: axes + number,
      })),
    ];
  });
  const furniture = [
    ...legend.flatMap((entry) => legendShapes(entry, figure, theme)),
    ...texts.map((text) => textShape(text, theme)),
  ];
  return {
    animation: false,
    backgroundColor: background ?? theme.background,
    textStyle: { fontFamily: FONT_STACK },
    grid: grids.map(({ rect }) => grid(rect)),
    xAxis: grids.map(({ x }, gridIndex) => ({ ...x, gridIndex })),
    yAxis: grids.map(({ y }, gridIndex) => ({ ...y, gridIndex })),
    series: [...series, ...(isShown("furniture") ? [shapesSeries("furniture", furniture, 6)] : [])],
  } as EChartsOption;
}
