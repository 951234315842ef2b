import type { Readout } from "../draw/snapshots.js";

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
    show(readout, at, { isMarked = true, isSpoken = false } = {}) {
      fill(box, readout);
      box.hidden = false;
      marker.hidden = !isMarked;
      moveTo(marker, at.x, at.y);
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
