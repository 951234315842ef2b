import { init } from "../echarts.js";
import { lossPanel, type Panel, sharePanel } from "../fidelity-panels.js";
import type { TrajectoryFigure } from "../figure.js";
import { LEAST_WIDTH } from "../figure-frame.js";
import { decodeNumber } from "../json-number.js";
import { type Theme, themeOf } from "../palette.js";
import { surfaceReadout } from "../readout.js";
import type { Rect } from "../rect.js";
import { planeToPixel } from "../surface-shapes.js";
import { layoutTrajectory, type TrajectoryLayout } from "../trajectory-layout.js";
import { trajectoryOption, trajectorySize } from "../trajectory-option.js";
import { addElement } from "./dom.js";
import type { Layer, Place, Target } from "./layer.js";

/** Width of a saved picture in px. */
const SAVED_WIDTH = 1100;

/** Draws a trajectory as a map of contours, with its fidelity beside it. */
export function createMapLayer(place: HTMLElement): Layer {
  const element = addElement(place, "div", "canvas");
  element.setAttribute("aria-hidden", "true");
  const chart = init(element, null, { renderer: "svg", width: 1, height: 1 });
  let drawn: { figure: TrajectoryFigure; layout: TrajectoryLayout; panels: readonly PlacedPanel[] } | null =
    null;
  return {
    element,
    draw(figure, width, theme) {
      const options = { width: Math.max(LEAST_WIDTH, width), parts: "chart", theme } as const;
      const layout = layoutTrajectory(figure, options);
      drawn = { figure, layout, panels: placedPanels(figure, layout, themeOf(theme)) };
      element.style.height = `${layout.height}px`;
      chart.resize({ width: layout.width, height: layout.height });
      chart.setOption(trajectoryOption(figure, options), { notMerge: true });
      return layout;
    },
    targets: () => (drawn === null ? [] : findTargets(drawn.figure, drawn.layout)),
    readoutAt(at) {
      const plane = drawn === null ? null : pixelToPlane(drawn.figure, drawn.layout.map, at);
      return drawn === null || plane === null ? null : surfaceReadout(drawn.figure, plane.alpha, plane.beta);
    },
    cursors: (progress) =>
      (drawn?.panels ?? []).map(({ rect, panel: { x } }) => ({
        rect,
        x: rect.x + ((progress - x.min) / (x.max - x.min)) * rect.width,
      })),
    picture(figure) {
      const options = { width: SAVED_WIDTH, parts: "chart", theme: "light" } as const;
      return { option: trajectoryOption(figure, options), size: trajectorySize(figure, options) };
    },
    turn: () => false,
  };
}

interface PlacedPanel {
  readonly rect: Rect;
  readonly panel: Panel;
}

function placedPanels(figure: TrajectoryFigure, layout: TrajectoryLayout, theme: Theme): PlacedPanel[] {
  return [
    ...(layout.lossPanel === null ? [] : [{ rect: layout.lossPanel, panel: lossPanel(figure, theme) }]),
    { rect: layout.sharePanel, panel: sharePanel(figure, theme) },
  ];
}

function findTargets(figure: TrajectoryFigure, { map }: TrajectoryLayout): Target[] {
  const toPixel = planeToPixel(figure, map);
  return figure.paths
    .flatMap(({ points }, pathIndex) =>
      points.map(({ alpha, beta }, pointIndex): Target => {
        const [x, y] = toPixel(decodeNumber(alpha), decodeNumber(beta));
        return { pathIndex, pointIndex, x, y };
      }),
    )
    .filter(({ x, y }) => x >= map.x && x <= map.x + map.width && y >= map.y && y <= map.y + map.height);
}

function pixelToPlane({ surface }: TrajectoryFigure, map: Rect, at: Place) {
  const right = (at.x - map.x) / map.width;
  const up = 1 - (at.y - map.y) / map.height;
  if (right < 0 || right > 1 || up < 0 || up > 1) return null;
  const along = (axis: readonly number[], share: number): number => {
    const start = axis[0] as number;
    return start + share * ((axis[axis.length - 1] as number) - start);
  };
  return { alpha: along(surface.alpha, right), beta: along(surface.beta, up) };
}
