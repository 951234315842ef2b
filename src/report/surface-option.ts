import type { EChartsOption } from "echarts";
import type { TrajectoryFigure } from "./figure.js";
import { round } from "./hatching.js";
import { legendShapes, OWN_DASH } from "./legend-shapes.js";
import { disc, dropMark, endMark, type Shape, startMark } from "./marks.js";
import { grid, textShape } from "./option-parts.js";
import { surfaceColorAt, type Theme, type ThemeName, themeOf } from "./palette.js";
import { pointRadius, runColor } from "./path-shapes.js";
import { type SceneLine, sceneFurniture } from "./scene-furniture.js";
import type { Projection, ScenePoint } from "./scene-view.js";
import { layoutSurface, type SurfaceLayout, type SurfaceLayoutOptions } from "./surface-layout.js";
import { createSurfaceScene, type ScenePath, type SurfaceScene } from "./surface-scene.js";
import { colorBarShapes } from "./surface-shapes.js";
import { FONT_STACK } from "./text-width.js";

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
  const furniture = sceneFurniture(scene, projection, layout.names, [area.x, area.x + area.width]);
  return {
    animation: false,
    backgroundColor: theme.background,
    textStyle: { fontFamily: FONT_STACK },
    grid: [grid(area)],
    xAxis: [{ type: "value", show: false, min: 0, max: 1 }],
    yAxis: [{ type: "value", show: false, min: 0, max: 1 }],
    series: [
      {
        type: "custom",
        coordinateSystem: "cartesian2d",
        silent: true,
        data: [[0, 0]],
        renderItem: () => ({
          type: "group",
          children: [
            ...furniture.lines.map((line) => lineShape(line, theme)),
            ...sceneShapes(figure, scene, projection, theme),
            ...surroundings(figure, layout, theme),
            ...furniture.texts.map((text) => textShape(text, theme)),
          ],
        }),
      },
    ],
  } as EChartsOption;
}

/** Returns what stands around the surface in space: colour bar, legend, title and caption. */
export function surroundings(figure: TrajectoryFigure, layout: SurfaceLayout, theme: Theme): Shape[] {
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

/** Something to paint and how near it is. */
interface Piece {
  readonly nearness: number;
  readonly shapes: readonly Shape[];
}

function sceneShapes(
  figure: TrajectoryFigure,
  scene: SurfaceScene,
  projection: Projection,
  theme: Theme,
): Shape[] {
  const paths = scene.paths.flatMap((path, index) =>
    pathPieces(path, runColor(index, theme), scene, projection, theme),
  );
  const pieces = [...cellPieces(scene, projection), ...paths].sort((a, b) => a.nearness - b.nearness);
  const ghosts = paths
    .flatMap(({ shapes }) => shapes)
    .map((shape): Shape => ({ ...shape, style: { ...shape.style, opacity: 0.25 } }));
  return [
    ...pieces.flatMap(({ shapes }) => shapes),
    ...ghosts,
    ...scene.paths.flatMap((path, index) => endShapes(figure, path, index, projection, theme)),
  ];
}

/** Direction of the light in the box: from the left, the front and above. */
const LIGHT = [-0.42, -0.38, 0.82] as const;

/** Brightness of a cell by its slope: 1 where it faces the light. */
function lightOf(dzdx: number, dzdy: number): number {
  const facing = (-dzdx * LIGHT[0] - dzdy * LIGHT[1] + LIGHT[2]) / Math.hypot(dzdx, dzdy, 1);
  return 0.66 + 0.34 * Math.max(0, facing);
}

function cellPieces({ x, y, z, shade }: SurfaceScene, projection: Projection): Piece[] {
  const width = x.length;
  const pieces: Piece[] = [];
  for (let j = 0; j + 1 < y.length; j++) {
    for (let i = 0; i + 1 < width; i++) {
      const corners = [j * width + i, j * width + i + 1, (j + 1) * width + i + 1, (j + 1) * width + i];
      const [a, b, c, d] = corners.map((k) => z[k] as number) as [number, number, number, number];
      const tone = corners.reduce((sum, k) => sum + (shade[k] as number), 0) / 4;
      if (Number.isNaN(a + b + c + d + tone)) continue;
      const [x0, x1, y0, y1] = [x[i], x[i + 1], y[j], y[j + 1]] as [number, number, number, number];
      const light = lightOf((b + c - a - d) / 2 / (x1 - x0), (c + d - a - b) / 2 / (y1 - y0));
      const color = surfaceColorAt(tone, light);
      const outline = [
        [x0, y0, a],
        [x1, y0, b],
        [x1, y1, c],
        [x0, y1, d],
      ] as const;
      pieces.push({
        nearness: projection.nearness((x0 + x1) / 2, (y0 + y1) / 2),
        shapes: [
          {
            type: "path",
            shape: { pathData: `${trace(outline, projection)}Z` },
            // A thin rim of the same colour closes the hairlines between neighbours.
            style: { fill: color, stroke: color, lineWidth: 0.6 },
            silent: true,
          },
        ],
      });
    }
  }
  return pieces;
}

/** Pieces of a path: along the surface, at its own loss, and the gaps; each a little nearer than its place. */
function pathPieces(
  { points, draped }: ScenePath,
  color: string,
  { x }: SurfaceScene,
  projection: Projection,
  theme: Theme,
): Piece[] {
  const ahead = 1.6 * Math.abs((x[1] as number) - (x[0] as number));
  const piece = (from: ScenePoint, to: ScenePoint, strokes: readonly Record<string, unknown>[]): Piece => ({
    nearness: ahead + projection.nearness((from[0] + to[0]) / 2, (from[1] + to[1]) / 2),
    shapes: strokes.map((style) => ({
      type: "path",
      shape: { pathData: trace([from, to], projection) },
      style: { fill: "none", lineCap: "round", ...style },
      silent: true,
    })),
  });
  const solid = [
    { stroke: theme.halo, lineWidth: 5 },
    { stroke: color, lineWidth: 3 },
  ];
  const dashed = [{ stroke: color, lineWidth: 1.6, lineDash: OWN_DASH, lineCap: "butt" }];
  const radius = pointRadius(points.length) * 0.8;
  return [
    ...draped.flatMap((line) => line.slice(1).map((to, k) => piece(line[k] as ScenePoint, to, solid))),
    ...points.flatMap(({ own, plane }, k): Piece[] => {
      if (own === null) return [];
      const before = points[k - 1]?.own ?? null;
      const [px, py] = projection.toScreen(own).map(round) as [number, number];
      const dot: Piece = {
        nearness: 2 * ahead + projection.nearness(own[0], own[1]),
        shapes: [disc(px, py, radius, color), disc(px, py, radius * 0.55, theme.background)],
      };
      return [
        ...(plane === null ? [] : [piece(own, plane, [{ stroke: theme.muted, lineWidth: 1 }])]),
        ...(before === null ? [] : [piece(before, own, dashed)]),
        dot,
      ];
    }),
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

function trace(points: readonly ScenePoint[], projection: Projection): string {
  return points
    .map((point, k) => {
      const [px, py] = projection.toScreen(point);
      return `${k === 0 ? "M" : "L"}${round(px)} ${round(py)}`;
    })
    .join("");
}
