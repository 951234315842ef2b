import { type AnyFigure, figureOption, figureSize } from "../any-figure.js";
import type { PlacedReadout } from "../chart-readout.js";
import { init } from "../echarts.js";
import { LEAST_WIDTH } from "../figure-frame.js";
import type { TrajectoryOptionOptions } from "../trajectory-option.js";
import { addElement } from "./dom.js";
import { addDownloads } from "./downloads.js";
import type { Place } from "./layer.js";
import { currentTheme, onThemeChange } from "./page-theme.js";
import { createTooltip } from "./tooltip.js";

/** Options of {@link createPicture}. */
export interface PictureOptions {
  /** Called after each drawing with the options that it was drawn with. */
  readonly onDraw?: (options: TrajectoryOptionOptions) => void;
  /** What is said about a place; null where there is nothing to say. Default: nothing anywhere. */
  readonly readoutAt?: (at: Place) => PlacedReadout | null;
}

/**
 * Draws a figure of any kind into `place` and keeps it in step with its width and the theme, with buttons
 * to save it before `place`, and a tooltip.
 */
export function createPicture(place: HTMLElement, figure: AnyFigure, options: PictureOptions = {}): void {
  const toolbar = addElement(null, "div", "toolbar");
  place.before(toolbar);
  const saved = { parts: "chart", theme: "light" } as const;
  addDownloads(toolbar, figure.title, () => ({
    option: figureOption(figure, saved),
    size: figureSize(figure, saved),
  }));
  const canvas = addElement(place, "div", "canvas");
  canvas.setAttribute("aria-hidden", "true");
  const chart = init(canvas, null, { renderer: "svg", width: 1, height: 1 });
  const tooltip = createTooltip(place);
  let drawn = 0;
  const draw = (): void => {
    if (place.clientWidth === 0) return;
    drawn = Math.max(LEAST_WIDTH, Math.floor(place.clientWidth));
    const how = { width: drawn, parts: "chart", theme: currentTheme() } as const;
    const { width, height } = figureSize(figure, how);
    canvas.style.height = `${height}px`;
    chart.resize({ width, height });
    chart.setOption(figureOption(figure, how), { notMerge: true });
    tooltip.hide();
    options.onDraw?.(how);
  };
  const point = (event: PointerEvent): void => {
    const box = canvas.getBoundingClientRect();
    const found = options.readoutAt?.({ x: event.clientX - box.left, y: event.clientY - box.top }) ?? null;
    if (found === null || found.readout.rows.length === 0) tooltip.hide();
    else tooltip.show(found.readout, found, { isMarked: false });
  };
  place.addEventListener("pointermove", point);
  place.addEventListener("pointerdown", point);
  place.addEventListener("pointerleave", () => tooltip.hide());
  onThemeChange(draw);
  new ResizeObserver(() => {
    if (Math.max(LEAST_WIDTH, Math.floor(place.clientWidth)) !== drawn) draw();
  }).observe(place);
  draw();
}
