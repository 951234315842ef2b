import type { EChartsOption } from "echarts";
import type { DrawOptions } from "../draw/figure-frame.js";
import { layoutOption } from "../draw/figure-option.js";
import { layoutFigure } from "../draw/layout-figure.js";
import { shapesSeries, textShape } from "../draw/option-parts.js";
import { themeOf } from "../draw/palette.js";
import { line, textWidth, truncateText } from "../draw/placed-text.js";
import { timeline } from "../draw/snapshots.js";
import type { Figure } from "../figure.js";

/** Size and colours of an animation. */
export type PathAnimationOptions = Pick<DrawOptions, "width" | "height" | "theme">;

/** A moving picture of a path as ECharts options: what stands still, and what lies on top at each time. */
export interface PathAnimation {
  readonly width: number;
  readonly height: number;
  readonly background: EChartsOption;
  /** Epochs (or iterations, or steps) at which there is a frame, increasing. */
  readonly times: readonly number[];
  /** What lies over the background at a time: the path so far, its curves and the label, on nothing. */
  overlay(time: number): EChartsOption;
}

/** Frames at most: of a longer path every n-th snapshot has one. */
const MOST_FRAMES = 120;
const TITLE_SIZE = 18;
const LABEL_SIZE = 16;
const LABEL_RIGHT = 20;
const LABEL_Y = 33;

/** Parts of a picture that grow. */
const isMoving = (name: string): boolean => name === "paths" || name === "curves";

/**
 * Returns the animation of a figure's paths: surface, axes, legend and title stand still, the paths and the
 * curves beside them grow. Pure; the panels have the same places in every frame.
 */
export function pathAnimation(figure: Figure, options: PathAnimationOptions = {}): PathAnimation {
  const { theme: themeName = "light", width = 800 } = options;
  const theme = themeOf(themeName);
  const times = timesOf(figure);
  const labelOf = (time: number): string => `${figure.progress} ${time}`;
  const labelWidth = Math.max(...times.map((time) => textWidth(labelOf(time), LABEL_SIZE, "semibold")));
  const room = width - 2 * LABEL_RIGHT - labelWidth - 16;
  // Sentences belong under a still picture: nobody reads them while something moves.
  const title = truncateText(figure.title, TITLE_SIZE, room, "semibold");
  const shown = { ...figure, title: title === "" ? " " : title, fidelity: [], caption: "", provenance: "" };
  const size = { ...options, width };
  const layout = layoutFigure(shown, size);
  const hidden = (axes: unknown) => (axes as readonly object[]).map((axis) => ({ ...axis, show: false }));
  return {
    width: layout.width,
    height: layout.height,
    background: layoutOption(layout, { theme: themeName, isShown: (name) => !isMoving(name) }),
    times,
    overlay(time) {
      const label = line(labelOf(time), width - LABEL_RIGHT, LABEL_Y, {
        align: "right",
        size: LABEL_SIZE,
        weight: "semibold",
      });
      const moving = layoutOption(layoutFigure(shown, { ...size, until: time }), {
        theme: themeName,
        isShown: isMoving,
        background: "transparent",
      });
      return {
        ...moving,
        xAxis: hidden(moving.xAxis),
        yAxis: hidden(moving.yAxis),
        series: [
          ...(moving.series as unknown as readonly object[]),
          shapesSeries("label", [textShape(label, theme)], 6),
        ],
      } as EChartsOption;
    },
  };
}

function timesOf(figure: Figure): number[] {
  const all = timeline(figure);
  const stride = Math.ceil(all.length / MOST_FRAMES);
  // Counted from the end: the last snapshot has its frame always.
  return all.filter((_, i) => i === 0 || (all.length - 1 - i) % stride === 0);
}
