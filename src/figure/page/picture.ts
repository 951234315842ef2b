import { type AnyFigure, figureOption, figureSize } from "../any-figure.js";
import { init } from "../draw/echarts.js";
import { LEAST_WIDTH, type Rect } from "../draw/figure-frame.js";
import type { ThemeName } from "../draw/palette.js";
import type { PlacedReadout } from "../draw/readout.js";
import type { TrajectoryOptionOptions } from "../draw/trajectory-option.js";
import { addDownloads } from "./downloads.js";
import type { Place } from "./map-layer.js";
import { addElement } from "./player.js";
import { createTooltip } from "./tooltip.js";

const listeners = new Set<() => void>();
const system = window.matchMedia("(prefers-color-scheme: dark)");

/** The colours that the page has now: the reader's choice on the page, else that of the system. */
export function currentTheme(): ThemeName {
  const chosen = document.documentElement.dataset.theme;
  if (chosen === "light" || chosen === "dark") return chosen;
  return system.matches ? "dark" : "light";
}

/** Calls `listener` whenever the colours change. */
export function onThemeChange(listener: () => void): void {
  listeners.add(listener);
}

/** Starts to follow the system, and gives the page's button for light and dark its work. */
export function startTheme(): void {
  const button = document.getElementById("theme");
  const update = (): void => {
    if (button !== null) button.textContent = currentTheme() === "dark" ? "Light colours" : "Dark colours";
    for (const listener of listeners) listener();
  };
  system.addEventListener("change", update);
  button?.addEventListener("click", () => {
    document.documentElement.dataset.theme = currentTheme() === "dark" ? "light" : "dark";
    update();
  });
  if (button !== null) button.hidden = false;
  update();
}

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

/** A ring around a snapshot. */
export interface Ring {
  readonly x: number;
  readonly y: number;
  readonly color: string;
}

/** What moves over a picture. */
export interface Overlay {
  /** Replaces everything that is shown. */
  show(rings: readonly Ring[], cursors: readonly { readonly rect: Rect; readonly x: number }[]): void;
}

const SVG = "http://www.w3.org/2000/svg";

/** Creates a layer over a picture for what moves, so that the picture itself is not drawn anew. */
export function createOverlay(place: HTMLElement): Overlay {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "overlay");
  svg.setAttribute("aria-hidden", "true");
  place.append(svg);
  const add = (tag: string, attributes: Readonly<Record<string, string | number>>): void => {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
    svg.append(element);
  };
  return {
    show(rings, cursors) {
      svg.replaceChildren();
      for (const { rect, x } of cursors) {
        add("line", { class: "cursor", x1: x, x2: x, y1: rect.y, y2: rect.y + rect.height });
      }
      for (const { x, y, color } of rings) {
        add("circle", { class: "ring-rim", cx: x, cy: y, r: 9 });
        add("circle", { class: "ring", cx: x, cy: y, r: 9, stroke: color });
      }
    },
  };
}
