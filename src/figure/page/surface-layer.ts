import { VisualMapContinuousComponent } from "echarts/components";
import { use } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { install as Line3DChart } from "echarts-gl/lib/chart/line3D/install.js";
import { install as Scatter3DChart } from "echarts-gl/lib/chart/scatter3D/install.js";
import { install as SurfaceChart } from "echarts-gl/lib/chart/surface/install.js";
import { install as Grid3DComponent } from "echarts-gl/lib/component/grid3D/install.js";
import "echarts-gl/lib/echarts-gl.js";
import { init } from "../draw/echarts.js";
import type { SceneView } from "../draw/figure-frame.js";
import { layoutOption } from "../draw/layout-figure.js";
import { themeOf } from "../draw/palette.js";
import { surfaceGlOption } from "../space/surface-gl-option.js";
import type { PlacedSpace } from "../space/surface-panel.js";
import { createSurfaceScene } from "../space/surface-scene.js";
import { type Layer, redraw } from "./picture.js";
import { addElement } from "./player.js";

use([
  Line3DChart,
  Scatter3DChart,
  SurfaceChart,
  Grid3DComponent,
  VisualMapContinuousComponent,
  CanvasRenderer,
]);

/** Grid steps a side that WebGL draws at most. */
const STEPS = 160;

/**
 * Draws a map in 3-D: the surface and the paths with WebGL, walls and axes as SVG below them, labels and marks
 * as SVG above them, all in one projection.
 *
 * @param onTurn - called when the reader has turned it.
 */
export function createSurfaceLayer(place: HTMLElement, onTurn: (view: SceneView) => void): Layer {
  const element = addElement(place, "div", "canvas space");
  element.setAttribute("aria-hidden", "true");
  const layers = ["back", "gl", "front"].map((name) => addElement(element, "div", `layer ${name}`));
  const [back, gl, front] = layers as [HTMLDivElement, HTMLDivElement, HTMLDivElement];
  const size = { width: 1, height: 1 };
  const below = init(back, null, { renderer: "svg", ...size });
  const above = init(front, null, { renderer: "svg", ...size });
  const space = init(gl, null, { renderer: "canvas", ...size });
  let view: SceneView | null = null;

  space.on("grid3dcamerachanged", (event) => {
    const { alpha, beta } = event as { readonly alpha?: number; readonly beta?: number };
    if (alpha === undefined || beta === undefined || view === null) return;
    if (alpha === view.elevation && beta === view.azimuth) return;
    view = { elevation: alpha, azimuth: beta };
    onTurn(view);
  });

  return {
    element,
    draw(layout, theme, isTurned) {
      // A figure in 3-D is one map.
      const placed = layout.panels[0] as PlacedSpace;
      const { canvas, projection, panel, figure } = placed;
      element.style.height = `${layout.height}px`;
      Object.assign(gl.style, { left: `${canvas.x}px`, top: `${canvas.y}px` });
      const { elevation, azimuth } = projection.view;
      const isSeen = view?.elevation === elevation && view.azimuth === azimuth;
      view = projection.view;
      if (!isTurned) {
        const scene = createSurfaceScene({ panel, figure }, { steps: STEPS });
        redraw(space, canvas, surfaceGlOption({ ...placed, scene }, themeOf(theme)));
      } else if (!isSeen) space.setOption({ grid3D: { viewControl: { alpha: elevation, beta: azimuth } } });
      redraw(below, layout, layoutOption(layout, { theme, isShown: (name) => name === "back" }));
      redraw(
        above,
        layout,
        layoutOption(layout, { theme, isShown: (name) => name !== "back", background: "transparent" }),
      );
    },
    dispose() {
      for (const chart of [below, above, space]) chart.dispose();
      element.remove();
    },
  };
}
