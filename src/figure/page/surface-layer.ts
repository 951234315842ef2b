import { VisualMapContinuousComponent } from "echarts/components";
import { use } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { install as Line3DChart } from "echarts-gl/lib/chart/line3D/install.js";
import { install as Scatter3DChart } from "echarts-gl/lib/chart/scatter3D/install.js";
import { install as SurfaceChart } from "echarts-gl/lib/chart/surface/install.js";
import { install as Grid3DComponent } from "echarts-gl/lib/component/grid3D/install.js";
import "echarts-gl/lib/echarts-gl.js";
import { LEAST_WIDTH } from "../draw/figure-frame.js";
import { type ThemeName, themeOf } from "../draw/palette.js";
import { surfaceReadout } from "../draw/readout.js";
import type { TrajectoryFigure } from "../figure.js";
import { createProjection, DEFAULT_VIEW, type SceneView, turnView } from "../space/scene-view.js";
import { surfaceGlOption } from "../space/surface-gl-option.js";
import { layoutSurface, type SurfaceLayout } from "../space/surface-layout.js";
import {
  surfaceBackOption,
  surfaceFrontOption,
  surfaceOption,
  surfaceSize,
} from "../space/surface-option.js";
import { createSurfaceScene, pickSurface, type SurfaceScene } from "../space/surface-scene.js";
import type { Layer, Target } from "./map-layer.js";
import { addElement } from "./player.js";

use([
  Line3DChart,
  Scatter3DChart,
  SurfaceChart,
  Grid3DComponent,
  VisualMapContinuousComponent,
  CanvasRenderer,
]);

import { init } from "../draw/echarts.js";

/** Grid steps a side that WebGL draws at most. */
const STEPS = 160;
const SAVED_WIDTH = 1100;
/** Degrees that a key turns. */
const TURN = 10;

/** What is drawn now. */
interface Drawn {
  readonly figure: TrajectoryFigure;
  readonly scene: SurfaceScene;
  readonly theme: ThemeName;
  layout: SurfaceLayout;
}

/**
 * Draws a trajectory on its surface in space: the surface and the paths with WebGL, walls and axes as SVG
 * below them, labels and marks as SVG above them, all in one projection.
 *
 * @param onTurn - called when the view has changed and places have moved.
 */
export function createSurfaceLayer(place: HTMLElement, onTurn: () => void): Layer {
  const element = addElement(place, "div", "canvas space");
  element.setAttribute("aria-hidden", "true");
  const layers = ["back", "gl", "front"].map((name) => addElement(element, "div", `layer ${name}`));
  const [back, gl, front] = layers as [HTMLDivElement, HTMLDivElement, HTMLDivElement];
  const size = { width: 1, height: 1 };
  const below = init(back, null, { renderer: "svg", ...size });
  const above = init(front, null, { renderer: "svg", ...size });
  const space = init(gl, null, { renderer: "canvas", ...size });
  let view: SceneView = DEFAULT_VIEW;
  let drawn: Drawn | null = null;

  function drawSurroundings({ figure, scene, layout, theme }: Drawn): void {
    for (const chart of [below, above]) chart.resize({ width: layout.width, height: layout.height });
    below.setOption(surfaceBackOption(scene, layout, theme), { notMerge: true });
    above.setOption(surfaceFrontOption(figure, scene, layout, theme), { notMerge: true });
  }
  function look(next: SceneView): void {
    view = next;
    if (drawn === null) return;
    const { toScreen, scale } = drawn.layout.projection;
    drawn.layout = { ...drawn.layout, projection: createProjection(view, scale, toScreen([0, 0, 0])) };
    drawSurroundings(drawn);
    onTurn();
  }
  space.on("grid3dcamerachanged", (event) => {
    const { alpha, beta } = event as { readonly alpha?: number; readonly beta?: number };
    if (alpha === undefined || beta === undefined) return;
    if (alpha !== view.elevation || beta !== view.azimuth) look({ elevation: alpha, azimuth: beta });
  });

  return {
    element,
    draw(figure, width, theme) {
      const scene = createSurfaceScene(figure, { steps: STEPS });
      const layout = layoutSurface(figure, scene, {
        width: Math.max(LEAST_WIDTH, width),
        parts: "chart",
        view,
      });
      drawn = { figure, scene, theme, layout };
      const { canvas } = layout;
      element.style.height = `${layout.height}px`;
      Object.assign(gl.style, { left: `${canvas.x}px`, top: `${canvas.y}px` });
      space.resize({ width: canvas.width, height: canvas.height });
      space.setOption(surfaceGlOption(scene, layout, themeOf(theme)), { notMerge: true });
      drawSurroundings(drawn);
      return layout;
    },
    targets: () => (drawn === null ? [] : findTargets(drawn)),
    readoutAt({ x, y }) {
      if (drawn === null) return null;
      const { figure, scene, layout } = drawn;
      const found = pickSurface(scene, layout.projection, [x, y]);
      if (found === null) return null;
      const along = (axis: readonly number[], share: number): number =>
        (axis[0] as number) + share * ((axis[axis.length - 1] as number) - (axis[0] as number));
      return surfaceReadout(
        figure,
        along(figure.surface.alpha, found.right),
        along(figure.surface.beta, found.back),
      );
    },
    cursors: () => [],
    picture(figure) {
      const options = { width: SAVED_WIDTH, parts: "chart", theme: "light", view } as const;
      return { option: surfaceOption(figure, options), size: surfaceSize(figure, options) };
    },
    turn(key) {
      const turns: Readonly<Record<string, readonly [number, number]>> = {
        ArrowLeft: [TURN, 0],
        ArrowRight: [-TURN, 0],
        ArrowUp: [0, TURN],
        ArrowDown: [0, -TURN],
      };
      const turn = Object.hasOwn(turns, key) ? turns[key] : undefined;
      if (turn === undefined) return false;
      look(turnView(view, turn[0], turn[1]));
      const viewControl = { alpha: view.elevation, beta: view.azimuth };
      space.setOption({ grid3D: { viewControl } });
      return true;
    },
  };
}

function findTargets({ scene, layout }: Drawn): Target[] {
  return scene.paths.flatMap(({ points }, pathIndex) =>
    points.flatMap(({ plane, index }): Target[] => {
      if (plane === null) return [];
      const [x, y] = layout.projection.toScreen(plane);
      return [{ pathIndex, pointIndex: index, x, y }];
    }),
  );
}
