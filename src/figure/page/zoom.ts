import { isInside, pixelToPlane } from "../draw/figure-frame.js";
import { type FigureLayout, kindOf } from "../draw/layout-figure.js";
import type { Place, Placed } from "../draw/panel-kind.js";
import { heldWindow, zoomedWindow } from "../draw/zoom.js";
import type { PlaneWindow } from "../figure.js";
import { addButton, addElement } from "./player.js";

/** Parts of panels that a reader has enlarged. */
export interface Zoom {
  /** The buttons, to be put into the page; null for none. */
  readonly element: HTMLElement | null;
  /** What is shown, by position of the panel in the figure; all of a panel that is not named. */
  readonly windows: ReadonlyMap<number, PlaneWindow>;
  /** Whether nothing moves: then levels are those of the part that is shown. */
  readonly isSettled: boolean;
  /** Whether a drag moves the picture, so that nothing is pointed at. */
  readonly isDragging: boolean;
  /** Does what a key asks for: + and − zoom, 0 shows all, Shift with an arrow moves. Returns whether it meant something. */
  press(event: KeyboardEvent): boolean;
  /** Names the buttons that have something to do. */
  showButtons(): void;
}

/** What {@link createZoom} works on. */
export interface ZoomOptions {
  readonly layout: () => FigureLayout | null;
  readonly hasButtons: boolean;
  readonly signal: AbortSignal;
  /** Called when the windows have changed. */
  readonly onChange: () => void;
}

/** Factor of a button, a key and a step of the wheel. */
const STEP = 1.6;
/** Pixels of the wheel that double the size, and the most that one event counts: a notch is 100 to 120 px. */
const WHEEL = 80;
const MOST_WHEEL = 40;
/** Share of the window that an arrow key moves it. */
const SHIFT = 0.15;
/** Milliseconds without a change until the levels follow. */
const REST = 180;
const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
};

/** A panel whose plane can be enlarged. */
interface Pane {
  readonly index: number;
  readonly placed: Placed;
  readonly shown: PlaneWindow;
  readonly whole: PlaneWindow;
}

/**
 * Lets a reader enlarge maps and flat embeddings: Ctrl with the wheel, two fingers, buttons and keys zoom; a drag
 * moves what has been enlarged; a double click shows all. The wheel alone and one finger scroll the page.
 * Maps over the same plane move together.
 */
export function createZoom(place: HTMLElement, { layout, hasButtons, signal, onChange }: ZoomOptions): Zoom {
  const windows = new Map<number, PlaneWindow>();
  let isSettled = true;
  let rest: ReturnType<typeof setTimeout> | undefined;
  let drag: { readonly pane: Pane; readonly from: Place } | null = null;
  let pinch: { readonly pane: Pane; readonly center: Place; readonly spread: number } | null = null;
  const group = hasButtons ? addElement(null, "div", "choice") : null;
  const buttons = group === null ? [] : addButtons(group);

  function addButtons(element: HTMLElement): HTMLButtonElement[] {
    element.setAttribute("role", "group");
    element.setAttribute("aria-label", "Zoom");
    const made = [
      addButton(element, "+", () => scale(STEP)),
      addButton(element, "−", () => scale(1 / STEP)),
      addButton(element, "Show all", showAll),
    ];
    made[0]?.setAttribute("aria-label", "Zoom in");
    made[1]?.setAttribute("aria-label", "Zoom out");
    return made;
  }
  function panes(): Pane[] {
    const now = layout();
    return (now?.panels ?? []).flatMap((placed) => {
      const plane = kindOf(placed.panel).plane?.(placed) ?? null;
      const index = now?.figure.panels.indexOf(placed.panel) ?? -1;
      return plane === null ? [] : [{ index, placed, ...plane }];
    });
  }
  function paneAt(at: Place): Pane | undefined {
    return panes().find(({ placed }) => isInside(placed.rect, at));
  }
  function placeOf(event: { readonly clientX: number; readonly clientY: number }): Place {
    const box = place.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }
  function change(isMoving: boolean): void {
    clearTimeout(rest);
    isSettled = !isMoving;
    if (isMoving)
      rest = setTimeout(() => {
        isSettled = true;
        onChange();
      }, REST);
    onChange();
  }
  /** Shows a part of a panel, and of those over the same plane. */
  function show(pane: Pane, window: PlaneWindow): void {
    const held = heldWindow(window, pane.whole);
    const isSame = ({ placed, whole }: Pane): boolean =>
      placed.panel.kind === pane.placed.panel.kind && JSON.stringify(whole) === JSON.stringify(pane.whole);
    for (const { index } of panes().filter(isSame)) {
      if (held === undefined) windows.delete(index);
      else windows.set(index, held);
    }
  }
  function scale(factor: number): void {
    const seen = new Set<string>();
    for (const pane of panes()) {
      const key = JSON.stringify([pane.placed.panel.kind, pane.whole]);
      if (!seen.has(key)) show(pane, zoomedWindow(pane.shown, middle(pane.shown), factor));
      seen.add(key);
    }
    change(false);
  }
  function showAll(): void {
    if (windows.size === 0 || panes().length === 0) return;
    windows.clear();
    change(false);
  }
  function wheel(event: WheelEvent): void {
    if (!event.ctrlKey && !event.metaKey) return;
    const at = placeOf(event);
    const pane = paneAt(at);
    if (pane === undefined) return;
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 20 : 1;
    const turned = Math.max(-MOST_WHEEL, Math.min(MOST_WHEEL, event.deltaY * lines));
    show(pane, zoomedWindow(pane.shown, toPlane(pane, at), 2 ** (-turned / WHEEL)));
    change(true);
  }
  function press(event: PointerEvent): void {
    if (event.pointerType !== "mouse" || event.button !== 0 || event.detail > 1) return;
    const from = placeOf(event);
    const pane = paneAt(from);
    if (pane === undefined || !windows.has(pane.index)) return;
    drag = { pane, from };
    place.setPointerCapture(event.pointerId);
  }
  function move(event: PointerEvent): void {
    if (drag === null) return;
    const { pane, from } = drag;
    const [a, b] = [toPlane(pane, from), toPlane(pane, placeOf(event))];
    show(pane, shifted(pane.shown, a.x - b.x, a.y - b.y));
    change(true);
  }
  function touch(event: TouchEvent): void {
    const [one, other] = [event.touches[0], event.touches[1]];
    if (one === undefined || other === undefined) {
      pinch = null;
      return;
    }
    const [a, b] = [placeOf(one), placeOf(other)];
    const center = { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
    const spread = Math.max(1, Math.hypot(a.x - b.x, a.y - b.y));
    if (pinch === null) {
      const pane = paneAt(center);
      if (pane === undefined) return;
      pinch = { pane, center, spread };
    } else {
      const { pane } = pinch;
      const start = toPlane(pane, pinch.center);
      const zoomed = zoomedWindow(pane.shown, start, spread / pinch.spread);
      const now = pixelToPlane({ alpha: zoomed.x, beta: zoomed.y }, pane.placed.rect, center);
      show(pane, shifted(zoomed, start.x - now.x, start.y - now.y));
      change(true);
    }
    event.preventDefault();
  }
  function key({ key: name, shiftKey }: KeyboardEvent): boolean {
    const arrow = shiftKey && windows.size > 0 ? ARROWS[name] : undefined;
    if (panes().length === 0) return false;
    if (name === "+" || name === "=") scale(STEP);
    else if (name === "-" || name === "−") scale(1 / STEP);
    else if (name === "0" || (name === "Escape" && windows.size > 0)) showAll();
    else if (arrow !== undefined) {
      for (const pane of panes().filter(({ index }) => windows.has(index))) {
        const { x, y } = pane.shown;
        const by = [arrow[0] * SHIFT * (x[1] - x[0]), arrow[1] * SHIFT * (y[1] - y[0])] as const;
        const held = heldWindow(shifted(pane.shown, ...by), pane.whole);
        if (held !== undefined) windows.set(pane.index, held);
      }
      change(false);
    } else return false;
    return true;
  }

  const active = { passive: false, signal };
  place.addEventListener("wheel", wheel, active);
  for (const name of ["touchstart", "touchmove"] as const) place.addEventListener(name, touch, active);
  for (const name of ["touchend", "touchcancel"] as const) place.addEventListener(name, touch, { signal });
  place.addEventListener("pointerdown", press, { signal });
  place.addEventListener("pointermove", move, { signal });
  for (const name of ["pointerup", "pointercancel"] as const)
    place.addEventListener(
      name,
      () => {
        drag = null;
      },
      { signal },
    );
  place.addEventListener("dblclick", showAll, { signal });
  signal.addEventListener("abort", () => clearTimeout(rest));

  return {
    element: group,
    windows,
    get isSettled() {
      return isSettled;
    },
    get isDragging() {
      return drag !== null || pinch !== null;
    },
    press: key,
    showButtons() {
      if (group === null) return;
      group.hidden = panes().length === 0;
      for (const button of buttons.slice(1)) button.disabled = windows.size === 0;
      place.classList.toggle("movable", windows.size > 0);
    },
  };
}

function toPlane({ placed, shown }: Pane, at: Place): Place {
  return pixelToPlane({ alpha: shown.x, beta: shown.y }, placed.rect, at);
}

function middle({ x, y }: PlaneWindow): Place {
  return { x: (x[0] + x[1]) / 2, y: (y[0] + y[1]) / 2 };
}

function shifted({ x, y }: PlaneWindow, right: number, up: number): PlaneWindow {
  return { x: [x[0] + right, x[1] + right], y: [y[0] + up, y[1] + up] };
}
