import type { Rect, Tick } from "./figure-frame.js";
import type { Shape } from "./marks.js";
import type { Theme } from "./palette.js";
import { FONT_STACK, type PlacedText } from "./placed-text.js";

/** A place for curves, in px. */
export function grid({ x, y, width, height }: Rect): object {
  return { left: x, top: y, width, height, containLabel: false, outerBoundsMode: "none" };
}

/** A value axis with ticks exactly where they are asked for. */
export function axis(
  ticks: readonly Tick[],
  { min, max }: { min: number; max: number },
  theme: Theme,
  hasSplitLines: boolean,
): object {
  const values = ticks.map(({ value }) => value);
  const labels = new Map(ticks.map(({ value, label }) => [value, label]));
  return {
    type: "value",
    min,
    max,
    axisLine: { show: true, onZero: false, lineStyle: { color: theme.line, width: 1 } },
    axisTick: { show: true, length: 4, customValues: values, lineStyle: { color: theme.line } },
    axisLabel: {
      customValues: values,
      formatter: (value: number) => labels.get(value) ?? "",
      color: theme.muted,
      fontSize: 12,
      fontFamily: FONT_STACK,
      hideOverlap: true,
      margin: 8,
    },
    splitLine: { show: hasSplitLines, lineStyle: { color: theme.faint } },
  };
}

/**
 * A series that draws shapes placed in px.
 *
 * ECharts matches the shapes of a redrawn series with the old ones by position and keeps what the new ones do
 * not name (a turn, a dash): so none is ever reused.
 *
 * @param clip - whether shapes are cut at the edge of the panel.
 * @param axes - index of the axes whose grid the panel is.
 */
export function shapesSeries(
  name: string,
  shapes: readonly Shape[],
  z: number,
  { clip = false, axes = 0 }: { readonly clip?: boolean; readonly axes?: number } = {},
): object {
  return {
    type: "custom",
    name,
    coordinateSystem: "cartesian2d",
    xAxisIndex: axes,
    yAxisIndex: axes,
    clip,
    silent: true,
    z,
    data: [[0, 0]],
    renderItem: () => ({ type: "group", $mergeChildren: false, children: shapes }),
  };
}

/** The outline of a plot. */
export function frameShape(rect: Rect, theme: Theme): Shape {
  return {
    type: "rect",
    shape: { ...rect },
    style: { fill: "none", stroke: theme.line, lineWidth: 1 },
    silent: true,
  };
}

/** A line of text at its place. */
export function textShape(placed: PlacedText, theme: Theme): Shape {
  return {
    type: "text",
    x: placed.x,
    y: placed.y,
    rotation: placed.isVertical ? Math.PI / 2 : 0,
    style: {
      text: placed.text,
      fontFamily: FONT_STACK,
      fontSize: placed.size,
      fontWeight: placed.weight === "semibold" ? 600 : 400,
      fill: placed.tone === "text" ? theme.text : theme.muted,
      align: placed.align,
      verticalAlign: "middle",
    },
    silent: true,
  };
}
