import { InvalidOptionError } from "../errors.js";
import { quantile } from "../math/quantile.js";
import type { LineSlice } from "./line-slice.js";

/** Options of {@link seedBand}. */
export interface SeedBandOptions {
  /** Lower and upper quantile of the band. Default [0.25, 0.75]; [0, 1] is the whole range. */
  readonly quantiles?: readonly [number, number];
}

/** Median and band of a quantity over seeds, at each α (W). */
export interface SeedBand {
  readonly alpha: Float64Array;
  readonly median: Float64Array;
  readonly low: Float64Array;
  readonly high: Float64Array;
  /** Number of seeds. */
  readonly seeds: number;
}

/**
 * Returns the median over seeds, with a band between two quantiles, of the loss or a metric on one evaluation
 * set. Where the value of any seed is NaN, so are median and band.
 *
 * @param quantity - "loss" or the name of a metric.
 * @throws {@link InvalidOptionError} if the slice has no such set or metric, or quantiles are no increasing shares.
 */
export function seedBand(
  slice: LineSlice,
  set: string,
  quantity = "loss",
  { quantiles = [0.25, 0.75] }: SeedBandOptions = {},
): SeedBand {
  const [from, to] = quantiles;
  if (!(from >= 0 && from <= to && to <= 1)) {
    throw new InvalidOptionError("quantiles", "two increasing shares of 1", JSON.stringify(quantiles));
  }
  const curves = curveValues(slice, set, quantity);
  const at = (q: number) =>
    Float64Array.from(slice.alpha, (_, i) =>
      quantile(
        curves.map((values) => values[i]),
        q,
      ),
    );
  return { alpha: slice.alpha, median: at(0.5), low: at(from), high: at(to), seeds: curves.length };
}

/** Values (W) of each curve of a set: the loss, or a metric. */
export function curveValues(slice: LineSlice, set: string, quantity: string): Float64Array[] {
  const curves = slice.curves.filter((curve) => curve.set === set);
  if (curves.length === 0) {
    const names = [...new Set(slice.curves.map((curve) => curve.set))].join(", ");
    throw new InvalidOptionError("set", `one of ${names}`, JSON.stringify(set));
  }
  return curves.map(({ surface }) => {
    const values = quantity === "loss" ? surface.loss : surface.metrics[quantity];
    if (values !== undefined) return values;
    const names = ["loss", ...Object.keys(surface.metrics)].join(", ");
    throw new InvalidOptionError("quantity", `one of ${names}`, JSON.stringify(quantity));
  });
}
