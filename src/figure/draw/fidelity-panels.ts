import { decodeNumber, type JsonNumber } from "../../base/json.js";
import type { FigurePoint, Progress, TrajectoryFigure } from "../figure.js";
import { createContourScale } from "../make/contour-scale.js";
import { isCenter } from "../make/figure-caption.js";
import { niceTicks } from "./figure-frame.js";
import { formatLevels, formatNumber } from "./format-number.js";
import type { Theme } from "./palette.js";
import { runColor } from "./surface-shapes.js";
import type { Tick } from "./trajectory-layout.js";

/** A curve over the snapshots of one run; null breaks the line. */
export interface PanelCurve {
  readonly name: string;
  readonly color: string;
  readonly isDashed: boolean;
  readonly points: readonly (readonly [x: number, y: number | null])[];
}

/** A stretch of the band between the true loss and the plane's. */
export interface PanelGap {
  readonly color: string;
  readonly points: readonly (readonly [x: number, own: number, plane: number])[];
}

/** One small panel: ranges and ticks of both axes, and its curves. */
export interface Panel {
  readonly x: { readonly min: number; readonly max: number; readonly ticks: readonly Tick[] };
  readonly y: { readonly min: number; readonly max: number; readonly ticks: readonly Tick[] };
  readonly curves: readonly PanelCurve[];
  /** Bands between two curves, in pieces of at least two points. */
  readonly gaps: readonly PanelGap[];
  /** Positions at which the learning rate had dropped; empty where it falls all the time. */
  readonly drops: readonly number[];
}

/** More drops than this are a schedule, and no line each. */
const MOST_DROPS = 8;

/**
 * Returns the losses along the path: those of the snapshots solid, those of the plane dashed.
 *
 * The axis is logarithmic (positions are log10 of the loss) if all are ≥ 0 and the largest is ≥ 10 times
 * the least positive one.
 */
export function lossPanel(figure: TrajectoryFigure, theme: Theme): Panel {
  const values = figure.paths
    .flatMap(({ points }) => points.flatMap((point) => [point.trueLoss, point.planeLoss]))
    .map(decodeNumber)
    .filter(Number.isFinite);
  const { kind } = createContourScale([values]);
  const least = Math.min(...values.filter((value) => value > 0));
  const position = (loss: JsonNumber | null): number | null => {
    const value = decodeNumber(loss);
    if (!Number.isFinite(value)) return null;
    return kind === "log" ? Math.log10(Math.max(value, least)) : value;
  };
  const curves = figure.paths.flatMap(({ name, points }, index) => {
    const color = runColor(index, theme);
    return [
      curve(`${name}, true`, color, false, points, figure.progress, (point) => position(point.trueLoss)),
      curve(`${name}, on the plane`, color, true, points, figure.progress, (point) =>
        position(point.planeLoss),
      ),
    ].filter((c) => c.points.some(([, y]) => y !== null));
  });
  const positions = curves.flatMap(({ points }) => points.flatMap(([, y]) => (y === null ? [] : [y])));
  return {
    x: progressAxis(figure),
    y: kind === "log" ? logAxis(positions) : linearAxis(positions),
    curves,
    gaps: figure.paths.flatMap(({ points }, index) =>
      gapPieces(points, figure.progress, position).map((piece) => ({
        color: runColor(index, theme),
        points: piece,
      })),
    ),
    drops: dropsOf(figure),
  };
}

/**
 * Returns the share of the squared distance to the centre that the plane holds, from 0 to 100 %.
 *
 * A snapshot that is the centre itself is left out: its share is 0/0, and the 1 that stands for it would
 * look like a leap.
 */
export function sharePanel(figure: TrajectoryFigure, theme: Theme): Panel {
  return {
    x: progressAxis(figure),
    y: {
      min: 0,
      max: 1,
      ticks: [0, 0.25, 0.5, 0.75, 1].map((value) => ({ value, label: `${value * 100} %` })),
    },
    drops: dropsOf(figure),
    gaps: [],
    curves: figure.paths.map(({ name, points }, index) =>
      curve(
        name,
        runColor(index, theme),
        false,
        points,
        figure.progress,
        points.length > 1 ? shareAt : shareOf,
      ),
    ),
  };
}

function gapPieces(
  points: readonly FigurePoint[],
  progress: Progress,
  position: (loss: JsonNumber | null) => number | null,
): (readonly [number, number, number])[][] {
  const pieces: (readonly [number, number, number])[][] = [[]];
  for (const point of points) {
    const [own, plane] = [position(point.trueLoss), position(point.planeLoss)];
    if (own === null || plane === null) pieces.push([]);
    else pieces[pieces.length - 1]?.push([point[progress], own, plane]);
  }
  return pieces.filter((piece) => piece.length > 1);
}

function dropsOf({ paths, progress }: TrajectoryFigure): number[] {
  const places = paths.flatMap(({ points }) =>
    points.filter((point) => point.rateDropped).map((point) => point[progress]),
  );
  const drops = [...new Set(places)];
  return drops.length > MOST_DROPS ? [] : drops;
}

function shareOf(point: FigurePoint): number | null {
  const share = decodeNumber(point.inPlaneShare);
  return Number.isFinite(share) ? share : null;
}

function shareAt(point: FigurePoint): number | null {
  return isCenter(point) ? null : shareOf(point);
}

function curve(
  name: string,
  color: string,
  isDashed: boolean,
  points: readonly FigurePoint[],
  progress: Progress,
  y: (point: FigurePoint) => number | null,
): PanelCurve {
  return { name, color, isDashed, points: points.map((point) => [point[progress], y(point)] as const) };
}

function progressAxis(figure: TrajectoryFigure): Panel["x"] {
  const values = figure.paths.flatMap(({ points }) => points.map((point) => point[figure.progress]));
  const low = Math.min(...values);
  const high = Math.max(...values);
  const [min, max] = low === high ? [low - 0.5, high + 0.5] : [low, high];
  const ticks = niceTicks(min, max, 5).filter(Number.isInteger);
  return { min, max, ticks: ticks.map((value) => ({ value, label: formatNumber(value, 6) })) };
}

function linearAxis(positions: readonly number[]): Panel["y"] {
  const low = Math.min(...positions, Number.POSITIVE_INFINITY);
  const high = Math.max(...positions, Number.NEGATIVE_INFINITY);
  if (low > high) return { min: 0, max: 1, ticks: [] };
  const margin = low === high ? Math.max(Math.abs(low) * 0.1, 1e-12) : (high - low) * 0.06;
  const [min, max] = [low - margin, high + margin];
  const ticks = niceTicks(min, max, 4);
  return { min, max, ticks: ticks.map((value) => ({ value, label: formatNumber(value, 3) })) };
}

function logAxis(positions: readonly number[]): Panel["y"] {
  const low = Math.min(...positions);
  const high = Math.max(...positions);
  const margin = (high - low) * 0.06;
  const [min, max] = [low - margin, high + margin];
  const { levels } = createContourScale([[10 ** min, 10 ** max]], { kind: "log", count: 6 });
  const labels = formatLevels(levels);
  const ticks = levels.map((level, index) => ({ value: Math.log10(level), label: labels[index] as string }));
  return { min, max, ticks };
}
