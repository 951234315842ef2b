import { InvalidDataError, InvalidOptionError } from "../../base/errors.js";
import { decodeNumber, type JsonNumber } from "../../base/json.js";
import type { CurvesAxis, CurvesPanel, Figure, MapPanel } from "../figure.js";
import type { Tick } from "./figure-frame.js";
import { formatLevels, formatNumber } from "./format-number.js";

/** How loss becomes height and colour: the kind of axis and the levels of the contours. */
export interface ContourScale {
  readonly kind: ScaleKind;
  /** Levels of the isolines, increasing; empty where the surface is constant. */
  readonly levels: readonly number[];
  /** "symlog": linear between plus and minus this value, logarithmic outside. Default 1. */
  readonly threshold?: number | undefined;
}

/** How values become height: "symlog" is logarithmic on both sides of zero, and linear around it. */
export type ScaleKind = "linear" | "log" | "symlog";

/** What captions call each kind. */
export const SCALE_WORDS: Readonly<Record<ScaleKind, string>> = {
  linear: "linear",
  log: "logarithmic",
  symlog: "symmetric logarithmic",
};

/**
 * Returns what is contoured of a value: the value, its logarithm, or sign(v) · log10(1 + |v| / threshold).
 *
 * @example heightOf({ kind: "log", levels: [] })(100) // 2
 */
export function heightOf({ kind, threshold = 1 }: ContourScale): (value: number) => number {
  if (kind === "linear") return (value) => value;
  if (kind === "log") return Math.log10;
  return (value) => Math.sign(value) * Math.log10(1 + Math.abs(value) / threshold);
}

/** Returns the inverse of {@link heightOf}. */
export function valueAt({ kind, threshold = 1 }: ContourScale): (height: number) => number {
  if (kind === "linear") return (height) => height;
  if (kind === "log") return (height) => 10 ** height;
  return (height) => Math.sign(height) * threshold * (10 ** Math.abs(height) - 1);
}

/** Options of {@link createContourScale}. */
export interface ContourScaleOptions {
  /** "auto" (default): logarithmic if every value is ≥ 0 and the largest is ≥ `logRatio` times the least positive one. */
  readonly kind?: "auto" | ScaleKind;
  /** For "auto"; default 10, the ratio from which a linear scale would hide the valley. */
  readonly logRatio?: number;
  /** Number of levels aimed at; default 12. */
  readonly count?: number;
}

/** Mantissas of logarithmic levels, densest first. */
const MANTISSAS: readonly (readonly number[])[] = [
  [1, 1.2, 1.5, 1.8, 2.2, 2.7, 3.3, 3.9, 4.7, 5.6, 6.8, 8.2],
  [1, 1.5, 2, 3, 4, 5, 7],
  [1, 1.5, 2, 3, 5, 7],
  [1, 2, 3, 5],
  [1, 2, 5],
  [1, 3],
  [1],
];

/**
 * Returns round contour levels for the finite values of one or more surfaces.
 *
 * Linear levels are multiples of 1, 2 or 5 times a power of ten. Logarithmic ones are the densest of a few
 * sets of mantissas that gives at most `count` levels, or every n-th power of ten. Values of 0 lie below
 * the lowest logarithmic level. Pass the surfaces of several figures together to get common levels.
 *
 * @param surfaces - Arrays of values; non-finite ones are left out.
 * @throws {@link InvalidOptionError} if `kind` is "log" and a value is negative or none is positive, or
 *   if `count` is below 2.
 * @example const scale = createContourScale([surface.loss, testSurface.loss]); // common levels
 */
export function createContourScale(
  surfaces: readonly ArrayLike<number>[],
  options: ContourScaleOptions = {},
): ContourScale {
  const { kind = "auto", count = 12, logRatio = 10 } = options;
  if (!(count >= 2 && Number.isFinite(count))) {
    throw new InvalidOptionError("count", "a number of at least 2", String(count));
  }
  const { min, max, leastPositive } = extent(surfaces);
  const canBeLog = min >= 0 && leastPositive < Number.POSITIVE_INFINITY;
  if (kind === "log" && !canBeLog) {
    throw new InvalidOptionError(
      "kind",
      "values ≥ 0, some of them positive, for a logarithmic scale",
      `${min}…${max}`,
    );
  }
  if (kind === "symlog") return symmetricScale(min, max, count);
  const isLog = kind === "log" || (kind === "auto" && canBeLog && max / leastPositive >= logRatio);
  return isLog
    ? { kind: "log", levels: logLevels(leastPositive, max, count) }
    : { kind: "linear", levels: linearLevels(min, max, count) };
}

/** Fewer levels than this are what was asked for, not what a narrow range leaves. */
const FEW_LEVELS = 4;

/**
 * Returns a scale of the kind that somebody asks for. A narrow range may have no logarithmic level inside, and a map would
 * have one colour: it has linear levels then, still at logarithmic heights.
 *
 * @throws {@link InvalidOptionError} as {@link createContourScale}.
 * @example scaleOfKind([[2, 2.1]], "log").levels // [2.01, 2.02, …, 2.09]
 */
export function scaleOfKind(
  surfaces: readonly ArrayLike<number>[],
  kind: ScaleKind,
  count = 12,
): ContourScale {
  const scale = createContourScale(surfaces, { kind, count });
  if (scale.levels.length > 1 || count < FEW_LEVELS) return scale;
  const { levels } = createContourScale(surfaces, { kind: "linear", count });
  return levels.length > scale.levels.length ? { ...scale, levels } : scale;
}

/** Powers of ten on both sides of zero, three decades down from the largest value, and zero. */
function symmetricScale(min: number, max: number, count: number): ContourScale {
  const most = Math.max(Math.abs(min), Math.abs(max));
  if (!(most > 0 && Number.isFinite(most))) return { kind: "symlog", levels: [] };
  const top = Math.ceil(Math.log10(most));
  const threshold = Number(`1e${top - 3}`);
  const steps = count >= 16 ? [1, 2, 5] : count >= 10 ? [1, 3] : [1];
  const positive = [-3, -2, -1].flatMap((power) => steps.map((step) => Number(`${step}e${top + power}`)));
  const levels = [...positive.map((level) => -level).reverse(), 0, ...positive];
  return { kind: "symlog", levels: levels.filter((level) => level > min && level < max), threshold };
}

/**
 * Checks a scale that comes from elsewhere.
 *
 * @throws {@link InvalidDataError} if levels are not finite and increasing, or not positive on a log scale.
 */
export function checkContourScale(scale: ContourScale): ContourScale {
  scale.levels.forEach((level, index) => {
    const previous = scale.levels[index - 1] ?? (scale.kind === "log" ? 0 : Number.NEGATIVE_INFINITY);
    if (!(Number.isFinite(level) && level > previous)) {
      throw new InvalidDataError(`scale.levels[${index}]`, `a finite level above ${previous}`, String(level));
    }
  });
  return scale;
}

function extent(surfaces: readonly ArrayLike<number>[]): { min: number; max: number; leastPositive: number } {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let leastPositive = Number.POSITIVE_INFINITY;
  for (const values of surfaces) {
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as number;
      if (!Number.isFinite(value)) continue;
      if (value < min) min = value;
      if (value > max) max = value;
      if (value > 0 && value < leastPositive) leastPositive = value;
    }
  }
  return { min, max, leastPositive };
}

/**
 * Returns about `count` round values (1, 2 or 5 times a power of ten) inside [min, max], increasing.
 *
 * Each value is computed as an integer times the step, so that 0 is exactly 0 and nothing accumulates.
 */
export function niceTicks(min: number, max: number, count: number): number[] {
  if (!(max > min) || !Number.isFinite(max - min)) return min === max ? [min] : [];
  const rough = (max - min) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const error = rough / power;
  const factor = error >= Math.sqrt(50) ? 10 : error >= Math.sqrt(10) ? 5 : error >= Math.SQRT2 ? 2 : 1;
  // Below 1 a division by an integer keeps the digits clean: 3 / 10, not 3 × 0.1.
  const step = factor * power;
  const inverse = power < 1 ? Math.round(1 / power) / factor : 0;
  const at = (index: number): number => (inverse > 0 ? index / inverse : index * step);
  const first = Math.ceil(min / step - 1e-9);
  const last = Math.floor(max / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => at(first + index) + 0);
}

/** Levels strictly between min and max: one at either end would enclose nothing. */
function linearLevels(min: number, max: number, count: number): number[] {
  return niceTicks(min, max, count).filter((level) => level > min && level < max);
}

function logLevels(min: number, max: number, count: number): number[] {
  const first = Math.floor(Math.log10(min));
  const last = Math.ceil(Math.log10(max));
  const inside = (level: number): boolean => level > min && level < max;
  for (const mantissas of MANTISSAS) {
    const levels: number[] = [];
    for (let power = first; power <= last; power++) {
      for (const mantissa of mantissas) levels.push(Number(`${mantissa}e${power}`));
    }
    const kept = levels.filter(inside);
    if (kept.length <= count) return kept;
  }
  const stride = Math.ceil((last - first + 1) / count);
  return Array.from({ length: last - first + 1 }, (_, index) => first + index)
    .filter((power) => power % stride === 0)
    .map((power) => Number(`1e${power}`))
    .filter(inside);
}

/** Least and largest finite value, or null if there is none. */
export function finiteRange(values: ArrayLike<number>): [number, number] | null {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (!Number.isFinite(value)) continue;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return min <= max ? [min, max] : null;
}

/** The only map of a figure, with values; null where there is none or several. */
function onlyMap({ panels }: Figure): MapPanel | null {
  const maps = panels.filter((panel) => panel.kind === "map");
  const [map] = maps;
  return maps.length === 1 && map !== undefined && map.scale !== null ? map : null;
}

/**
 * Whether a figure of one map can change between linear and logarithmic levels: some values are positive and none is
 * negative. One whose levels are logarithmic on both sides of zero was asked for so.
 */
export function canBeLogarithmic(figure: Figure): boolean {
  if (scaleKindOf(figure) === null) return false;
  const values = (onlyMap(figure)?.values ?? []).map(decodeNumber).filter(Number.isFinite);
  return values.some((value) => value > 0) && values.every((value) => value >= 0);
}

/** The kind of levels of a figure of one map; null of any other. */
export function scaleKindOf(figure: Figure): "linear" | "log" | null {
  const kind = onlyMap(figure)?.scale?.kind;
  return kind === undefined || kind === "symlog" ? null : kind;
}

/**
 * Returns a figure of one map with levels of another kind, in its caption too.
 *
 * @throws {@link InvalidOptionError} if logarithmic levels are asked for that its values cannot have.
 * @example const linear = withScale(figure, "linear");
 */
export function withScale(figure: Figure, kind: "linear" | "log"): Figure {
  const map = onlyMap(figure);
  if (map === null || map.scale?.kind === kind) return figure;
  const scale = scaleOfKind([(map.values ?? []).map(decodeNumber)], kind);
  return {
    ...figure,
    panels: figure.panels.map((panel) => (panel === map ? { ...map, scale } : panel)),
    caption: captionOfScale(figure.caption, kind),
  };
}

/** A caption with the words of another kind of levels or heights. */
export function captionOfScale(caption: string, kind: ScaleKind): string {
  const words = Object.values(SCALE_WORDS).join("|");
  return caption.replace(new RegExp(`, (?:${words}) (levels|height)\\b`), `, ${SCALE_WORDS[kind]} $1`);
}

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

function linearTicks({ scale, ticks, labels }: CurvesAxis, min: number, max: number, count: number): Tick[] {
  const label = (value: number): string =>
    scale === "percent" ? `${formatNumber(value * 100, 4)} %` : formatNumber(value, 6);
  const nice = niceTicks(min, max, count);
  const chosen = ticks ?? (scale === "count" ? nice.filter(Number.isInteger) : nice);
  return chosen.map((value, i) => ({ value, label: labels?.[i] ?? label(value) }));
}

function logTicks(min: number, max: number, count: number): Tick[] {
  const { levels } = createContourScale([[10 ** min, 10 ** max]], { kind: "log", count: count + 1 });
  const labels = formatLevels(levels);
  return levels.map((level, index) => ({ value: Math.log10(level), label: labels[index] as string }));
}
