import type { Readout } from "../readout.js";

/** How a readout is shown. */
interface ShowOptions {
  /** Ring around the place; default true. */
  readonly isMarked?: boolean;
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

/** Creates the box inside `place`. Texts go in as text nodes only: no string becomes markup. */
export function createTooltip(place: HTMLElement): Tooltip {
  const box = add(place, "div", "tooltip");
  const marker = add(place, "div", "marker");
  const spoken = add(place, "div", "out");
  spoken.setAttribute("aria-live", "polite");
  box.hidden = true;
  marker.hidden = true;
  return {
    show(readout, at, { isMarked = true, isSpoken = false } = {}) {
      fill(box, readout);
      box.hidden = false;
      marker.hidden = !isMarked;
      moveTo(marker, at.x, at.y);
      const right = at.x + OFFSET + box.offsetWidth <= place.clientWidth;
      const x = right ? at.x + OFFSET : Math.max(0, at.x - OFFSET - box.offsetWidth);
      moveTo(box, x, Math.max(0, Math.min(at.y - OFFSET, place.clientHeight - box.offsetHeight)));
      if (isSpoken) spoken.textContent = toSentence(readout);
    },
    hide() {
      box.hidden = true;
      marker.hidden = true;
      spoken.textContent = "";
    },
  };
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
