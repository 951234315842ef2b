import { InvalidDataError } from "../errors.js";
import { cleanText } from "./clean-text.js";
import type { FigureAxis } from "./figure.js";
import { formatPercent } from "./format-number.js";
import { decodeNumber, encodeNumber } from "./json-number.js";
import { NAME_SIZE } from "./placed-text.js";
import { textWidth } from "./text-width.js";
import { truncateText } from "./wrap-text.js";

/** The axes of a plane; `Directions` fits. */
export interface FigureAxesInput {
  readonly labels: readonly string[];
  readonly explainedVarianceRatio: ArrayLike<number> | null;
  readonly randomWalkBaseline: ArrayLike<number> | null;
}

/** Returns an axis with its title: "PC 1: 83.2 % of variance (random walk: 61 %)". */
export function createAxis(axes: FigureAxesInput, index: number): FigureAxis {
  const given = axes.labels[index];
  if (given === undefined)
    throw new InvalidDataError("axes.labels", "two labels", String(axes.labels.length));
  const label = cleanText(given);
  const ratio = axes.explainedVarianceRatio?.[index] ?? null;
  const walk = axes.randomWalkBaseline?.[index] ?? null;
  const baseline = walk === null ? "" : ` (random walk: ${formatPercent(walk)})`;
  return {
    label,
    title: ratio === null ? label : `${label}: ${formatPercent(ratio)} of variance${baseline}`,
    explainedVarianceRatio: ratio === null ? null : encodeNumber(ratio),
    randomWalkBaseline: walk === null ? null : encodeNumber(walk),
  };
}

/** Returns the longest form of an axis title that fits. */
export function axisTitle(axis: FigureAxis, available: number): string {
  const ratio = decodeNumber(axis.explainedVarianceRatio);
  const walk = decodeNumber(axis.randomWalkBaseline);
  const short = Number.isFinite(ratio)
    ? [
        ...(Number.isFinite(walk)
          ? [`${axis.label}: ${formatPercent(ratio)} (walk: ${formatPercent(walk)})`]
          : []),
        `${axis.label}: ${formatPercent(ratio)}`,
      ]
    : [];
  const fits = [axis.title, ...short].find((title) => textWidth(title, NAME_SIZE) <= available);
  return fits ?? truncateText(axis.label, NAME_SIZE, available);
}
