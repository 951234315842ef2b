import { decodeNumber, type JsonNumber } from "../../base/json.js";
import type { ChartAxis, ChartPanel } from "../chart-figure.js";
import { createContourScale } from "../make/contour-scale.js";
import { niceTicks } from "./figure-frame.js";
import { formatLevels, formatNumber } from "./format-number.js";
import type { Tick } from "./trajectory-layout.js";

/** An axis with its range and ticks, in positions: values, or their logarithm. */
export interface AxisScale {
  readonly min: number;
  readonly max: number;
  readonly ticks: readonly Tick[];
  /** Position of a value, or null where it has none. */
  position(value: JsonNumber): number | null;
}

/** Returns the scale of the horizontal axis of a panel: exactly what the curves reach. */
export function horizontalScale({ x, series, marks }: ChartPanel, ticks: number): AxisScale {
  const values = [...series.flatMap((s) => s.x), ...marks.map((mark) => mark.x)];
  return scaleOf(x, values, ticks, 0);
}

/** Returns the scale of a vertical axis of a panel, with some room above and below. */
export function verticalScale(panel: ChartPanel, side: "left" | "right", ticks: number): AxisScale | null {
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

function scaleOf(axis: ChartAxis, values: readonly number[], count: number, room: number): AxisScale {
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
  const same = low === high ? Math.max(Math.abs(low) * 0.1, isLog ? 0.5 : 1e-12) : 0;
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

/** Histograms and shares stand on 0. */
function isFloor({ scale }: ChartAxis, values: readonly number[], low: number): boolean {
  return low === 0 && (scale === "percent" || values.filter((value) => value === 0).length > 1);
}

function linearTicks({ scale, ticks }: ChartAxis, min: number, max: number, count: number): Tick[] {
  const label = (value: number): string =>
    scale === "percent" ? `${formatNumber(value * 100, 4)} %` : formatNumber(value, 6);
  return (ticks ?? niceTicks(min, max, count)).map((value) => ({ value, label: label(value) }));
}

function logTicks(min: number, max: number, count: number): Tick[] {
  const { levels } = createContourScale([[10 ** min, 10 ** max]], { kind: "log", count: count + 1 });
  const labels = formatLevels(levels);
  return levels.map((level, index) => ({ value: Math.log10(level), label: labels[index] as string }));
}
