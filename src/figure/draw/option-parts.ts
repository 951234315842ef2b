import type { Rect } from "./figure-frame.js";
import type { Shape } from "./marks.js";
import type { Theme } from "./palette.js";
import { FONT_STACK, type PlacedText } from "./placed-text.js";
import type { Tick } from "./trajectory-layout.js";

/** A place for curves, in px. */
export function grid({ x, y, width, height }: Rect): object {
  return { left: x, top: y, width, height, containLabel: false, outerBoundsMode: "none" };
}

/** A value axis with ticks exactly where they are asked for. */
export function axis(
  gridIndex: number,
  ticks: readonly Tick[],
  { min, max }: { min: number; max: number },
  theme: Theme,
  hasSplitLines: boolean,
): object {
  const values = ticks.map(({ value }) => value);
  const labels = new Map(ticks.map(({ value, label }) => [value, label]));
  return {
    type: "value",
    gridIndex,
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

/** A series that draws shapes placed in px, by default cut at the edge of the map. */
export function shapesSeries(name: string, shapes: readonly Shape[], z: number, clip = true): object {
  return {
    type: "custom",
    name,
    coordinateSystem: "cartesian2d",
    xAxisIndex: 0,
    yAxisIndex: 0,
    clip,
    silent: true,
    z,
    data: [[0, 0]],
    renderItem: () => ({ type: "group", children: shapes }),
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

/** Dashes of the first, second and third round through the palette. */
const DASHES: readonly (readonly number[] | null)[] = [null, [7, 3], [2, 3]];

/** How the line of a run is drawn where there are more runs than colours: each round has its own dashes. */
export interface RunStroke {
  readonly color: string;
  readonly lineDash: readonly number[] | null;
}

/** Returns colour and dashes of the n-th run. */
export function runStroke(index: number, { runs }: Theme): RunStroke {
  return {
    color: runs[index % runs.length] as string,
    lineDash: DASHES[Math.floor(index / runs.length) % DASHES.length] ?? null,
  };
}
