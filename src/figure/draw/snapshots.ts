import { decodeNumber, type JsonNumber } from "../../base/json.js";
import {
  type Figure,
  LEARNING_RATE,
  type MapPanel,
  type Path,
  type RunData,
  type SnapshotColumn,
} from "../figure.js";
import { edgesOf, extentOf } from "./figure-frame.js";
import { formatNumber, formatPercent } from "./format-number.js";

/** A name and its value, as plain text. */
export type ReadoutRow = readonly [name: string, value: string];

/** Values shown for a place in the picture. */
export interface Readout {
  readonly heading: string;
  readonly rows: readonly ReadoutRow[];
}

/** Returns the places of a figure's time line: every epoch (or iteration, or step) of any run, increasing. */
export function timeline({ runs, progress }: Pick<Figure, "runs" | "progress">): number[] {
  return [...new Set(runs.flatMap((run) => run[progress]))].sort((a, b) => a - b);
}

/** Returns how many of increasing numbers are at most a value. */
export function countUpTo(increasing: readonly number[], value: number): number {
  return countLeading(increasing, (one) => one <= value);
}

/** Returns how many numbers come before the first for which something is false, by halving: it stays false behind it. */
export function countLeading(values: readonly number[], isBefore: (value: number) => boolean): number {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBefore(values[middle] as number)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Returns the index of the last snapshot of a run that is not after a place of the time line; −1 before the first. */
export function snapshotAt(run: RunData, progress: Figure["progress"], place: number): number {
  return countUpTo(run[progress], place) - 1;
}

/** Returns the path of a run in the first panel that draws it, with the names of its coordinates. */
export function pathOf(
  { panels }: Pick<Figure, "panels">,
  run: number,
): { readonly path: Path; readonly names: readonly string[] } | null {
  for (const panel of panels) {
    if (!("paths" in panel)) continue;
    const path = panel.paths.find((candidate) => candidate.run === run);
    if (path !== undefined) return { path, names: panel.axes.map(({ label }) => label) };
  }
  return null;
}

/** Returns a fact of a snapshot as text, for read-outs and tables; null where there is none. */
export function factText({ form, values }: SnapshotColumn, snapshot: number): string | null {
  const encoded = values[snapshot] ?? null;
  if (encoded === null) return null;
  const value = decodeNumber(encoded);
  if (form === "share") return formatPercent(value);
  return form === "known" && !Number.isFinite(value) ? "unknown" : formatNumber(value);
}

/** Returns what is known of a snapshot: its facts, and where it is. */
export function snapshotReadout(figure: Figure, run: number, snapshot: number): Readout {
  const data = figure.runs[run];
  if (data === undefined) return { heading: "", rows: [] };
  const facts = data.columns.flatMap((column): ReadoutRow[] => {
    const text = factText(column, snapshot);
    if (text === null) return [];
    const isLowered = column.name === LEARNING_RATE && data.drops.includes(snapshot);
    return [[column.name, isLowered ? `${text} (lowered)` : text]];
  });
  const found = pathOf(figure, run);
  const at = found?.path.at[snapshot] ?? [];
  const number = (value: JsonNumber): string => formatNumber(decodeNumber(value));
  return {
    heading: `${data.name}, epoch ${data.epoch[snapshot]}`,
    rows: [
      ["iteration", String(data.iteration[snapshot])],
      ...facts,
      ...(found === null || at.length === 0
        ? []
        : [[found.names.join(", "), at.map(number).join(", ")] as const]),
    ],
  };
}

/** Values of a grid point, and where it is on the plane. */
export interface GridReadout extends Readout {
  readonly at: readonly [alpha: number, beta: number];
}

/** Returns coordinates and value of the evaluated grid point nearest to a place of the plane, given as shares. */
export function gridReadout(panel: MapPanel, right: number, up: number): GridReadout | null {
  const { alpha, beta, values, axes, quantity, title } = panel;
  if (values === null) return null;
  const i = nearestIndex(alpha, right);
  const j = nearestIndex(beta, up);
  const at = [alpha[i] as number, beta[j] as number] as const;
  return {
    at,
    heading: title === "" ? "Nearest grid point" : title,
    rows: [
      [axes[0].label, formatNumber(at[0])],
      [axes[1].label, formatNumber(at[1])],
      [quantity, formatNumber(decodeNumber(values[j * alpha.length + i] ?? null))],
    ],
  };
}

/** Index of the coordinate nearest to a share of an axis. */
function nearestIndex(axis: readonly number[], share: number): number {
  const value = edgesOf(axis).min + share * extentOf(axis);
  let best = 0;
  axis.forEach((position, index) => {
    if (Math.abs(position - value) < Math.abs((axis[best] as number) - value)) best = index;
  });
  return best;
}
