import type { EChartsOption } from "echarts";
import { chartOption, chartSize } from "../../figure/draw/chart-option.js";
import { init, setPlatformAPI } from "../../figure/draw/echarts.js";
import { LEAST_WIDTH } from "../../figure/draw/figure-frame.js";
import type { ThemeName } from "../../figure/draw/palette.js";
import { measureText } from "../../figure/draw/placed-text.js";
import type { LiveState } from "../live-feed.js";
import { liveCurves, livePlaneCaption, livePlaneHeight, livePlaneOption } from "../live-plane.js";
import { element } from "./texts.js";

/** A picture for a width and a theme. */
export interface Drawing {
  /** The picture in words, for those who do not see it. */
  readonly description: string;
  height(width: number): number;
  option(width: number, theme: ThemeName): EChartsOption;
}

/** A place for pictures that follows its width and the theme. */
export interface Chart {
  /** Shows a picture instead of the last one; null takes it away. */
  show(drawing: Drawing | null): void;
}

/** Makes a chart inside `place`. */
export function createChart(place: HTMLElement): Chart {
  setPlatformAPI({ measureText });
  const canvas = document.createElement("div");
  canvas.className = "canvas";
  canvas.setAttribute("aria-hidden", "true");
  place.append(canvas);
  const chart = init(canvas, null, { renderer: "svg", width: 1, height: 1 });
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  let drawing: Drawing | null = null;
  let drawn = 0;
  const draw = (): void => {
    canvas.hidden = drawing === null;
    if (drawing === null || place.clientWidth === 0) return;
    drawn = Math.max(LEAST_WIDTH, Math.floor(place.clientWidth));
    const height = drawing.height(drawn);
    canvas.style.height = `${height}px`;
    chart.resize({ width: drawn, height });
    chart.setOption(drawing.option(drawn, dark.matches ? "dark" : "light"), { notMerge: true });
  };
  dark.addEventListener("change", draw);
  new ResizeObserver(() => {
    if (Math.max(LEAST_WIDTH, Math.floor(place.clientWidth)) !== drawn) draw();
  }).observe(place);
  return {
    show(next) {
      drawing = next;
      place.setAttribute("aria-label", next?.description ?? "nothing yet");
      draw();
    },
  };
}

/** The path on its plane, or null while there is none. */
export function drawPlane(state: LiveState): Drawing | null {
  const { plane } = state;
  const caption = livePlaneCaption(state);
  // No line begins with a percent sign.
  element("plane-caption").textContent = caption.replaceAll(" %", "\u00a0%");
  if (plane === null) return null;
  return {
    description: `Path of ${plane.steps.length} snapshots. ${caption}`,
    height: livePlaneHeight,
    option: (width, theme) => livePlaneOption(state, plane, { width, theme }),
  };
}

/** The curves, or null while there is no snapshot. */
export function drawCurves(state: LiveState): Drawing | null {
  if (state.points.length === 0) return null;
  const figure = liveCurves(state);
  element("curves-caption").textContent = figure.caption;
  return {
    description: figure.description,
    height: (width) => chartSize(figure, { width, parts: "chart" }).height,
    option: (width, theme) => chartOption(figure, { width, parts: "chart", theme }),
  };
}
