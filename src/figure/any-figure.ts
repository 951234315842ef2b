import type { EChartsOption } from "echarts";
import type { ChartFigure } from "./chart-figure.js";
import { chartOption, chartSize } from "./draw/chart-option.js";
import { mapsOption, mapsSize } from "./draw/maps-option.js";
import { tableOption, tableSize } from "./draw/table-option.js";
import type { TrajectoryLayoutOptions } from "./draw/trajectory-layout.js";
import { type TrajectoryOptionOptions, trajectoryOption, trajectorySize } from "./draw/trajectory-option.js";
import type { EmbeddingFigure } from "./embedding-figure.js";
import type { TrajectoryFigure } from "./figure.js";
import type { MapsFigure } from "./make/create-maps-figure.js";
import { embeddingOption, embeddingSize } from "./space/embedding-option.js";
import type { TableFigure } from "./table-figure.js";

/** Every kind of figure that can be drawn. */
export type AnyFigure = TrajectoryFigure | ChartFigure | MapsFigure | TableFigure | EmbeddingFigure;

/** Returns the ECharts option that draws a figure of any kind. */
export function figureOption(figure: AnyFigure, options: TrajectoryOptionOptions = {}): EChartsOption {
  switch (figure.kind) {
    case "trajectory":
      return trajectoryOption(figure, options);
    case "chart":
      return chartOption(figure, options);
    case "maps":
      return mapsOption(figure, options);
    case "embedding":
      return embeddingOption(figure, options);
    case "table":
      return tableOption(figure, options);
  }
}

/** Returns the size in px that a picture of a figure of any kind takes. */
export function figureSize(
  figure: AnyFigure,
  options: TrajectoryLayoutOptions = {},
): { readonly width: number; readonly height: number } {
  switch (figure.kind) {
    case "trajectory":
      return trajectorySize(figure, options);
    case "chart":
      return chartSize(figure, options);
    case "maps":
      return mapsSize(figure, options);
    case "embedding":
      return embeddingSize(figure, options);
    case "table":
      return tableSize(figure, options);
  }
}
