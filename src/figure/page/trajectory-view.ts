import { LEAST_WIDTH } from "../draw/figure-frame.js";
import { themeOf } from "../draw/palette.js";
import { pointReadout, snapshotAt, timeline } from "../draw/readout.js";
import { runColor } from "../draw/surface-shapes.js";
import type { FigurePath, TrajectoryFigure } from "../figure.js";
import { canBeLogarithmic, withScaleKind } from "../figure.js";
import { createProgressFigure } from "../make/create-progress-figure.js";
import { showChart } from "./chart-view.js";
import { addDownloads } from "./downloads.js";
import type { Layer, Place, Target } from "./map-layer.js";
import { createMapLayer } from "./map-layer.js";
import { createOverlay, currentTheme, onThemeChange } from "./picture.js";
import { addButton, addElement, createPlayer } from "./player.js";
import { createTooltip } from "./tooltip.js";

/** Creates the layer that draws in space. */
type SpaceLayer = (place: HTMLElement, onTurn: () => void) => Layer;

/** How near to a snapshot the pointer must be, in px. */
const REACH = 12;

/**
 * Draws a trajectory into `place`, with a toolbar before it, and player and training curves after it, and
 * keeps them in step with each other, the width, the theme, the pointer and the keys.
 *
 * @param createSpace - draws in space; without it the page has no such button.
 */
export function showTrajectory(place: HTMLElement, given: TrajectoryFigure, createSpace?: SpaceLayer): void {
  let figure = given;
  const toolbar = addElement(null, "div", "toolbar");
  place.before(toolbar);
  const map = createMapLayer(place);
  let space: Layer | null = null;
  let layer: Layer = map;
  let targets: readonly Target[] = [];
  let drawnWidth = 0;
  let run = 0;
  const overlay = createOverlay(place);
  const tooltip = createTooltip(place);
  const places = timeline(figure);
  const player = createPlayer({
    count: places.length,
    name: figure.progress.replace(/^./, (letter) => letter.toUpperCase()),
    label: (position) => `${figure.progress} ${places[position]} of ${places[places.length - 1]}`,
    onMove: () => {
      tooltip.hide();
      showPosition();
    },
  });
  place.after(player.element);
  const progress = createProgressFigure(given);
  const curvesPlace = addElement(null, "div", "chart curves");
  player.element.after(curvesPlace);
  const curves = progress === null ? null : showChart(curvesPlace, progress);
  if (progress === null) curvesPlace.remove();
  else {
    curvesPlace.setAttribute("role", "img");
    curvesPlace.setAttribute("aria-label", progress.description);
  }

  function draw(): void {
    // Hidden places have no width; below the least one the chart is cut rather than unreadable.
    if (place.clientWidth === 0) return;
    drawnWidth = Math.max(LEAST_WIDTH, Math.floor(place.clientWidth));
    layer.draw(figure, drawnWidth, currentTheme());
    tooltip.hide();
    moved();
  }
  function moved(): void {
    targets = layer.targets();
    showPosition();
  }
  function targetOf(pathIndex: number): Target | undefined {
    const path = figure.paths[pathIndex] as FigurePath;
    const pointIndex = snapshotAt(path, figure.progress, places[player.position] as number);
    return targets.find((target) => target.pathIndex === pathIndex && target.pointIndex === pointIndex);
  }
  function showPosition(): void {
    const value = places[player.position] as number;
    const theme = themeOf(currentTheme());
    const rings = figure.paths.flatMap((_, index) => {
      const target = targetOf(index);
      return target === undefined ? [] : [{ x: target.x, y: target.y, color: runColor(index, theme) }];
    });
    overlay.show(rings, layer.cursors(value));
    curves?.mark(value);
  }
  function tell(target: Target | undefined, isSpoken: boolean): void {
    const point = target && figure.paths[target.pathIndex]?.points[target.pointIndex];
    if (target === undefined || point === undefined) tooltip.hide();
    else tooltip.show(pointReadout(figure, target.pathIndex, point), target, { isSpoken });
  }
  function point(event: PointerEvent): void {
    if (event.buttons !== 0 && layer === space) return;
    const box = layer.element.getBoundingClientRect();
    const at = { x: event.clientX - box.left, y: event.clientY - box.top };
    const target = nearestTarget(targets, at);
    if (target !== undefined) {
      tell(target, false);
      return;
    }
    const readout = layer.readoutAt(at);
    if (readout === null) tooltip.hide();
    else tooltip.show(readout, at, { isMarked: false });
  }
  function press(event: KeyboardEvent): void {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape") {
      tooltip.hide();
      return;
    }
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key] ?? 0;
    if (event.shiftKey && layer.turn(event.key)) tooltip.hide();
    else if (step !== 0 && figure.paths.length > 1) {
      run = Math.min(figure.paths.length - 1, Math.max(0, run + step));
      tell(targetOf(run), true);
    } else if (player.press(event.key)) {
      if (!player.isPlaying) tell(targetOf(run), true);
    } else return;
    event.preventDefault();
  }
  function choose(next: Layer): void {
    layer = next;
    for (const known of [map, space]) if (known !== null) known.element.hidden = known !== next;
    draw();
  }

  if (createSpace !== undefined) {
    addChoice(toolbar, "View", ["Map", "Surface in 3-D"], 0, (index) => {
      if (index === 1 && space === null) {
        space = createSpace(place, () => {
          tooltip.hide();
          moved();
        });
        // Under what moves.
        map.element.after(space.element);
      }
      choose(index === 1 ? (space as Layer) : map);
    });
  }
  if (canBeLogarithmic(given)) {
    const kinds = ["log", "linear"] as const;
    addChoice(toolbar, "Levels", ["Logarithmic", "Linear"], kinds.indexOf(given.scale.kind), (index) => {
      figure = withScaleKind(given, kinds[index] as "log" | "linear");
      const caption = place.closest("section")?.querySelector(".caption");
      if (caption) caption.textContent = figure.caption;
      draw();
    });
  }
  addDownloads(toolbar, figure.title, () => layer.picture(figure));
  place.addEventListener("pointermove", point);
  place.addEventListener("pointerdown", point);
  place.addEventListener("pointerleave", () => tooltip.hide());
  place.addEventListener("blur", () => tooltip.hide());
  place.addEventListener("keydown", press);
  onThemeChange(draw);
  new ResizeObserver(() => {
    if (Math.max(LEAST_WIDTH, Math.floor(place.clientWidth)) !== drawnWidth) draw();
  }).observe(place);
  draw();
}

/** Buttons of which one is pressed. */
function addChoice(
  toolbar: HTMLElement,
  name: string,
  texts: readonly string[],
  first: number,
  onChoice: (index: number) => void,
): void {
  const group = addElement(toolbar, "div", "choice");
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", name);
  const buttons = texts.map((text, index) =>
    addButton(group, text, () => {
      press(index);
      onChoice(index);
    }),
  );
  const press = (pressed: number): void => {
    for (const [index, button] of buttons.entries())
      button.setAttribute("aria-pressed", String(index === pressed));
  };
  press(first);
}

function nearestTarget(targets: readonly Target[], at: Place): Target | undefined {
  let best: Target | undefined;
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
