import { boundOfMost, rangeOf } from "../approximate/spread-of-errors.js";
import type { Surface } from "../surface/surface.js";
import { formatCount, formatNumber, formatPercent } from "./format-number.js";

/**
 * Says of an approximate surface how far its values may be off, and what it took.
 *
 * @param quantity - "loss" or the name of a metric.
 * @returns nothing for an exact surface.
 */
export function approximationSentences(
  { loss, metrics, approximation }: Surface,
  quantity = "loss",
): string[] {
  if (approximation === undefined) return [];
  const { sampleEvaluations, exactSampleEvaluations, method, metricErrors } = approximation;
  const isLoss = quantity === "loss";
  const values = isLoss ? loss : metrics[quantity];
  const errors = isLoss ? approximation.error : metricErrors[quantity];
  const known = errors.filter(Number.isFinite);
  const unknown = errors.length - known.length;
  const bound = boundOfMost(known);
  const range = rangeOf(values);
  const share = range > 0 ? ` (${formatPercent(bound / range)} of its range)` : "";
  const exact = method.filter((how) => how === 2).length;
  const others = unknown > 0 ? "the other points" : "points";
  return [
    known.length === 0
      ? "Approximate, with an error that is not known at any point."
      : `Approximate, error of the ${quantity} at most ${formatNumber(roundedUp(bound), 2)}${share} on 95 % of ${others}, from ${formatPercent(sampleEvaluations / exactSampleEvaluations)} of the sample evaluations; ${formatCount(exact)} points are exact.`,
    ...(unknown > 0 && known.length > 0
      ? [`At ${formatCount(unknown)} points beside gaps the error is not known.`]
      : []),
  ];
}

/** A bound with two significant digits, never less than it is. */
function roundedUp(bound: number): number {
  if (!(bound > 0) || !Number.isFinite(bound)) return bound;
  const unit = 10 ** (Math.floor(Math.log10(bound)) - 1);
  return Math.ceil(bound / unit) * unit;
}
