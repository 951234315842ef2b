import { type AnyFigure, figureOption, figureSize } from "../any-figure.js";
import { init } from "../echarts.js";
import { LEAST_WIDTH } from "../trajectory-layout.js";
import { currentTheme, onThemeChange } from "./page-theme.js";

/** Draws a figure without a path into `place` and keeps it in step with its width and the theme. */
export function showPicture(place: HTMLElement, figure: AnyFigure): void {
  const canvas = document.createElement("div");
  canvas.className = "canvas";
  canvas.setAttribute("aria-hidden", "true");
  place.append(canvas);
  const chart = init(canvas, null, { renderer: "svg", width: 1, height: 1 });
  let drawn = 0;
  const draw = (): void => {
    if (place.clientWidth === 0) return;
    drawn = Math.max(LEAST_WIDTH, Math.floor(place.clientWidth));
    const options = { width: drawn, parts: "chart", theme: currentTheme() } as const;
    const { width, height } = figureSize(figure, options);
    canvas.style.height = `${height}px`;
    chart.resize({ width, height });
    chart.setOption(figureOption(figure, options), { notMerge: true });
  };
  onThemeChange(draw);
  new ResizeObserver(() => {
    if (Math.max(LEAST_WIDTH, Math.floor(place.clientWidth)) !== drawn) draw();
  }).observe(place);
  draw();
}
