import { surfaceColorAt, type Theme } from "../draw/palette.js";
import { pointRadius } from "../draw/paths.js";
import { disc, pathShape, round, type Shape, trace } from "../draw/shapes.js";
import { lightOf, type Projection, type ScenePoint } from "./scene-view.js";
import type { ScenePath, SurfaceScene } from "./surface-scene.js";

/** Something to paint and how near it is. */
export interface Piece {
  readonly nearness: number;
  readonly shapes: readonly Shape[];
}

/** Returns the cells of the surface, each in the colour of its middle, lit by its slope; holes are left out. */
export function cellPieces({ x, y, z, shade }: SurfaceScene, projection: Projection): Piece[] {
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
      const around: ScenePoint[] = [
        [x0, y0, a],
        [x1, y0, b],
        [x1, y1, c],
        [x0, y1, d],
      ];
      const outline = trace(around.map(projection.toScreen));
      pieces.push({
        nearness: projection.nearness((x0 + x1) / 2, (y0 + y1) / 2),
        // A thin rim of the same colour closes the hairlines between neighbours.
        shapes: [pathShape(`${outline}Z`, { fill: color, stroke: color, lineWidth: 0.6 })],
      });
    }
  }
  return pieces;
}

/** Returns the path along the surface, a little nearer than its place, so that its own cells do not cover it. */
export function drapedPieces(
  { draped }: ScenePath,
  color: string,
  scene: SurfaceScene,
  projection: Projection,
  theme: Theme,
): Piece[] {
  const solid = [
    { stroke: theme.halo, lineWidth: 5.4 },
    { stroke: color, lineWidth: 3.2, lineCap: "round" },
  ];
  return draped.flatMap((line) =>
    line.slice(1).map((to, k) => stretch(line[k] as ScenePoint, to, solid, scene, projection)),
  );
}

/** Returns the path at its own loss, with hollow dots, and the gaps between it and the surface. */
export function ownPieces(
  { points }: ScenePath,
  color: string,
  scene: SurfaceScene,
  projection: Projection,
  theme: Theme,
): Piece[] {
  const thin = [{ stroke: color, lineWidth: 1.5, lineCap: "round" }];
  const gap = [{ stroke: theme.muted, lineWidth: 1 }];
  const radius = pointRadius(points.length) * 0.8;
  return points.flatMap(({ own, plane }, k): Piece[] => {
    if (own === null) return [];
    const before = points[k - 1]?.own ?? null;
    const [px, py] = projection.toScreen(own).map(round) as [number, number];
    const dot: Piece = {
      nearness: 2 * stepAhead(scene) + projection.nearness(own[0], own[1]),
      shapes: [disc(px, py, radius, color), disc(px, py, radius * 0.55, theme.background)],
    };
    return [
      ...(plane === null ? [] : [stretch(own, plane, gap, scene, projection)]),
      ...(before === null ? [] : [stretch(before, own, thin, scene, projection)]),
      dot,
    ];
  });
}

function stepAhead({ x }: SurfaceScene): number {
  return 1.6 * Math.abs((x[1] as number) - (x[0] as number));
}

function stretch(
  from: ScenePoint,
  to: ScenePoint,
  strokes: readonly Record<string, unknown>[],
  scene: SurfaceScene,
  projection: Projection,
): Piece {
  return {
    nearness: stepAhead(scene) + projection.nearness((from[0] + to[0]) / 2, (from[1] + to[1]) / 2),
    shapes: strokes.map((style) =>
      pathShape(trace([from, to].map(projection.toScreen)), { fill: "none", ...style }),
    ),
  };
}
