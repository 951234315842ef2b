import { init } from "../draw/echarts.js";
import { LEAST_WIDTH } from "../draw/figure-frame.js";
import { embeddingFrames, embeddingReadout } from "../draw/readout.js";
import type { EmbeddingFigure } from "../embedding-figure.js";
import { layoutEmbedding } from "../space/embedding-layout.js";
import { embeddingOption, embeddingSize } from "../space/embedding-option.js";
import { DEFAULT_VIEW, type EmbeddingView, sceneOf } from "../space/embedding-scene.js";
import { type PlacedSnapshot, placeSnapshots } from "../space/embedding-shapes.js";
import { addDownloads } from "./downloads.js";
import { currentTheme, onThemeChange } from "./picture.js";
import { addElement, createPlayer } from "./player.js";
import { createTooltip } from "./tooltip.js";

/** How near to a snapshot the pointer must be, in px. */
const REACH = 12;
/** Degrees of turn for a px of dragging, and for a key. */
const TURN = 0.45;
const KEY_TURN = 10;

/**
 * Draws an embedding into `place` and keeps it in step with its width, the theme, the pointer, the keys and the
 * player; one in three dimensions is turned by dragging.
 */
export function showEmbedding(place: HTMLElement, figure: EmbeddingFigure): void {
  const canvas = document.createElement("div");
  canvas.className = figure.dimensions === 3 ? "canvas turnable" : "canvas";
  canvas.setAttribute("aria-hidden", "true");
  place.append(canvas);
  const tooltip = createTooltip(place);
  const chart = init(canvas, null, { renderer: "svg", width: 1, height: 1 });
  const frames = embeddingFrames(figure);
  let view: EmbeddingView = DEFAULT_VIEW;
  let until = Number.POSITIVE_INFINITY;
  let drawn = 0;
  let targets: readonly PlacedSnapshot[][] = [];
  let current: PlacedSnapshot | null = null;
  let drag: { x: number; y: number } | null = null;

  const draw = (): void => {
    // Hidden places have no width; below the least one the chart is cut rather than unreadable.
    if (place.clientWidth === 0) return;
    drawn = Math.max(LEAST_WIDTH, Math.floor(place.clientWidth));
    const options = { width: drawn, parts: "chart", theme: currentTheme(), view, until } as const;
    const layout = layoutEmbedding(figure, options);
    targets = placeSnapshots(figure, sceneOf(figure, layout.map, view), until);
    canvas.style.height = `${layout.height}px`;
    chart.resize({ width: layout.width, height: layout.height });
    chart.setOption(embeddingOption(figure, options), { notMerge: true });
    hide();
  };
  const hide = (): void => {
    current = null;
    tooltip.hide();
  };
  const showTarget = (target: PlacedSnapshot, isSpoken: boolean): void => {
    current = target;
    tooltip.show(embeddingReadout(figure, target.pathIndex, target.point), target, { isSpoken });
  };
  const toolbar = addElement(null, "div", "toolbar");
  place.before(toolbar);
  // Saved as it is seen: turned, and as far as it has been played.
  addDownloads(toolbar, figure.title, () => {
    const saved = { parts: "chart", theme: "light", view, until } as const;
    return { option: embeddingOption(figure, saved), size: embeddingSize(figure, saved) };
  });
  let frame = 0;
  const turn = (azimuth: number, elevation: number): void => {
    view = {
      azimuth: view.azimuth + azimuth,
      elevation: Math.min(89, Math.max(-89, view.elevation + elevation)),
    };
    // However often the pointer moves, a frame is drawn once.
    window.cancelAnimationFrame(frame);
    frame = window.requestAnimationFrame(draw);
  };
  const point = (event: PointerEvent): void => {
    if (drag !== null) {
      turn(-(event.clientX - drag.x) * TURN, (event.clientY - drag.y) * TURN);
      drag = { x: event.clientX, y: event.clientY };
      return;
    }
    const box = canvas.getBoundingClientRect();
    const at = { x: event.clientX - box.left, y: event.clientY - box.top };
    const target = nearest(targets.flat(), at);
    if (target === null) hide();
    else showTarget(target, false);
  };
  const press = (event: PointerEvent): void => {
    point(event);
    if (figure.dimensions === 2 || current !== null || event.pointerType === "touch") return;
    drag = { x: event.clientX, y: event.clientY };
    canvas.setPointerCapture(event.pointerId);
  };
  const release = (): void => {
    drag = null;
  };
  const key = (event: KeyboardEvent): void => {
    if (event.target !== place) return;
    if (event.key === "Escape") hide();
    if (event.shiftKey && figure.dimensions === 3) {
      const [azimuth, elevation] = KEY_TURNS[event.key] ?? [0, 0];
      if (azimuth === 0 && elevation === 0) return;
      event.preventDefault();
      turn(azimuth * KEY_TURN, elevation * KEY_TURN);
      return;
    }
    const next = nextTarget(targets, current, event.key);
    if (next === null) return;
    event.preventDefault();
    showTarget(next, true);
  };

  canvas.addEventListener("pointermove", point);
  canvas.addEventListener("pointerdown", press);
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  place.addEventListener("pointerleave", hide);
  place.addEventListener("blur", hide);
  place.addEventListener("keydown", key);
  onThemeChange(draw);
  new ResizeObserver(() => {
    if (Math.max(LEAST_WIDTH, Math.floor(place.clientWidth)) !== drawn) draw();
  }).observe(place);
  const last = frames.length - 1;
  if (last > 0) {
    const player = createPlayer({
      count: frames.length,
      start: last,
      name: `Snapshots up to ${figure.progress}`,
      label: (position) => `${figure.progress} ${frames[position]} of ${frames[last]}`,
      onMove: (position) => {
        until = position === last ? Number.POSITIVE_INFINITY : (frames[position] as number);
        draw();
      },
    });
    place.after(player.element);
  }
  draw();
}

const KEY_TURNS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
};

function nearest(
  targets: readonly PlacedSnapshot[],
  at: { readonly x: number; readonly y: number },
): PlacedSnapshot | null {
  let best: PlacedSnapshot | null = null;
  let distance = REACH;
  for (const target of targets) {
    const away = Math.hypot(target.x - at.x, target.y - at.y);
    // Of snapshots on one spot the last is on top.
    if (away > distance) continue;
    best = target;
    distance = away;
  }
  return best;
}

/** Left and right go along the path, Home and End to its ends, up and down to the next run. */
function nextTarget(
  targets: readonly (readonly PlacedSnapshot[])[],
  current: PlacedSnapshot | null,
  key: string,
): PlacedSnapshot | null {
  const paths = targets.filter((path) => path.length > 0);
  const first = paths[0]?.[0] ?? null;
  if (current === null) return ["ArrowRight", "ArrowDown", "Home"].includes(key) ? first : null;
  const number = paths.findIndex((path) => path[0]?.pathIndex === current.pathIndex);
  const path = paths[number] ?? [];
  const at = path.findIndex(({ pointIndex }) => pointIndex === current.pointIndex);
  switch (key) {
    case "ArrowRight":
      return path[at + 1] ?? null;
    case "ArrowLeft":
      return path[at - 1] ?? null;
    case "Home":
      return path[0] ?? null;
    case "End":
      return path.at(-1) ?? null;
    case "ArrowDown":
      return paths[number + 1]?.[0] ?? null;
    case "ArrowUp":
      return paths[number - 1]?.[0] ?? null;
    default:
      return null;
  }
}
