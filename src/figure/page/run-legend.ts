import { runStroke, type ThemeName, themeOf } from "../draw/palette.js";
import type { Figure, RunData } from "../figure.js";
import { addButton, addElement } from "./player.js";

/** The runs of a figure as buttons. */
export interface RunLegend {
  readonly element: HTMLElement;
  /** Places in the palette of the runs that are hidden. */
  readonly hidden: ReadonlySet<number>;
  /** Position of the run that stands out; null for none. */
  readonly highlighted: number | null;
  /** Draws the keys in the colours of a theme. */
  paint(theme: ThemeName): void;
}

const SVG = "http://www.w3.org/2000/svg";

/**
 * Creates the legend of the runs: a press hides a run or shows it again, a double click shows it alone, and
 * pointing at it or focusing it lets it stand out.
 */
export function createRunLegend(
  runs: readonly RunData[],
  { onChange, onHighlight }: { readonly onChange: () => void; readonly onHighlight: () => void },
): RunLegend {
  const hidden = new Set<number>();
  let highlighted: number | null = null;
  const element = addElement(null, "div", "runs");
  element.setAttribute("role", "group");
  element.setAttribute("aria-label", "Runs: press to hide or show");
  const highlight = (run: number | null): void => {
    if (run === highlighted) return;
    highlighted = run;
    onHighlight();
  };
  const buttons = runs.map(({ name, color }, run) => {
    const button = addButton(element, "", () => {
      if (!hidden.delete(color)) hidden.add(color);
      changed();
    });
    const key = document.createElementNS(SVG, "svg");
    key.setAttribute("viewBox", "0 0 24 10");
    key.setAttribute("aria-hidden", "true");
    key.append(document.createElementNS(SVG, "path"));
    key.firstElementChild?.setAttribute("d", "M1 5H23");
    button.append(key, name);
    button.addEventListener("dblclick", () => {
      for (const other of runs) hidden.add(other.color);
      hidden.delete(color);
      changed();
    });
    button.addEventListener("pointerenter", ({ pointerType }) => pointerType === "mouse" && highlight(run));
    button.addEventListener("pointerleave", () => highlight(null));
    button.addEventListener("focus", () => button.matches(":focus-visible") && highlight(run));
    button.addEventListener("blur", () => highlight(null));
    return button;
  });
  const all = addButton(element, "All runs", () => {
    hidden.clear();
    changed();
  });
  function showState(): void {
    for (const [run, button] of buttons.entries())
      button.setAttribute("aria-pressed", String(!hidden.has(runs[run]?.color ?? -1)));
    all.disabled = hidden.size === 0;
  }
  function changed(): void {
    showState();
    onChange();
  }
  showState();
  return {
    element,
    hidden,
    get highlighted() {
      return highlighted !== null && hidden.has(runs[highlighted]?.color ?? -1) ? null : highlighted;
    },
    paint(theme) {
      for (const [run, button] of buttons.entries()) {
        const { color, lineDash } = runStroke(runs[run]?.color ?? 0, themeOf(theme));
        const path = button.querySelector("path");
        path?.setAttribute("stroke", color);
        if (lineDash === null) path?.removeAttribute("stroke-dasharray");
        else path?.setAttribute("stroke-dasharray", lineDash.join(" "));
      }
    },
  };
}

const lessRuns = new WeakMap<Figure, { readonly key: string; readonly figure: Figure }>();

/** Returns a figure without the paths of hidden runs: the same one until others are hidden, since scenes are kept by it. */
export function withoutRuns(figure: Figure, hidden: ReadonlySet<number> = new Set()): Figure {
  if (hidden.size === 0) return figure;
  const key = [...hidden].sort((a, b) => a - b).join();
  const known = lessRuns.get(figure);
  if (known?.key === key) return known.figure;
  const panels = figure.panels.map((panel) =>
    "paths" in panel
      ? { ...panel, paths: panel.paths.filter(({ run }) => !hidden.has(figure.runs[run]?.color ?? -1)) }
      : panel,
  );
  const made = { ...figure, panels };
  lessRuns.set(figure, { key, figure: made });
  return made;
}
