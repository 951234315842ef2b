import type { EChartsOption } from "echarts";
import type { Rect } from "../draw/figure-frame.js";
import { legendShapes } from "../draw/legend-shapes.js";
import { dropMark, endMark, round, type Shape, startMark } from "../draw/marks.js";
import { grid, shapesSeries, textShape } from "../draw/option-parts.js";
import { type Theme, type ThemeName, themeOf } from "../draw/palette.js";
import { FONT_STACK } from "../draw/placed-text.js";
import { colorBarShapes, runColor } from "../draw/surface-shapes.js";
import type { TrajectoryFigure } from "../figure.js";
import { type SceneFurniture, type SceneLine, sceneFurniture } from "./scene-furniture.js";
import { cellPieces, drapedPieces, ownPieces, type Piece } from "./scene-pieces.js";
import type { Projection } from "./scene-view.js";
import { layoutSurface, type SurfaceLayout, type SurfaceLayoutOptions } from "./surface-layout.js";
import { createSurfaceScene, type ScenePath, type SurfaceScene } from "./surface-scene.js";

/** Options of {@link surfaceOption}. */
export interface SurfaceOptionOptions extends SurfaceLayoutOptions {
  /** Colours for light (default) or dark surroundings. */
  readonly theme?: ThemeName;
}

/** Returns the size in px that a figure's surface in space takes at a width (default 1000). */
export function surfaceSize(
  figure: TrajectoryFigure,
  options: SurfaceLayoutOptions = {},
): { readonly width: number; readonly height: number } {
  const { width, height } = layoutSurface(figure, createSurfaceScene(figure, { steps: 1 }), options);
  return { width, height };
}

/**
 * Returns the ECharts option that draws a figure's surface in space, with its paths at the loss of the plane
 * and at their own, in parallel projection: a picture that needs no WebGL and no browser.
 *
 * Painter's algorithm: cells and pieces of path are drawn from the back to the front, which is exact for a
 * height field seen from above. What the surface hides of a path shows through faintly.
 */
export function surfaceOption(figure: TrajectoryFigure, options: SurfaceOptionOptions = {}): EChartsOption {
  const theme = themeOf(options.theme ?? "light");
  const scene = createSurfaceScene(figure);
  const layout = layoutSurface(figure, scene, options);
  const { area, projection } = layout;
  const furniture = furnitureOf(scene, layout);
  return overlaidOption(theme, theme.background, area, [
    ...furniture.lines.map((line) => lineShape(line, theme)),
    ...sceneShapes(figure, scene, projection, theme),
    ...surroundings(figure, layout, theme),
    ...furniture.texts.map((text) => textShape(text, theme)),
  ]);
}

/** Returns the option of what lies behind the surface: floor and walls. */
export function surfaceBackOption(
  scene: SurfaceScene,
  layout: SurfaceLayout,
  themeName: ThemeName,
): EChartsOption {
  const theme = themeOf(themeName);
  const { lines } = furnitureOf(scene, layout);
  return overlaidOption(
    theme,
    theme.background,
    layout.area,
    lines.map((line) => lineShape(line, theme)),
  );
}

/** Returns the option of what lies over the surface: labels, marks, legend and colour bar. */
export function surfaceFrontOption(
  figure: TrajectoryFigure,
  scene: SurfaceScene,
  layout: SurfaceLayout,
  themeName: ThemeName,
): EChartsOption {
  const theme = themeOf(themeName);
  // Where the path's own loss is below the plane's, the surface would hide it.
  const hidden = scene.paths.flatMap((path, index) =>
    ownPieces(path, runColor(index, theme), scene, layout.projection, theme),
  );
  return overlaidOption(theme, "transparent", layout.area, [
    ...ghosts(hidden, 0.6),
    ...scene.paths.flatMap((path, index) => endShapes(figure, path, index, layout.projection, theme)),
    ...surroundings(figure, layout, theme),
    ...furnitureOf(scene, layout).texts.map((text) => textShape(text, theme)),
  ]);
}

function furnitureOf(scene: SurfaceScene, { projection, names, area }: SurfaceLayout): SceneFurniture {
  return sceneFurniture(scene, projection, names, [area.x, area.x + area.width]);
}

/** An option that draws shapes placed in px and nothing else. */
function overlaidOption(
  theme: Theme,
  backgroundColor: string,
  area: Rect,
  shapes: readonly Shape[],
): EChartsOption {
  return {
    animation: false,
    backgroundColor,
    textStyle: { fontFamily: FONT_STACK, color: theme.text },
    grid: [grid(area)],
    xAxis: [{ type: "value", show: false, min: 0, max: 1 }],
    yAxis: [{ type: "value", show: false, min: 0, max: 1 }],
    series: [shapesSeries("surface", shapes, 1, false)],
  } as EChartsOption;
}

/** What stands around the surface in space: colour bar, legend, title and caption. */
function surroundings(figure: TrajectoryFigure, layout: SurfaceLayout, theme: Theme): Shape[] {
  return [
    ...colorBarShapes(figure, layout.colorBar, theme),
    ...layout.legend.flatMap((row) => legendShapes(row, figure, theme)),
    ...layout.texts.map((text) => textShape(text, theme)),
  ];
}

function lineShape({ from, to, tone }: SceneLine, theme: Theme): Shape {
  return {
    type: "line",
    shape: { x1: round(from[0]), y1: round(from[1]), x2: round(to[0]), y2: round(to[1]) },
    style: { stroke: tone === "edge" ? theme.line : theme.faint, lineWidth: 1 },
    silent: true,
  };
}

function sceneShapes(
  figure: TrajectoryFigure,
  scene: SurfaceScene,
  projection: Projection,
  theme: Theme,
): Shape[] {
  const paths = scene.paths.flatMap((path, index) => [
    ...drapedPieces(path, runColor(index, theme), scene, projection, theme),
    ...ownPieces(path, runColor(index, theme), scene, projection, theme),
  ]);
  const pieces = [...cellPieces(scene, projection), ...paths].sort((a, b) => a.nearness - b.nearness);
  return [
    ...pieces.flatMap(({ shapes }) => shapes),
    ...ghosts(paths, 0.3),
    ...scene.paths.flatMap((path, index) => endShapes(figure, path, index, projection, theme)),
  ];
}

/** Start and end on the surface, and drops of the learning rate: always in sight. */
function endShapes(
  figure: TrajectoryFigure,
  path: ScenePath,
  index: number,
  projection: Projection,
  theme: Theme,
): Shape[] {
  const color = runColor(index, theme);
  const places = path.points.flatMap(({ plane, index: k }) =>
    plane === null ? [] : [{ at: projection.toScreen(plane), k }],
  );
  const [first, last] = [places[0], places[places.length - 1]];
  if (first === undefined || last === undefined) return [];
  const rim = figure.paths.length === 1 ? null : color;
  const drops = places.filter(({ k }) => figure.paths[index]?.points[k]?.rateDropped);
  return [
    ...startMark(...first.at, color, theme),
    ...endMark(...last.at, color, theme),
    ...drops.flatMap(({ at }) => dropMark(...at, rim, theme)),
  ];
}

/** What is hidden shows through faintly. */
function ghosts(pieces: readonly Piece[], opacity: number): Shape[] {
  return pieces.flatMap(({ shapes }) =>
    shapes.map((shape): Shape => ({ ...shape, style: { ...shape.style, opacity } })),
  );
}
