import { chartOption, chartSize } from "../../report/chart-option.js";
import { liveCurves } from "../live-curves.js";
import { livePlaneCaption, livePlaneHeight, livePlaneOption } from "../live-plane.js";
import type { LiveState } from "../live-state.js";
import type { Drawing } from "./chart.js";
import { element } from "./texts.js";

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
