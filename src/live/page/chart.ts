import type { EChartsOption } from "echarts";
import { init, setPlatformAPI } from "../../report/echarts.js";
import { LEAST_WIDTH } from "../../report/figure-frame.js";
import { measureText } from "../../report/measure-text.js";
import type { ThemeName } from "../../report/palette.js";

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
