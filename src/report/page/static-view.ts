import { type AnyFigure, figureOption, figureSize } from "../any-figure.js";
import { init, setPlatformAPI } from "../echarts.js";
import { measureText } from "../measure-text.js";
import { LEAST_WIDTH } from "../trajectory-layout.js";

/** Draws a figure without a path into `place` and keeps it in step with its width and the theme. */
export function showStatic(place: HTMLElement, figure: AnyFigure): void {
  setPlatformAPI({ measureText });
  const canvas = document.createElement("div");
  canvas.className = "canvas";
  canvas.setAttribute("aria-hidden", "true");
  place.append(canvas);
  const chart = init(canvas, null, { renderer: "svg", width: 1, height: 1 });
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  let drawn = 0;
  const draw = (): void => {
    if (place.clientWidth === 0) return;
    drawn = Math.max(LEAST_WIDTH, Math.floor(place.clientWidth));
    const options = { width: drawn, parts: "chart", theme: dark.matches ? "dark" : "light" } as const;
    const { width, height } = figureSize(figure, options);
    canvas.style.height = `${height}px`;
    chart.resize({ width, height });
    chart.setOption(figureOption(figure, options), { notMerge: true });
  };
  dark.addEventListener("change", draw);
  new ResizeObserver(() => {
    if (Math.max(LEAST_WIDTH, Math.floor(place.clientWidth)) !== drawn) draw();
  }).observe(place);
  draw();
}
