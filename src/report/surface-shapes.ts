import { type Contour, type GridPoint, surfaceContours, unknownCells } from "./contours.js";
import type { TrajectoryFigure } from "./figure.js";
import { formatLevels } from "./format-number.js";
import { hatchPath, round } from "./hatching.js";
import { decodeNumber } from "./json-number.js";
import type { Shape } from "./marks.js";
import { surfaceColors, type Theme } from "./palette.js";
import type { Rect } from "./rect.js";
import { FONT_STACK } from "./text-width.js";

/** From grid coordinates to px. */
export type ToPixel = (alpha: number, beta: number) => readonly [x: number, y: number];

/** Returns the mapping of a figure's plane onto its map; beta grows upwards. */
export function planeToPixel(figure: Pick<TrajectoryFigure, "surface">, map: Rect): ToPixel {
  const { alpha, beta } = figure.surface;
  const [a0, a1] = [alpha[0] as number, alpha[alpha.length - 1] as number];
  const [b0, b1] = [beta[0] as number, beta[beta.length - 1] as number];
  return (a, b) => [
    map.x + ((a - a0) / (a1 - a0)) * map.width,
    map.y + map.height - ((b - b0) / (b1 - b0)) * map.height,
  ];
}

/** Returns the filled contours, their lines and the hatched cells of a surface. */
export function surfaceShapes(
  figure: Pick<TrajectoryFigure, "surface" | "scale" | "interpolation">,
  map: Rect,
  theme: Theme,
  colors: readonly string[] = surfaceColors(figure.scale.levels.length + 1),
): Shape[] {
  const grid = { ...figure.surface, loss: figure.surface.loss.map(decodeNumber) };
  const contours = surfaceContours(grid, figure.scale, figure.interpolation);
  const toPixel = planeToPixel(figure, map);
  return [
    rectangle(map, colors[0] as string),
    ...contours.flatMap((contour, index) => contourShapes(contour, colors[index + 1] as string, toPixel)),
    ...unknownCells(grid).flatMap(({ alpha, beta }) => {
      const [x, y] = toPixel(alpha[0], beta[1]);
      const [x1, y1] = toPixel(alpha[1], beta[0]);
      return unknownShapes({ x, y, width: x1 - x, height: y1 - y }, theme);
    }),
  ];
}

/** Returns a grey, hatched rectangle: no finite loss here. */
export function unknownShapes(rect: Rect, theme: Theme): Shape[] {
  return [
    rectangle(rect, theme.unknown),
    path(hatchPath(rect), { fill: "none", stroke: theme.hatch, lineWidth: 1 }),
  ];
}

/** Returns the colour bar with a label at each level, thinned out where they would touch. */
export function colorBarShapes(
  figure: Pick<TrajectoryFigure, "scale">,
  bar: Rect,
  theme: Theme,
  colors: readonly string[] = surfaceColors(figure.scale.levels.length + 1),
): Shape[] {
  const { levels } = figure.scale;
  const step = bar.height / colors.length;
  const stride = Math.max(1, Math.ceil(16 / step));
  const bands = colors.map((color, index) =>
    rectangle(
      { ...bar, y: bar.y + bar.height - (index + 1) * step, height: step + (index > 0 ? 0.5 : 0) },
      color,
    ),
  );
  const texts = formatLevels(levels);
  const labels = texts.flatMap((text, index): Shape[] => {
    const y = bar.y + bar.height - (index + 1) * step;
    const tick = path(`M${round(bar.x + bar.width - 4)} ${round(y)}H${round(bar.x + bar.width + 3)}`, {
      fill: "none",
      stroke: theme.line,
      lineWidth: 1,
    });
    if (index % stride !== 0) return [];
    return [tick, label(text, bar.x + bar.width + 6, y, theme)];
  });
  const frame = rectangle(bar, "none", { stroke: theme.line, lineWidth: 1 });
  return [...bands, frame, ...labels];
}

function contourShapes(contour: Contour, color: string, toPixel: ToPixel): Shape[] {
  return [
    path(contour.rings.map((ring) => `${trace(ring, toPixel)}Z`).join(""), { fill: color }),
    path(contour.lines.map((line) => trace(line, toPixel)).join(""), {
      fill: "none",
      stroke: "#000000",
      opacity: 0.38,
      lineWidth: 0.7,
    }),
  ];
}

function trace(points: readonly GridPoint[], toPixel: ToPixel): string {
  return points
    .map(([alpha, beta], index) => {
      const [x, y] = toPixel(alpha, beta);
      return `${index === 0 ? "M" : "L"}${round(x)} ${round(y)}`;
    })
    .join("");
}

function rectangle({ x, y, width, height }: Rect, fill: string, style: Record<string, unknown> = {}): Shape {
  return { type: "rect", shape: { x, y, width, height }, style: { fill, ...style }, silent: true };
}

function path(pathData: string, style: Record<string, unknown>): Shape {
  return { type: "path", shape: { pathData }, style, silent: true };
}

function label(text: string, x: number, y: number, theme: Theme): Shape {
  return {
    type: "text",
    x,
    y,
    style: {
      text,
      fontFamily: FONT_STACK,
      fontSize: 12,
      fill: theme.muted,
      align: "left",
      verticalAlign: "middle",
    },
    silent: true,
  };
}
