import { InvalidOptionError } from "../errors.js";
import { type AxisRange, axisFromRange } from "./axis.js";

/** A range of grid coordinates taken literally; `beta` is null for a line. */
export interface GridRange {
  readonly alpha: AxisRange;
  readonly beta: AxisRange | null;
}

const FORM = '"x0:x1:nx,y0:y1:ny", such as "-1:1:21,-0.5:2:26"';

/**
 * Parses a range of a plane, "x0:x1:nx,y0:y1:ny", or of a line, "x0:x1:nx": from, to (both included) and the
 * number of points along alpha, then along beta.
 *
 * @throws {@link InvalidOptionError} naming what is wrong.
 */
export function parseRange(text: string): GridRange {
  const axes = text.split(",");
  if (axes.length > 2) throw new InvalidOptionError("range", FORM, JSON.stringify(text));
  const [alpha, beta] = axes.map((axis, i) => parseAxis(axis, i === 0 ? "alpha" : "beta", text));
  return { alpha: alpha as AxisRange, beta: beta ?? null };
}

function parseAxis(axis: string, name: string, text: string): AxisRange {
  const parts = axis.split(":").map((part) => part.trim());
  const [from, to, points] = parts.map(Number);
  if (parts.length !== 3 || parts.includes("") || [from, to, points].some(Number.isNaN)) {
    throw new InvalidOptionError("range", FORM, JSON.stringify(text));
  }
  const range = { from: from as number, to: to as number, points: points as number };
  axisFromRange(`range along ${name}`, range);
  return range;
}
