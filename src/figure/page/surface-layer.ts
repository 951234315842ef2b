import { init } from "../draw/echarts.js";
import type { SceneView } from "../draw/figure-frame.js";
import { layoutOption } from "../draw/layout-figure.js";
import { themeOf } from "../draw/palette.js";
import { sceneMeshes } from "../space/scene-mesh.js";
import { turnView, zoomView } from "../space/scene-view.js";
import type { PlacedSpace } from "../space/space-panel.js";
import type { SpaceStage, StageMaker } from "./main-3d.js";
import { type Layer, redraw } from "./picture.js";
import { addElement } from "./player.js";

/** Degrees of turn for a px of dragging, and for a second of the turning that shows that there is something to turn. */
const DRAG_TURN = 0.45;
const IDLE_TURN = 7;
/** Zoom for a px of the wheel, and for a key. */
const WHEEL_ZOOM = 0.0016;
const KEY_ZOOM: Readonly<Record<string, number>> = { "+": 1.2, "=": 1.2, "-": 1 / 1.2 };

/** Without a graphics card, pixels per pixel of the screen while it moves, and how long it must rest to be drawn sharp, in ms. */
const COARSE = 0.5;
const REST = 180;

/** Id of the element that holds the script for 3-D, as text. */
const CODE = "space-code";

/** Whether the page has the script for 3-D. */
export function hasSpaceCode(): boolean {
  return document.getElementById(CODE) !== null;
}

/** Whether WebGL is computed without a graphics card: smooth edges would take a third of the frames. */
function isSoftware(gl: WebGL2RenderingContext): boolean {
  const info = gl.getExtension("WEBGL_debug_renderer_info");
  const name = info === null ? "" : String(gl.getParameter(info.UNMASKED_RENDERER_WEBGL));
  return /swiftshader|llvmpipe|software/i.test(name);
}

/** Runs the script for 3-D, once. Null where the browser has no WebGL 2. */
function openStage(): { readonly stage: SpaceStage; readonly isSlow: boolean } | null {
  const tried = document.createElement("canvas").getContext("webgl2");
  if (tried === null) return null;
  const known = globalThis as unknown as Partial<StageMaker>;
  if (known.createStage === undefined) {
    const script = document.createElement("script");
    script.textContent = document.getElementById(CODE)?.textContent ?? "";
    document.head.append(script);
  }
  const isSlow = isSoftware(tried);
  try {
    const stage = known.createStage?.(!isSlow);
    return stage === undefined ? null : { stage, isSlow };
  } catch {
    // Contexts can be refused where there are too many: the still picture is shown instead, and the page says so.
    return null;
  }
}

/**
 * Draws a map or an embedding in 3-D: the scene with WebGL, walls and axes as SVG below it, labels and marks as SVG above it, all in
 * one projection. Dragging turns it; the wheel zooms with Ctrl, or after a click until the pointer leaves; two
 * fingers zoom; + and − zoom. It turns by itself until it is touched, and not where less motion is asked for.
 *
 * @param onTurn - called when the view is to change: the caller lays out and draws anew.
 * @returns null where the browser has no WebGL 2.
 */
export function createSurfaceLayer(place: HTMLElement, onTurn: (view: SceneView) => void): Layer | null {
  const opened = openStage();
  if (opened === null) return null;
  const { stage, isSlow } = opened;
  const element = addElement(place, "div", "canvas space turnable");
  element.setAttribute("aria-hidden", "true");
  const layers = ["back", "gl", "front"].map((name) => addElement(element, "div", `layer ${name}`));
  const [back, gl, front] = layers as [HTMLDivElement, HTMLDivElement, HTMLDivElement];
  gl.append(stage.canvas);
  const size = { width: 1, height: 1 };
  const below = init(back, null, { renderer: "svg", ...size });
  const above = init(front, null, { renderer: "svg", ...size });
  const stop = new AbortController();
  const { signal } = stop;
  let view: SceneView | null = null;
  let first: SceneView | null = null;
  let frame = 0;
  let shown: unknown = null;
  let rested = 0;

  function change(next: SceneView): void {
    view = next;
    // However often the pointer moves, a frame is drawn once.
    window.cancelAnimationFrame(frame);
    frame = window.requestAnimationFrame(() => onTurn(next));
  }
  let isIdle = !window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  let before: number | null = null;
  function idle(now: number): void {
    if (!isIdle || signal.aborted) return;
    const seconds = before === null ? 0 : Math.min(0.2, (now - before) / 1000);
    before = now;
    const { bottom, top } = element.getBoundingClientRect();
    const isSeen = element.getClientRects().length > 0 && bottom > 0 && top < window.innerHeight;
    if (isSeen && view !== null && seconds > 0) {
      view = turnView(view, IDLE_TURN * seconds, 0);
      onTurn(view);
    }
    window.requestAnimationFrame(idle);
  }
  function rest(): void {
    isIdle = false;
  }
  window.requestAnimationFrame(idle);

  /** Fingers and buttons that are down. */
  const pointers = new Map<number, { readonly x: number; readonly y: number }>();
  let isClicked = false;
  const spread = (): number => {
    const [a, b] = [...pointers.values()];
    return a === undefined || b === undefined ? 0 : Math.hypot(a.x - b.x, a.y - b.y);
  };
  const lift = (event: PointerEvent): void => {
    pointers.delete(event.pointerId);
  };
  const listen = <K extends keyof HTMLElementEventMap>(
    on: HTMLElement,
    name: K,
    listener: (event: HTMLElementEventMap[K]) => void,
  ): void => on.addEventListener(name, listener, { signal, passive: false });
  listen(element, "pointerdown", (event) => {
    rest();
    isClicked = true;
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (event.pointerType !== "touch") element.setPointerCapture(event.pointerId);
  });
  listen(element, "pointermove", (event) => {
    rest();
    const was = pointers.get(event.pointerId);
    if (was === undefined || view === null) return;
    const apart = spread();
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (pointers.size > 1) {
      if (apart > 0) change(zoomView(view, spread() / apart));
      return;
    }
    // A finger that moves up or down scrolls the page.
    const up = event.pointerType === "touch" ? 0 : (event.clientY - was.y) * DRAG_TURN;
    change(turnView(view, -(event.clientX - was.x) * DRAG_TURN, up));
  });
  listen(element, "pointerup", lift);
  listen(element, "pointercancel", lift);
  listen(element, "pointerleave", (event) => {
    lift(event);
    isClicked = false;
  });
  listen(element, "wheel", (event) => {
    rest();
    if (view === null || !(event.ctrlKey || event.metaKey || isClicked)) return;
    event.preventDefault();
    change(zoomView(view, Math.exp(-event.deltaY * WHEEL_ZOOM)));
  });
  listen(element, "dblclick", () => {
    if (first !== null) change(first);
  });
  listen(place, "keydown", (event) => {
    rest();
    const factor = KEY_ZOOM[event.key];
    if (factor === undefined || view === null || element.hidden || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    change(zoomView(view, factor));
  });

  return {
    element,
    draw(layout, theme, isTurned) {
      // A figure in 3-D is one panel.
      const placed = layout.panels[0] as PlacedSpace;
      const { canvas, projection, scene } = placed;
      element.style.height = `${layout.height}px`;
      Object.assign(gl.style, { left: `${canvas.x}px`, top: `${canvas.y}px` });
      view = projection.view;
      first ??= view;
      if (!isTurned || shown !== scene) stage.setScene(sceneMeshes(scene, placed.colors(themeOf(theme))));
      shown = scene;
      const isMoving = isSlow && isTurned;
      stage.draw(projection, canvas, isMoving ? COARSE : 1);
      window.clearTimeout(rested);
      if (isMoving) rested = window.setTimeout(() => stage.draw(projection, canvas), REST);
      redraw(below, layout, layoutOption(layout, { theme, isShown: (name) => name === "back" }));
      redraw(
        above,
        layout,
        layoutOption(layout, {
          theme,
          isShown: (name) => name !== "back" && name !== "scene",
          background: "transparent",
        }),
      );
    },
    dispose() {
      stop.abort();
      window.cancelAnimationFrame(frame);
      window.clearTimeout(rested);
      for (const drawn of [below, above, stage]) drawn.dispose();
      element.remove();
    },
  };
}
