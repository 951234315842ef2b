import { runColor, surfaceColorAt, type Theme } from "../draw/palette.js";
import type { RunData } from "../figure.js";
import { ELEVATIONS, lightOf, type ScenePoint } from "./scene-view.js";
import type { PlacedSpace } from "./surface-panel.js";
import type { ScenePath, SurfaceScene } from "./surface-scene.js";

/** How far lines are lifted off the surface so that it does not hide half of them, in units of the box. */
const LIFT = 0.7;

/** Distance of the camera; in parallel projection it changes nothing but what is cut off. */
const DISTANCE = 200;

/**
 * Returns the echarts-gl option that draws surface and paths with WebGL, in the projection of a layout.
 *
 * It draws no text and no axes: echarts-gl cuts labels in half, and puts them where it likes. Axes, labels
 * and marks are the same shapes as in the static picture, laid over and under the canvas. Heights are those
 * of the scene, logarithmic or not. Holes are NaN.
 */
export function surfaceGlOption(
  { scene, projection, canvas, figure }: PlacedSpace,
  theme: Theme,
): Record<string, unknown> {
  const { box } = scene;
  const { view, scale } = projection;
  const axis = (half: number): object => ({ type: "value", name: "", min: -half, max: half, ...HIDDEN });
  return {
    animation: false,
    xAxis3D: axis(box.width / 2),
    yAxis3D: axis(box.depth / 2),
    zAxis3D: axis(box.height / 2),
    grid3D: {
      boxWidth: box.width,
      boxDepth: box.depth,
      boxHeight: box.height,
      ...HIDDEN,
      environment: "none",
      viewControl: {
        projection: "orthographic",
        // The library adds 1 to the size that it is given.
        orthographicSize: canvas.height / scale - 1,
        minOrthographicSize: 1,
        maxOrthographicSize: 10_000,
        distance: DISTANCE,
        alpha: view.elevation,
        beta: view.azimuth,
        minAlpha: ELEVATIONS[0],
        maxAlpha: ELEVATIONS[1],
        zoomSensitivity: 0,
        panSensitivity: 0,
        rotateMouseButton: "left",
        panMouseButton: "right",
        animation: false,
      },
    },
    series: [
      surfaceSeries(scene),
      ...scene.paths.flatMap((path) => pathSeries(path, figure.runs[path.run], theme)),
    ],
  };
}

const HIDDEN = {
  // Not shown and yet there: the library fails without the line's coordinates.
  axisLine: { show: true, lineStyle: { opacity: 0 } },
  axisTick: { show: false },
  axisLabel: { show: false },
  splitLine: { show: false },
  splitArea: { show: false },
  axisPointer: { show: false },
} as const;

function surfaceSeries({ x, y, z, shade }: SurfaceScene): object {
  const width = x.length;
  const at = (i: number, j: number): number => z[j * width + i] as number;
  const slope = (axis: Float64Array, k: number, value: (index: number) => number): number => {
    const [low, high] = [Math.max(0, k - 1), Math.min(axis.length - 1, k + 1)];
    const change = (value(high) - value(low)) / ((axis[high] as number) - (axis[low] as number));
    return Number.isFinite(change) ? change : 0;
  };
  return {
    type: "surface",
    silent: true,
    shading: "color",
    wireframe: { show: false },
    dataShape: [y.length, width],
    data: Array.from(z, (height, k) => {
      const [i, j] = [k % width, Math.floor(k / width)];
      const light = lightOf(
        slope(x, i, (index) => at(index, j)),
        slope(y, j, (index) => at(i, index)),
      );
      const color = Number.isNaN(height) ? "#000000" : surfaceColorAt(shade[k] as number, light);
      return { value: [x[i], y[j], height], itemStyle: { color } };
    }),
  };
}

function pathSeries({ points, draped }: ScenePath, run: RunData | undefined, theme: Theme): object[] {
  const { name = "", color: place = 0 } = run ?? {};
  const color = runColor(place, theme);
  const own = pieces(points.map((point) => point.own));
  const gaps = points.flatMap((point) =>
    point.own === null || point.plane === null ? [] : [[point.plane, point.own]],
  );
  const dots = points.flatMap((point) => (point.own === null ? [] : [lifted(point.own)]));
  return [
    ...draped.map((line) => lineSeries(`${name}, on the plane`, line, color, 4)),
    ...own.map((line) => lineSeries(`${name}, true`, line, color, 1.5)),
    // One line goes up and down all gaps: a series for each would be slow.
    ...(gaps.length === 0
      ? []
      : [lineSeries(`${name}, gap`, comb(gaps as [ScenePoint, ScenePoint][], draped), theme.muted, 1)]),
    {
      type: "scatter3D",
      name: `${name}, true`,
      silent: true,
      data: dots,
      symbol: "circle",
      symbolSize: points.length > 40 ? 4 : 6,
      itemStyle: { color: theme.background, borderColor: color, borderWidth: 1.4, opacity: 1 },
      label: { show: false },
    },
  ];
}

function lineSeries(name: string, line: readonly ScenePoint[], color: string, width: number): object {
  return {
    type: "line3D",
    name,
    silent: true,
    data: line.map(lifted),
    lineStyle: { color, width, opacity: 1 },
  };
}

function lifted([x, y, z]: ScenePoint): ScenePoint {
  return [x, y, z + LIFT];
}

/** Stretches of at least two known points. */
function pieces(points: readonly (ScenePoint | null)[]): ScenePoint[][] {
  const found: ScenePoint[][] = [[]];
  for (const point of points) {
    if (point === null) found.push([]);
    else found[found.length - 1]?.push(point);
  }
  return found.filter((piece) => piece.length > 1);
}

/** From gap to gap along the surface, under the wider line of the path, and up and down each gap. */
function comb(
  gaps: readonly (readonly [plane: ScenePoint, own: ScenePoint])[],
  draped: ScenePath["draped"],
): ScenePoint[] {
  const ends = new Map(gaps.map(([plane, own]) => [plane, own]));
  return draped.flat().flatMap((point) => {
    const own = ends.get(point);
    return own === undefined ? [point] : [point, own, point];
  });
}
