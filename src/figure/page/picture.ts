import { init } from "../draw/echarts.js";
import { type FigureLayout, type FigureMoment, layoutOption, type Traces } from "../draw/layout-figure.js";
import { runColor, type ThemeName, themeOf } from "../draw/palette.js";
import type { Readout } from "../draw/snapshots.js";
import { addElement } from "./player.js";

const listeners = new Set<() => void>();
const system = window.matchMedia("(prefers-color-scheme: dark)");
system.addEventListener("change", tellAll);

/** Paper is light, whatever the screen is. */
const paper = window.matchMedia("print");
let isPrinting = paper.matches;
for (const [target, name] of [
  [paper, "change"],
  [window, "beforeprint"],
  [window, "afterprint"],
] as const)
  target.addEventListener(name, () => {
    const next = name === "change" ? paper.matches : name === "beforeprint";
    if (next === isPrinting) return;
    isPrinting = next;
    tellAll();
  });

/** The colours that the page has now: the reader's choice on the page, else that of the system. */
export function currentTheme(): ThemeName {
  if (isPrinting) return "light";
  const chosen = document.documentElement.dataset.theme;
  if (chosen === "light" || chosen === "dark") return chosen;
  return system.matches ? "dark" : "light";
}

/** Calls `listener` whenever the colours change; returns what ends that. */
export function onThemeChange(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tellAll(): void {
  for (const listener of listeners) listener();
}

/** Gives the page's button for light and dark its work. */
export function startTheme(): void {
  const button = document.getElementById("theme");
  if (button === null) return;
  const name = (): void => {
    button.textContent = currentTheme() === "dark" ? "Light colours" : "Dark colours";
  };
  onThemeChange(name);
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = currentTheme() === "dark" ? "light" : "dark";
    tellAll();
  });
  button.hidden = false;
  name();
}

/** One way to draw a figure on a page: as shapes, or with WebGL. */
export interface Layer {
  /** Holds everything that it draws. */
  readonly element: HTMLElement;
  /** Draws a figure where it has been laid out; `isTurned` if nothing but the view has changed. */
  draw(layout: FigureLayout, theme: ThemeName, isTurned: boolean): void;
  dispose(): void;
}

type Chart = ReturnType<typeof init>;

/** Draws a picture in place of the last one, as a new chart would. */
export function redraw(
  chart: Chart,
  { width, height }: { readonly width: number; readonly height: number },
  option: Parameters<Chart["setOption"]>[0],
): void {
  chart.clear();
  chart.resize({ width, height });
  chart.setOption(option, { notMerge: true });
}

/** Draws figures as shapes into `place`. */
export function createShapesLayer(place: HTMLElement): Layer {
  const element = addElement(place, "div", "canvas");
  element.setAttribute("aria-hidden", "true");
  const chart = init(element, null, { renderer: "svg", width: 1, height: 1 });
  return {
    element,
    draw(layout, theme) {
      element.style.height = `${layout.height}px`;
      redraw(chart, layout, layoutOption(layout, { theme }));
      // On paper it is as wide as the paper.
      element.querySelector("svg")?.setAttribute("viewBox", `0 0 ${layout.width} ${layout.height}`);
    },
    dispose() {
      chart.dispose();
      element.remove();
    },
  };
}

/** A run that stands out: its place in the palette, and its lines in every panel. */
export interface HighlightedRun {
  readonly color: number;
  readonly traces: readonly Traces[];
}

/** What moves over a picture. */
export interface Overlay {
  /** Replaces everything that is shown: marks, and the lines of a run that stands out. */
  show(moment: FigureMoment, theme: ThemeName, run?: HighlightedRun | null): void;
}

const SVG = "http://www.w3.org/2000/svg";
/** Radius of a ring around a snapshot on a path, and on a curve. */
const LARGE = 9;
const SMALL = 6;

/** Creates a layer over a picture for what moves, so that the picture itself is not drawn anew. */
export function createOverlay(place: HTMLElement): Overlay {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "overlay");
  svg.setAttribute("aria-hidden", "true");
  place.append(svg);
  const add = (
    tag: string,
    attributes: Readonly<Record<string, string | number>>,
    parent: Element = svg,
  ): Element => {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
    parent.append(element);
    return element;
  };
  return {
    show({ rings, cursors }, theme, run = null) {
      svg.replaceChildren();
      place.classList.toggle("dimmed", run !== null);
      for (const { plot, lines } of run?.traces ?? []) {
        const { x, y, width, height } = plot;
        const cut = add("svg", { x, y, width, height, viewBox: `${x} ${y} ${width} ${height}` });
        const stroke = runColor(run?.color ?? 0, themeOf(theme));
        for (const name of ["trace-rim", "trace"])
          for (const line of lines) {
            const points = line.map((at) => `${at.x},${at.y}`).join(" ");
            add("polyline", { class: name, points, ...(name === "trace" ? { stroke } : {}) }, cut);
          }
      }
      for (const { placed, x } of cursors) {
        const { y, height } = placed.rect;
        add("line", { class: "cursor", x1: x, x2: x, y1: y, y2: y + height });
      }
      for (const { x, y, color, isLarge } of rings) {
        const r = isLarge ? LARGE : SMALL;
        const stroke = color === null ? "currentColor" : runColor(color, themeOf(theme));
        add("circle", { class: "ring-rim", cx: x, cy: y, r });
        add("circle", { class: "ring", cx: x, cy: y, r, stroke });
      }
    },
  };
}

/** How a readout is shown. */
interface ShowOptions {
  /** What is ringed; null for nothing. Default the place. */
  readonly mark?: { readonly x: number; readonly y: number } | null;
  /** Read out by assistive technology; default false. */
  readonly isSpoken?: boolean;
}

/** A box with values beside a place of the chart. */
export interface Tooltip {
  show(readout: Readout, at: { readonly x: number; readonly y: number }, options?: ShowOptions): void;
  hide(): void;
}

/** Distance of the box from its place, in px. */
const OFFSET = 16;

/** Creates the box inside `place`, and after it the text for assistive technology. Texts go in as text nodes only: no string becomes markup. */
export function createTooltip(place: HTMLElement): Tooltip {
  const box = add(place, "div", "tooltip");
  const marker = add(place, "div", "marker");
  const spoken = document.createElement("div");
  spoken.className = "out";
  place.after(spoken);
  spoken.setAttribute("aria-live", "polite");
  box.hidden = true;
  marker.hidden = true;
  return {
    show(readout, at, { mark = at, isSpoken = false } = {}) {
      fill(box, readout);
      box.hidden = false;
      marker.hidden = mark === null;
      marker.classList.toggle("point", mark !== at);
      if (mark !== null) moveTo(marker, mark.x, mark.y);
      const { x, y } = boxPlace(place, box, at);
      moveTo(box, x, y);
      if (isSpoken) spoken.textContent = toSentence(readout);
    },
    hide() {
      box.hidden = true;
      marker.hidden = true;
      spoken.textContent = "";
    },
  };
}

/** Right of the place, left of it where there is more room, or below where neither side has enough. */
function boxPlace(place: HTMLElement, box: HTMLElement, at: { readonly x: number; readonly y: number }) {
  const beside = Math.max(0, Math.min(at.y - OFFSET, place.clientHeight - box.offsetHeight));
  const right = at.x + OFFSET;
  const left = at.x - OFFSET - box.offsetWidth;
  if (right + box.offsetWidth <= place.clientWidth) return { x: right, y: beside };
  if (left >= 0) return { x: left, y: beside };
  return { x: Math.max(0, (place.clientWidth - box.offsetWidth) / 2), y: at.y + OFFSET };
}

function fill(box: HTMLElement, { heading, rows }: Readout): void {
  box.replaceChildren();
  add(box, "strong").textContent = heading;
  const list = add(box, "dl");
  for (const [name, value] of rows) {
    add(list, "dt").textContent = name;
    add(list, "dd").textContent = value;
  }
}

function toSentence({ heading, rows }: Readout): string {
  return `${heading}: ${rows.map((row) => row.join(" ")).join(", ")}`;
}

function add(parent: HTMLElement, tag: string, className = ""): HTMLElement {
  const element = document.createElement(tag);
  if (className !== "") element.className = className;
  parent.append(element);
  return element;
}

function moveTo(element: HTMLElement, x: number, y: number): void {
  element.style.left = `${x}px`;
  element.style.top = `${y}px`;
}
