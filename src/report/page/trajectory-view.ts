import { init } from "../echarts.js";
import type { TrajectoryFigure } from "../figure.js";
import { decodeNumber } from "../json-number.js";
import { pointReadout, surfaceReadout } from "../readout.js";
import { planeToPixel } from "../surface-shapes.js";
import { LEAST_WIDTH, layoutTrajectory, type TrajectoryLayout } from "../trajectory-layout.js";
import { trajectoryOption } from "../trajectory-option.js";
import { currentTheme, onThemeChange } from "./page-theme.js";
import { createTooltip } from "./tooltip.js";

/** A drawn snapshot. */
interface Target {
  readonly pathIndex: number;
  readonly pointIndex: number;
  readonly x: number;
  readonly y: number;
}

/** How near to a snapshot the pointer must be, in px. */
const REACH = 12;

/** Draws a figure into `place` and keeps it in step with its width, the theme, the pointer and the keys. */
export function showTrajectory(place: HTMLElement, figure: TrajectoryFigure): void {
  const canvas = document.createElement("div");
  canvas.className = "canvas";
  canvas.setAttribute("aria-hidden", "true");
  place.append(canvas);
  const tooltip = createTooltip(place);
  const chart = init(canvas, null, { renderer: "svg", width: 1, height: 1 });
  let layout: TrajectoryLayout | null = null;
  let targets: readonly Target[] = [];
  let current: Target | null = null;

  const draw = (): void => {
    // Hidden places have no width; below the least one the chart is cut rather than unreadable.
    if (place.clientWidth === 0) return;
    const width = Math.max(LEAST_WIDTH, Math.floor(place.clientWidth));
    const options = { width, parts: "chart", theme: currentTheme() } as const;
    layout = layoutTrajectory(figure, options);
    targets = findTargets(figure, layout);
    canvas.style.height = `${layout.height}px`;
    chart.resize({ width: layout.width, height: layout.height });
    chart.setOption(trajectoryOption(figure, options), { notMerge: true });
    hide();
  };
  const hide = (): void => {
    current = null;
    tooltip.hide();
  };
  const showTarget = (target: Target, isSpoken: boolean): void => {
    current = target;
    const point = figure.paths[target.pathIndex]?.points[target.pointIndex];
    if (point !== undefined)
      tooltip.show(pointReadout(figure, target.pathIndex, point), target, { isSpoken });
  };
  const point = (event: PointerEvent): void => {
    const box = canvas.getBoundingClientRect();
    const at = { x: event.clientX - box.left, y: event.clientY - box.top };
    const target = nearestTarget(targets, at);
    if (target !== null) {
      showTarget(target, false);
      return;
    }
    current = null;
    const plane = layout === null ? null : pixelToPlane(figure, layout, at);
    if (plane === null) tooltip.hide();
    else tooltip.show(surfaceReadout(figure, plane.alpha, plane.beta), at, { isMarked: false });
  };
  const walk = (event: KeyboardEvent): void => {
    const next = nextTarget(targets, current, event.key);
    if (event.key === "Escape") hide();
    if (next === null) return;
    event.preventDefault();
    showTarget(next, true);
  };

  place.addEventListener("pointermove", point);
  place.addEventListener("pointerdown", point);
  place.addEventListener("pointerleave", hide);
  place.addEventListener("blur", hide);
  place.addEventListener("keydown", walk);
  onThemeChange(draw);
  new ResizeObserver(() => {
    if (layout === null || Math.max(LEAST_WIDTH, Math.floor(place.clientWidth)) !== layout.width) draw();
  }).observe(place);
  draw();
}

function findTargets(figure: TrajectoryFigure, layout: TrajectoryLayout): Target[] {
  const toPixel = planeToPixel(figure, layout.map);
  const { x: left, y: top, width, height } = layout.map;
  return figure.paths
    .flatMap(({ points }, pathIndex) =>
      points.map(({ alpha, beta }, pointIndex): Target => {
        const [x, y] = toPixel(decodeNumber(alpha), decodeNumber(beta));
        return { pathIndex, pointIndex, x, y };
      }),
    )
    .filter(({ x, y }) => x >= left && x <= left + width && y >= top && y <= top + height);
}

function nearestTarget(targets: readonly Target[], at: { x: number; y: number }): Target | null {
  let best: Target | null = null;
  let distance = REACH;
  for (const target of targets) {
    const away = Math.hypot(target.x - at.x, target.y - at.y);
    // Of snapshots on one spot the last is on top.
    if (away <= distance) {
      best = target;
      distance = away;
    }
  }
  return best;
}

/** Left and right go along the path, Home and End to its ends, up and down to the next run. */
function nextTarget(targets: readonly Target[], current: Target | null, key: string): Target | null {
  const first = targets[0] ?? null;
  if (current === null) return ["ArrowRight", "ArrowDown", "Home"].includes(key) ? first : null;
  const run = targets.filter(({ pathIndex }) => pathIndex === current.pathIndex);
  const place = run.findIndex(({ pointIndex }) => pointIndex === current.pointIndex);
  const other = (step: number): Target | null =>
    targets.find(({ pathIndex }) => pathIndex === current.pathIndex + step) ?? null;
  switch (key) {
    case "ArrowRight":
      return run[place + 1] ?? null;
    case "ArrowLeft":
      return run[place - 1] ?? null;
    case "Home":
      return run[0] ?? null;
    case "End":
      return run[run.length - 1] ?? null;
    case "ArrowDown":
      return other(1);
    case "ArrowUp":
      return other(-1);
    default:
      return null;
  }
}

function pixelToPlane(figure: TrajectoryFigure, { map }: TrajectoryLayout, at: { x: number; y: number }) {
  const right = (at.x - map.x) / map.width;
  const up = 1 - (at.y - map.y) / map.height;
  if (right < 0 || right > 1 || up < 0 || up > 1) return null;
  const along = (axis: readonly number[], share: number): number => {
    const start = axis[0] as number;
    return start + share * ((axis[axis.length - 1] as number) - start);
  };
  return { alpha: along(figure.surface.alpha, right), beta: along(figure.surface.beta, up) };
}
