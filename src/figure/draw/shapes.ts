import type { Rect, Tick } from "./figure-frame.js";
import { fontStack } from "./font.js";
import type { Theme } from "./palette.js";
import type { PlacedText } from "./placed-text.js";

/** A drawing primitive that ECharts' custom series and graphic components both take. */
export interface Shape {
  readonly type: "circle" | "rect" | "polygon" | "polyline" | "line" | "path" | "text" | "image";
  readonly shape?: Readonly<Record<string, unknown>>;
  readonly style: Readonly<Record<string, unknown>>;
  readonly x?: number;
  readonly y?: number;
  readonly rotation?: number;
  readonly silent: true;
  readonly z2?: number;
}

const END_RADIUS = 12;

/**
 * A white disc with a coloured rim: where a path starts.
 *
 * @param covered - Number of marks that will lie on the same spot on top of this one: it is wider by as many
 *   rims, so that runs from one initialization show as rings around each other.
 * @param size - 1, or less where there are many.
 */
export function startMark(x: number, y: number, color: string, theme: Theme, covered = 0, size = 1): Shape[] {
  const radius = size * (5.2 + 3.2 * covered);
  return [disc(x, y, radius + 2.3 * size, theme.halo), ring(x, y, radius, "#ffffff", color, 2.4 * size)];
}

/** A star with a white rim: where a path ends; `size` is 1, or less where there are many. */
export function endMark(x: number, y: number, color: string, theme: Theme, size = 1): Shape[] {
  const style = { fill: color, stroke: theme.halo, lineWidth: 1.6, lineJoin: "round" };
  return [polygon(starPoints(x, y, size * END_RADIUS, size * 5.2), style)];
}

/** A snapshot. */
export function pointMark(x: number, y: number, radius: number, color: string, theme: Theme): Shape[] {
  return [disc(x, y, radius + 1.1, theme.halo), disc(x, y, radius, color)];
}

/**
 * A snapshot at which the learning rate had dropped: a red dot, with a rim in the run's colour if there are
 * several runs. Smaller than the end's star, which it often lies on: after a drop the steps are short.
 */
export function dropMark(x: number, y: number, rim: string | null, theme: Theme): Shape[] {
  if (rim === null) return [disc(x, y, 5.4, theme.halo), disc(x, y, 4.2, theme.drop)];
  return [disc(x, y, 6.4, theme.halo), ring(x, y, 4.4, theme.drop, rim, 1.9)];
}

/** A cross with a rim: the least value of a grid. */
export function crossMark(x: number, y: number, theme: Theme, half = 4.5): Shape[] {
  const arms = `M${round(x - half)} ${round(y - half)}L${round(x + half)} ${round(y + half)}M${round(x - half)} ${round(y + half)}L${round(x + half)} ${round(y - half)}`;
  const style = { fill: "none", lineCap: "round" };
  return [
    pathShape(arms, { ...style, stroke: theme.halo, lineWidth: 5 }),
    pathShape(arms, { ...style, stroke: theme.text, lineWidth: 2 }),
  ];
}

/** A filled circle. */
export function disc(x: number, y: number, r: number, fill: string): Shape {
  return { type: "circle", shape: { cx: x, cy: y, r }, style: { fill }, silent: true };
}

function ring(x: number, y: number, r: number, fill: string, stroke: string, lineWidth: number): Shape {
  return { type: "circle", shape: { cx: x, cy: y, r }, style: { fill, stroke, lineWidth }, silent: true };
}

function starPoints(x: number, y: number, outer: number, inner: number): [number, number][] {
  return Array.from({ length: 10 }, (_, index) => {
    const radius = index % 2 === 0 ? outer : inner;
    const angle = -Math.PI / 2 + (index * Math.PI) / 5;
    return [x + radius * Math.cos(angle), y + radius * Math.sin(angle)];
  });
}

/** Distance of hatching lines, measured along an axis, in px. */
const SPACING = 7;

/**
 * Returns diagonal lines over a rectangle as SVG path data.
 *
 * All lines lie on one lattice x + y = k · spacing, so that neighbouring rectangles join without a seam.
 */
export function hatchPath({ x, y, width, height }: Rect): string {
  const parts: string[] = [];
  const first = Math.ceil((x + y) / SPACING);
  const last = Math.floor((x + width + y + height) / SPACING);
  for (let k = first; k <= last; k++) {
    const sum = k * SPACING;
    const x0 = Math.max(x, sum - (y + height));
    const x1 = Math.min(x + width, sum - y);
    if (x1 > x0) parts.push(`M${round(x0)} ${round(sum - x0)}L${round(x1)} ${round(sum - x1)}`);
  }
  return parts.join("");
}

/** Px to a hundredth: finer is not seen and only makes files larger. */
export function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** A filled rectangle. */
export function rectangle(
  { x, y, width, height }: Rect,
  fill: string,
  style: Record<string, unknown> = {},
): Shape {
  return { type: "rect", shape: { x, y, width, height }, style: { fill, ...style }, silent: true };
}

/** A place in px. */
export type Point = readonly [x: number, y: number];

/** A straight stroke. */
export function stroke([x1, y1]: Point, [x2, y2]: Point, style: Record<string, unknown>): Shape {
  return { type: "line", shape: { x1, y1, x2, y2 }, style: solid(style), silent: true };
}

/** Names no dashes where there are none. */
function solid({ lineDash, ...style }: Record<string, unknown>): Record<string, unknown> {
  return lineDash == null ? style : { ...style, lineDash };
}

/** Strokes from point to point. */
export function polyline(points: readonly Point[], style: Record<string, unknown>): Shape {
  return { type: "polyline", shape: { points }, style: { fill: "none", ...solid(style) }, silent: true };
}

/** A closed outline. */
export function polygon(points: readonly Point[], style: Record<string, unknown>): Shape {
  return { type: "polygon", shape: { points }, style, silent: true };
}

/** Returns SVG path data from point to point. */
export function trace(points: readonly Point[]): string {
  return points.map(([x, y], i) => `${i === 0 ? "M" : "L"}${round(x)} ${round(y)}`).join("");
}

/** A shape of SVG path data. */
export function pathShape(pathData: string, style: Record<string, unknown>): Shape {
  return { type: "path", shape: { pathData }, style, silent: true };
}

/** Returns a grey, hatched rectangle: no finite loss here. */
export function unknownShapes(rect: Rect, theme: Theme): Shape[] {
  return [
    rectangle(rect, theme.unknown),
    pathShape(hatchPath(rect), { fill: "none", stroke: theme.hatch, lineWidth: 1 }),
  ];
}

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
      fontFamily: fontStack(),
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
  return rectangle(rect, "none", { stroke: theme.line, lineWidth: 1 });
}

/**
 * A line of text at its place.
 *
 * @param rotation - in radians, counter-clockwise; default a quarter where the text is vertical.
 * @param rim - draws a rim around the letters, so that they can be read over anything.
 */
export function textShape(
  { text, x, y, size, weight, tone, align, isVertical }: PlacedText,
  theme: Theme,
  { rotation = isVertical ? Math.PI / 2 : 0, rim = false } = {},
): Shape {
  const font = { fontFamily: fontStack(), fontSize: size, fontWeight: weight === "semibold" ? 600 : 400 };
  const fill = tone === "text" ? theme.text : theme.muted;
  const halo = rim ? { stroke: theme.halo, lineWidth: 3 } : {};
  const style = { text, ...font, fill, ...halo, align, verticalAlign: "middle" };
  return { type: "text", x, y, rotation, style, silent: true };
}

/** Axes that are not seen, for a panel of shapes alone. */
export function hiddenGrid(
  rect: Rect,
  theme: Theme,
): { readonly rect: Rect; readonly x: object; readonly y: object } {
  const hidden = { ...axis([], { min: 0, max: 1 }, theme, false), show: false };
  return { rect, x: hidden, y: hidden };
}
