import type { Rect } from "../rect.js";

/** A ring around a snapshot. */
export interface Ring {
  readonly x: number;
  readonly y: number;
  readonly color: string;
}

/** What moves over a picture. */
export interface Overlay {
  /** Replaces everything that is shown. */
  show(rings: readonly Ring[], cursors: readonly { readonly rect: Rect; readonly x: number }[]): void;
}

const SVG = "http://www.w3.org/2000/svg";

/** Creates a layer over a picture for what moves, so that the picture itself is not drawn anew. */
export function createOverlay(place: HTMLElement): Overlay {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "overlay");
  svg.setAttribute("aria-hidden", "true");
  place.append(svg);
  const add = (tag: string, attributes: Readonly<Record<string, string | number>>): void => {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
    svg.append(element);
  };
  return {
    show(rings, cursors) {
      svg.replaceChildren();
      for (const { rect, x } of cursors) {
        add("line", { class: "cursor", x1: x, x2: x, y1: rect.y, y2: rect.y + rect.height });
      }
      for (const { x, y, color } of rings) {
        add("circle", { class: "ring-rim", cx: x, cy: y, r: 9 });
        add("circle", { class: "ring", cx: x, cy: y, r: 9, stroke: color });
      }
    },
  };
}
