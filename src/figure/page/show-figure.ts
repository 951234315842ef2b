import { type DrawOptions, LEAST_WIDTH, type SceneView } from "../draw/figure-frame.js";
import {
  type FigureLayout,
  figureMoment,
  figureOption,
  figureReadout,
  figureSize,
  figureTargets,
  figureTraces,
  layoutFigure,
} from "../draw/layout-figure.js";
import type { Place, Target } from "../draw/panel-kind.js";
import { canBeLogarithmic, scaleKindOf, withScale } from "../draw/scales.js";
import { snapshotAt, snapshotReadout, timeline } from "../draw/snapshots.js";
import { withWindows } from "../draw/zoom.js";
import type { Figure } from "../figure.js";
import { turnView } from "../space/scene-view.js";
import type { PlacedSpace } from "../space/space-panel.js";
import { inSpace, isInSpace } from "../space/surface-panel.js";
import { addDownloads } from "./downloads.js";
import {
  createOverlay,
  createShapesLayer,
  createTooltip,
  currentTheme,
  type Layer,
  type Overlay,
  onThemeChange,
} from "./picture.js";
import { addButton, addElement, createPlayer, type Player } from "./player.js";
import { createRunLegend, withoutRuns } from "./run-legend.js";
import { createZoom } from "./zoom.js";

/** A figure on a page. */
export interface FigureView {
  /** Shows another figure instead: one that has grown. */
  update(figure: Figure): void;
  /** Marks the snapshots at a place of the time line. */
  moveTo(place: number): void;
  dispose(): void;
}

/** Creates the layer that draws something in 3-D and reports when it turns; null where the browser cannot draw it. */
export type CreateSpaceLayer = (place: HTMLElement, onTurn: (view: SceneView) => void) => Layer | null;

/** What a page shows with a figure. */
export interface ShowOptions {
  /** Draws in 3-D; without it maps have no button for it. */
  readonly createSpace?: CreateSpaceLayer;
  /** Buttons and player. Default true. */
  readonly hasControls?: boolean;
}

/** How near to a snapshot the pointer must be, in px. */
const REACH = 12;
/** Degrees of turn for a px of dragging, and for a key. */
const DRAG_TURN = 0.45;
const KEY_TURN = 10;
const WITHOUT_WEBGL =
  "This browser has no WebGL 2: 3-D is drawn without it, which takes a moment. A drag, or Shift with an arrow key, turns it.";
const KEY_TURNS: Readonly<Record<string, readonly [azimuth: number, elevation: number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
};

/**
 * Draws a figure into `place`, with a toolbar before it and a player after it, and keeps everything in step with
 * each other, the width, the theme, the pointer and the keys.
 */
export function showFigure(place: HTMLElement, first: Figure, options: ShowOptions = {}): FigureView {
  const { createSpace, hasControls = true } = options;
  const stop = new AbortController();
  const { signal } = stop;
  let given = first;
  let kind = scaleKindOf(first);
  let figure = first;
  let isSpace = false;
  let isFaceted = false;
  let view: SceneView | undefined;
  let layout: FigureLayout | null = null;
  let targets: readonly Target[] = [];
  let places = timeline(figure);
  /** Where on the time line the marks are; null for no marks. */
  let now: number | null = hasControls ? (places[0] ?? null) : null;
  /** Where on the time line the reader points; null for nowhere. */
  let pointed: number | null = null;
  let run = 0;
  let frame = 0;

  const toolbar = addElement(null, "div", "toolbar");
  if (hasControls) place.before(toolbar);
  const shapes = createShapesLayer(place);
  let space: Layer | null = null;
  let overlay: Overlay | null = null;
  const tooltip = createTooltip(place);
  const player: Player | null = !hasControls || places.length < 2 ? null : addPlayer();

  function addPlayer(): Player {
    const { progress } = figure;
    const made = createPlayer({
      count: places.length,
      name: progress.replace(/^./, (letter) => letter.toUpperCase()),
      label: (position) => `${progress} ${places[position]} of ${places[places.length - 1]}`,
      onMove: (position) => {
        now = places[position] ?? null;
        tooltip.hide();
        showMoment();
      },
    });
    place.after(made.element);
    return made;
  }
  /** The figure as it is seen now. */
  function seen(): Figure {
    return isSpace
      ? withoutRuns(inSpace(figure) ?? figure, legend?.hidden)
      : withWindows(figure, zoom.windows, zoom);
  }
  function draw(isTurned = false): void {
    // Hidden places have no width; below the least one the chart is cut rather than unreadable.
    if (place.clientWidth === 0) return;
    const width = Math.max(LEAST_WIDTH, Math.floor(place.clientWidth));
    const theme = currentTheme();
    layout = layoutFigure(seen(), {
      width,
      parts: "chart",
      isPage: true,
      theme,
      view,
      isFaceted,
      hidden: legend?.hidden,
    });
    (isSpace && space !== null ? space : shapes).draw(layout, theme, isTurned);
    targets = figureTargets(layout);
    zoom.showButtons();
    legend?.paint(theme);
    leave();
    showMoment();
  }
  function redrawSoon(): void {
    // However often the pointer moves, a frame is drawn once.
    window.cancelAnimationFrame(frame);
    frame = window.requestAnimationFrame(() => draw(true));
  }
  function showMoment(): void {
    const moment = pointed ?? now;
    const run = legend?.highlighted ?? null;
    if (layout === null || (moment === null && run === null && overlay === null)) return;
    overlay ??= createOverlay(place);
    const marks = moment === null ? { rings: [], cursors: [] } : figureMoment(layout, moment);
    const data = run === null ? undefined : figure.runs[run];
    const standing =
      data === undefined || run === null ? null : { color: data.color, traces: figureTraces(layout, run) };
    overlay.show(marks, currentTheme(), standing);
  }
  /** Marks a place of the time line in every panel, or where the player stands. */
  function pointTo(moment: number | null): void {
    if (moment === pointed) return;
    pointed = moment;
    showMoment();
  }
  function leave(): void {
    tooltip.hide();
    pointTo(null);
  }
  function tell(target: Target | undefined, isSpoken: boolean): void {
    if (target === undefined) tooltip.hide();
    else tooltip.show(snapshotReadout(figure, target.run, target.snapshot), target, { isSpoken });
  }
  /** The drawn snapshot of a run where the player stands. */
  function currentTarget(): Target | undefined {
    const data = figure.runs[run];
    if (data === undefined || now === null) return undefined;
    const snapshot = snapshotAt(data, figure.progress, now);
    return targets.find((target) => target.run === run && target.snapshot === snapshot);
  }
  function placeOf(event: PointerEvent): Place {
    const box = place.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }
  function point(event: PointerEvent): void {
    if (event.buttons !== 0 && isSpace) return;
    if (zoom.isDragging) {
      leave();
      return;
    }
    const at = placeOf(event);
    const target = nearestTarget(targets, at);
    if (target !== undefined) {
      tell(target, false);
      pointTo(figure.runs[target.run]?.[figure.progress][target.snapshot] ?? null);
      return;
    }
    const found = layout === null ? null : figureReadout(layout, at);
    if (found === null || found.readout.rows.length === 0) {
      leave();
      return;
    }
    tooltip.show(found.readout, found, { mark: found.point ?? null });
    pointTo(found.moment ?? null);
  }

  function turn(azimuth: number, elevation: number): void {
    const first = (layout?.panels[0] as PlacedSpace | undefined)?.projection.view;
    if (first !== undefined) view = turnView(first, -azimuth, elevation);
  }
  let facets: HTMLElement | null = null;
  let without: HTMLElement | null = null;
  const zoom = createZoom(place, {
    layout: () => layout,
    hasButtons: hasControls,
    signal,
    onChange: redrawSoon,
  });
  const legend =
    hasControls && figure.runs.length > 1
      ? createRunLegend(figure.runs, { onChange: () => draw(), onHighlight: showMoment })
      : null;
  if (legend !== null) place.before(legend.element);
  let drag: Place | null = null;
  function press(event: PointerEvent): void {
    point(event);
    // In 3-D WebGL has the pointer; a finger scrolls the page.
    if (!isSpace || space !== null || event.pointerType === "touch") return;
    if (nearestTarget(targets, placeOf(event)) !== undefined) return;
    drag = { x: event.clientX, y: event.clientY };
    shapes.element.setPointerCapture(event.pointerId);
  }
  function move(event: PointerEvent): void {
    if (drag === null) {
      point(event);
      return;
    }
    turn((event.clientX - drag.x) * DRAG_TURN, (event.clientY - drag.y) * DRAG_TURN);
    redrawSoon();
    drag = { x: event.clientX, y: event.clientY };
  }
  function release(): void {
    drag = null;
  }
  function key(event: KeyboardEvent): void {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target !== place) return;
    const turned = event.shiftKey && isSpace ? KEY_TURNS[event.key] : undefined;
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key] ?? 0;
    if (turned === undefined && zoom.press(event)) {
      event.preventDefault();
      return;
    }
    if (event.key === "Escape") leave();
    else if (turned !== undefined) {
      turn(turned[0] * KEY_TURN, turned[1] * KEY_TURN);
      draw(true);
    } else if (step !== 0 && figure.runs.length > 1) {
      run = Math.min(figure.runs.length - 1, Math.max(0, run + step));
      tell(currentTarget(), true);
    } else if (player?.press(event.key) === true) {
      if (!player.isPlaying) tell(currentTarget(), true);
    } else return;
    event.preventDefault();
  }

  function showIn(next: boolean): void {
    isSpace = next;
    view = undefined;
    if (isSpace && space === null && createSpace !== undefined) {
      space = createSpace(place, (turned) => {
        view = turned;
        draw(true);
      });
      if (space === null) {
        without ??= addElement(null, "p", "hint", WITHOUT_WEBGL);
        without.setAttribute("role", "status");
        place.after(without);
      }
      // Under what moves.
      else shapes.element.after(space.element);
    }
    if (facets !== null) facets.hidden = !isSpace;
    shapes.element.classList.toggle("turnable", isSpace && space === null);
    shapes.element.hidden = isSpace && space !== null;
    if (space !== null) space.element.hidden = !isSpace;
    draw();
  }
  function useScale(next: "linear" | "log"): void {
    kind = next;
    figure = withScale(given, kind);
    const caption = place.closest("section")?.querySelector(".caption");
    if (caption) caption.textContent = figure.caption;
    draw();
  }
  function saved(): DrawOptions {
    return { parts: "chart", theme: "light", view, isFaceted, hidden: legend?.hidden };
  }

  if (hasControls) {
    if (createSpace !== undefined && !isInSpace(figure) && inSpace(figure) !== null) {
      addChoice(toolbar, "View", ["Map", "Surface in 3-D"], 0, (index) => showIn(index === 1));
      facets = addChoice(toolbar, "Surface", ["Smooth", "Grid as evaluated"], 0, (index) => {
        isFaceted = index === 1;
        draw();
      });
      facets.hidden = true;
    }
    if (canBeLogarithmic(figure)) {
      const kinds = ["log", "linear"] as const;
      addChoice(toolbar, "Levels", ["Logarithmic", "Linear"], kind === "log" ? 0 : 1, (index) =>
        useScale(kinds[index] ?? "linear"),
      );
    }
    if (zoom.element !== null) toolbar.append(zoom.element);
    // Saved as it is seen: turned, and with these levels.
    addDownloads(toolbar, figure.title, () => ({
      option: figureOption(seen(), saved()),
      size: figureSize(seen(), saved()),
    }));
  }
  place.addEventListener("pointermove", move, { signal });
  place.addEventListener("pointerdown", press, { signal });
  place.addEventListener("pointerup", release, { signal });
  place.addEventListener("pointercancel", release, { signal });
  // A finger that is lifted leaves, too: what it has tapped stays until something else is tapped.
  place.addEventListener("pointerleave", (event) => event.pointerType !== "touch" && leave(), { signal });
  document.addEventListener("pointerdown", (event) => !place.contains(event.target as Node) && leave(), {
    signal,
  });
  place.addEventListener("blur", leave, { signal });
  place.addEventListener("keydown", key, { signal });
  const endTheme = onThemeChange(() => draw());
  const observer = new ResizeObserver(() => {
    if (Math.max(LEAST_WIDTH, Math.floor(place.clientWidth)) !== layout?.width) draw();
  });
  observer.observe(place);
  if (isInSpace(figure)) showIn(true);
  else draw();
  return {
    update(next) {
      given = next;
      figure = kind === null || scaleKindOf(next) === null ? next : withScale(next, kind);
      places = timeline(figure);
      if (player !== null) {
        player.resize(places.length);
        now = places[player.position] ?? null;
      }
      draw();
    },
    moveTo(to) {
      now = to;
      player?.moveTo(places.findLastIndex((one) => one <= to));
      showMoment();
    },
    dispose() {
      stop.abort();
      observer.disconnect();
      endTheme();
      window.cancelAnimationFrame(frame);
      for (const layer of [shapes, space]) layer?.dispose();
      toolbar.remove();
      without?.remove();
      legend?.element.remove();
      player?.pause();
      player?.element.remove();
      place.replaceChildren();
    },
  };
}

/** Buttons, one of them pressed. */
function addChoice(
  toolbar: HTMLElement,
  name: string,
  texts: readonly string[],
  first: number,
  onChoice: (index: number) => void,
): HTMLElement {
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
  return group;
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
