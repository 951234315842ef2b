import type { Rect } from "./rect.js";

/** Distance of hatching lines, measured along an axis, in px. */
const SPACING = 7;

/**
 * Returns diagonal lines over a rectangle as SVG path data.
 *
 * All lines lie on one lattice x + y = k · spacing, so that neighbouring rectangles join without a seam.
 */
export function hatchPath({ x, y, width, height }: Rect): string {
  const parts: string[] = [];
  const first = Math.ceil((x + y) / SPACING);
  const last = Math.floor((x + width + y + height) / SPACING);
  for (let k = first; k <= last; k++) {
    const sum = k * SPACING;
    const x0 = Math.max(x, sum - (y + height));
    const x1 = Math.min(x + width, sum - y);
    if (x1 > x0) parts.push(`M${round(x0)} ${round(sum - x0)}L${round(x1)} ${round(sum - x1)}`);
  }
  return parts.join("");
}

/** Px to a hundredth: finer is not seen and only makes files larger. */
export function round(value: number): number {
  return Math.round(value * 100) / 100;
}
