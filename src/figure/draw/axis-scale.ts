import { decodeNumber, type JsonNumber } from "../../base/json.js";
import type { CurvesAxis, CurvesPanel } from "../figure.js";
import { createContourScale, niceTicks } from "./contour-scale.js";
import type { Tick } from "./figure-frame.js";
import { formatLevels, formatNumber } from "./format-number.js";

/** An axis with its range and ticks, in positions: values, or their logarithm. */
export interface AxisScale {
  readonly min: number;
  readonly max: number;
  readonly ticks: readonly Tick[];
  /** Position of a value, or null where it has none. */
  position(value: JsonNumber): number | null;
}

/** Returns the scale of the horizontal axis of a panel: exactly what the curves reach. */
export function horizontalScale({ x, series, marks }: CurvesPanel, ticks: number): AxisScale {
  const values = [...series.flatMap((s) => s.x), ...marks.map((mark) => mark.x)];
  return scaleOf(x, values, ticks, 0);
}

/** Returns the scale of a vertical axis of a panel, with some room above and below. */
export function verticalScale(panel: CurvesPanel, side: "left" | "right", ticks: number): AxisScale | null {
  const axis = panel[side];
  if (axis === null) return null;
  const curves = panel.series.filter((series) => series.axis === side);
  const values = curves.flatMap(({ y, band, shape }) => [
    ...y.map(decodeNumber),
    ...(band === null ? [] : [...band.low, ...band.high].map(decodeNumber)),
    ...(shape === "area" && axis.scale !== "log" ? [0] : []),
  ]);
  return scaleOf(axis, values, ticks, 0.06);
}

function scaleOf(axis: CurvesAxis, values: readonly number[], count: number, room: number): AxisScale {
  const isLog = axis.scale === "log";
  const usable = values.filter((value) => Number.isFinite(value) && (!isLog || value > 0));
  const least = usable.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const toPosition = isLog ? (value: number) => Math.log10(Math.max(value, least)) : (value: number) => value;
  const position = (encoded: JsonNumber): number | null => {
    const value = decodeNumber(encoded);
    return Number.isFinite(value) ? toPosition(value) : null;
  };
  const positions = usable.map(toPosition);
  const low = positions.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const high = positions.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  if (low > high) return { min: 0, max: 1, ticks: [], position: () => null };
  const same = low === high ? leastRoom(axis, low) : 0;
  const margin = (high - low) * room + same;
  const min = axis.min === undefined ? low - (isFloor(axis, values, low) ? 0 : margin) : toPosition(axis.min);
  const max = axis.max === undefined ? high + margin : toPosition(axis.max);
  return {
    min,
    max,
    ticks: isLog ? logTicks(min, max, count) : linearTicks(axis, min, max, count),
    position,
  };
}

/** Room on either side of the only value that there is. */
function leastRoom({ scale }: CurvesAxis, value: number): number {
  if (scale === "count") return 0.5;
  return Math.max(Math.abs(value) * 0.1, scale === "log" ? 0.5 : 1e-12);
}

/** Histograms and shares stand on 0. */
function isFloor({ scale }: CurvesAxis, values: readonly number[], low: number): boolean {
  return low === 0 && (scale === "percent" || values.filter((value) => value === 0).length > 1);
}

function linearTicks({ scale, ticks }: CurvesAxis, min: number, max: number, count: number): Tick[] {
  const label = (value: number): string =>
    scale === "percent" ? `${formatNumber(value * 100, 4)} %` : formatNumber(value, 6);
  const nice = niceTicks(min, max, count);
  const chosen = ticks ?? (scale === "count" ? nice.filter(Number.isInteger) : nice);
  return chosen.map((value) => ({ value, label: label(value) }));
}

function logTicks(min: number, max: number, count: number): Tick[] {
  const { levels } = createContourScale([[10 ** min, 10 ** max]], { kind: "log", count: count + 1 });
  const labels = formatLevels(levels);
  return levels.map((level, index) => ({ value: Math.log10(level), label: labels[index] as string }));
}
