import type { EChartsOption } from "echarts";
import type { Rect } from "../draw/figure-frame.js";
import { formatLevels } from "../draw/format-number.js";
import { disc, endMark, type Shape, startMark } from "../draw/marks.js";
import { axis, grid, runStroke, shapesSeries, textShape } from "../draw/option-parts.js";
import { type Theme, type ThemeName, themeOf } from "../draw/palette.js";
import { FONT_STACK, line, TICK_SIZE } from "../draw/placed-text.js";
import type { EmbeddingFigure } from "../embedding-figure.js";
import {
  type EmbeddingLayoutOptions,
  type EmbeddingLegendEntry,
  layoutEmbedding,
  MARK_ROOM,
} from "./embedding-layout.js";
import { sceneOf } from "./embedding-scene.js";
import { boxShapes, scaleColor, scenePathShapes } from "./embedding-shapes.js";

/** Options of {@link embeddingOption}. */
export interface EmbeddingOptionOptions extends EmbeddingLayoutOptions {
  /** Colours for light (default) or dark surroundings. */
  readonly theme?: ThemeName;
  /** Draws only snapshots up to this count of the figure's `progress`, to play a training. Default all. */
  readonly until?: number;
}

/** Returns the size in px that a picture of this embedding takes. */
export function embeddingSize(
  figure: EmbeddingFigure,
  options: EmbeddingLayoutOptions = {},
): { readonly width: number; readonly height: number } {
  const { width, height } = layoutEmbedding(figure, options);
  return { width, height };
}

/**
 * Returns the ECharts option that draws an embedding: flat in two dimensions, in perspective in three.
 *
 * A pure function of its arguments; everything is placed in px for the given size. The same code runs in Node
 * and in the page.
 */
export function embeddingOption(
  figure: EmbeddingFigure,
  options: EmbeddingOptionOptions = {},
): EChartsOption {
  const theme = themeOf(options.theme ?? "light");
  const { map, ticks, colorBar, legend, texts } = layoutEmbedding(figure, options);
  const scene = sceneOf(figure, map, options.view);
  const isFlat = figure.dimensions === 2;
  const until = options.until ?? Number.POSITIVE_INFINITY;
  const [x, y] = isFlat
    ? scene.ranges
    : ([
        [0, 1],
        [0, 1],
      ] as const);
  const axes = [x, y].map((range, i) => ({
    ...axis(0, ticks[i] ?? [], { min: range?.[0] ?? 0, max: range?.[1] ?? 1 }, theme, isFlat),
    show: isFlat,
  }));
  const frame: Shape = {
    type: "rect",
    shape: { ...map },
    style: { fill: "none", stroke: theme.line, lineWidth: 1 },
    silent: true,
  };
  return {
    animation: false,
    backgroundColor: theme.background,
    textStyle: { fontFamily: FONT_STACK },
    grid: [grid(map)],
    xAxis: [axes[0]],
    yAxis: [axes[1]],
    series: [
      shapesSeries("box", isFlat ? [frame] : boxShapes(figure, scene, theme), 2, false),
      shapesSeries("paths", scenePathShapes(figure, scene, theme, until), 3, false),
      shapesSeries(
        "furniture",
        [
          ...(colorBar === null ? [] : barShapes(figure, colorBar, theme)),
          ...legend.flatMap((entry) => legendShapes(entry, figure, theme)),
          ...texts.map((text) => textShape(text, theme)),
        ],
        6,
        false,
      ),
    ],
  } as EChartsOption;
}

/** Steps of the colour bar, fine enough to look continuous. */
const BAR_STEPS = 64;

function barShapes({ scale }: EmbeddingFigure, bar: Rect, theme: Theme): Shape[] {
  if (scale === null) return [];
  const step = bar.height / BAR_STEPS;
  const toShare = (value: number): number => {
    const [low, high, at] =
      scale.kind === "log"
        ? [Math.log(scale.min), Math.log(scale.max), Math.log(value)]
        : [scale.min, scale.max, value];
    return high > low ? (at - low) / (high - low) : 0.5;
  };
  const bands = Array.from({ length: BAR_STEPS }, (_, i): Shape => {
    const top = bar.y + bar.height - (i + 1) * step;
    const style = { fill: scaleColor((i + 0.5) / BAR_STEPS) };
    return { type: "rect", shape: { ...bar, y: top, height: step + 0.5 }, style, silent: true };
  });
  const labels = formatLevels(scale.ticks);
  const ticks = scale.ticks.flatMap((value, i): Shape[] => {
    const y = bar.y + bar.height * (1 - toShare(value));
    const right = bar.x + bar.width;
    return [
      {
        type: "line",
        shape: { x1: right - 4, y1: y, x2: right + 3, y2: y },
        style: { stroke: theme.line, lineWidth: 1 },
        silent: true,
      },
      textShape(
        line(labels[i] as string, right + 6, y, { align: "left", size: TICK_SIZE, tone: "muted" }),
        theme,
      ),
    ];
  });
  const frame: Shape = {
    type: "rect",
    shape: { ...bar },
    style: { fill: "none", stroke: theme.line, lineWidth: 1 },
    silent: true,
  };
  return [...bands, frame, ...ticks];
}

function legendShapes(
  { mark, text, x, y }: EmbeddingLegendEntry,
  { scale }: EmbeddingFigure,
  theme: Theme,
): Shape[] {
  const label = textShape(line(text, x + MARK_ROOM, y, { align: "left", size: 12 }), theme);
  switch (mark.kind) {
    case "start":
      return [...startMark(x + 13, y, theme.line, theme), label];
    case "end":
      return [...endMark(x + 13, y, theme.line, theme), label];
    case "unknown":
      return [disc(x + 13, y, 4.6, theme.hatch), disc(x + 13, y, 3.6, theme.unknown), label];
    case "run": {
      const { color, lineDash } = runStroke(mark.index, theme);
      const stroke: Shape = {
        type: "line",
        shape: { x1: x + 2, y1: y, x2: x + 24, y2: y },
        style: { stroke: color, lineWidth: 2.2, ...(lineDash === null ? {} : { lineDash }) },
        silent: true,
      };
      return [stroke, ...(scale === null ? [disc(x + 13, y, 3.8, color)] : []), label];
    }
  }
}
