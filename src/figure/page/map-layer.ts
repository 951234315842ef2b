import type { EChartsOption } from "echarts";
import { decodeNumber } from "../../base/json.js";
import { init } from "../draw/echarts.js";
import { lossPanel, type Panel, sharePanel } from "../draw/fidelity-panels.js";
import { LEAST_WIDTH, type Rect } from "../draw/figure-frame.js";
import { type Theme, type ThemeName, themeOf } from "../draw/palette.js";
import { type Readout, surfaceReadout } from "../draw/readout.js";
import { planeToPixel } from "../draw/surface-shapes.js";
import { layoutTrajectory, type TrajectoryLayout } from "../draw/trajectory-layout.js";
import { trajectoryOption, trajectorySize } from "../draw/trajectory-option.js";
import type { TrajectoryFigure } from "../figure.js";
import type { PictureSize } from "./downloads.js";
import { addElement } from "./player.js";

/** A drawn snapshot, in px. */
export interface Target {
  readonly pathIndex: number;
  readonly pointIndex: number;
  readonly x: number;
  readonly y: number;
}

/** A place in px. */
export interface Place {
  readonly x: number;
  readonly y: number;
}

/** One way to draw a trajectory: as a map, or in space. */
export interface Layer {
  /** Holds everything that it draws. */
  readonly element: HTMLElement;
  /** Draws the figure and returns the size that it takes. */
  draw(figure: TrajectoryFigure, width: number, theme: ThemeName): PictureSize;
  /** Where the snapshots are drawn now. */
  targets(): readonly Target[];
  /** What is said about a place that is no snapshot; null outside. */
  readoutAt(at: Place): Readout | null;
  /** Upright lines that mark a place of the time line in the plots beside the map. */
  cursors(progress: number): readonly { readonly rect: Rect; readonly x: number }[];
  /** The picture as it is now, in light colours, to be saved. */
  picture(figure: TrajectoryFigure): { readonly option: EChartsOption; readonly size: PictureSize };
  /** Does what a key with Shift asks for; returns whether it meant something. */
  turn(key: string): boolean;
}

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
