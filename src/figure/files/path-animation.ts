import type { EChartsOption } from "echarts";
import { shapesSeries, textShape } from "../draw/option-parts.js";
import { type ThemeName, themeOf } from "../draw/palette.js";
import { line, textWidth, truncateText } from "../draw/placed-text.js";
import { pathShapes, pointRadius } from "../draw/surface-shapes.js";
import { layoutTrajectory, type TrajectoryLayoutOptions } from "../draw/trajectory-layout.js";
import { trajectoryOption } from "../draw/trajectory-option.js";
import type { FigurePath, TrajectoryFigure } from "../figure.js";

/** Size and colours of an animation. */
export interface PathAnimationOptions extends Pick<TrajectoryLayoutOptions, "width" | "height"> {
  readonly theme?: ThemeName;
}

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

interface Series {
  readonly type: string;
  readonly name: string;
  readonly data: readonly (readonly [number, number | null])[];
}

/**
 * Returns the animation of a figure's paths over its contours: surface, axes, legend and title stand still,
 * the paths and the curves beside them grow. Pure; the map has the same place in every frame.
 */
export function pathAnimation(figure: TrajectoryFigure, options: PathAnimationOptions = {}): PathAnimation {
  const { theme: themeName = "light", width = 800 } = options;
  const theme = themeOf(themeName);
  const times = timesOf(figure);
  const labelWidth = Math.max(
    ...times.map((time) => textWidth(labelOf(figure, time), LABEL_SIZE, "semibold")),
  );
  const room = width - 2 * LABEL_RIGHT - labelWidth - 16;
  // Sentences belong under a still picture: nobody reads them while something moves.
  const title = truncateText(figure.title, TITLE_SIZE, room, "semibold");
  const shown = { ...figure, title: title === "" ? " " : title, fidelity: [], caption: "", provenance: "" };
  const size = { ...options, width };
  const layout = layoutTrajectory(shown, size);
  const whole = trajectoryOption(shown, { ...size, theme: themeName });
  const series = whole.series as unknown as readonly Series[];
  const curves = series.filter(({ type }) => type === "line");
  const still = series.filter(({ type, name }) => type !== "line" && name !== "paths");
  const radius = pointRadius(Math.max(...figure.paths.map(({ points }) => points.length)));
  const hidden = (axes: unknown) => (axes as readonly object[]).map((axis) => ({ ...axis, show: false }));
  return {
    width: layout.width,
    height: layout.height,
    background: { ...whole, series: still } as EChartsOption,
    times,
    overlay(time) {
      const paths = figure.paths.map((path) => pathUntil(path, figure, time));
      const label = line(labelOf(figure, time), width - LABEL_RIGHT, LABEL_Y, {
        align: "right",
        size: LABEL_SIZE,
        weight: "semibold",
      });
      return {
        ...whole,
        backgroundColor: "transparent",
        xAxis: hidden(whole.xAxis),
        yAxis: hidden(whole.yAxis),
        series: [
          shapesSeries("paths", pathShapes({ ...figure, paths }, layout.map, theme, 0, radius), 3),
          ...curves.map((curve) => ({ ...curve, data: curve.data.filter(([x]) => x <= time) })),
          shapesSeries("label", [textShape(label, theme)], 6, false),
        ],
      } as EChartsOption;
    },
  };
}

function pathUntil(path: FigurePath, { progress }: TrajectoryFigure, time: number): FigurePath {
  return { ...path, points: path.points.filter((point) => point[progress] <= time) };
}

function timesOf({ paths, progress }: TrajectoryFigure): number[] {
  const all = [...new Set(paths.flatMap(({ points }) => points.map((point) => point[progress])))];
  all.sort((a, b) => a - b);
  const stride = Math.ceil(all.length / MOST_FRAMES);
  // Counted from the end: the last snapshot has its frame always.
  return all.filter((_, i) => i === 0 || (all.length - 1 - i) % stride === 0);
}

function labelOf({ progress }: TrajectoryFigure, time: number): string {
  return `${progress} ${time}`;
}
