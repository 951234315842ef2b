import { InvalidOptionError } from "../base/errors.js";
import { quantile } from "../math/statistics.js";
import type { Parameter, ParameterLayout, ParameterRole } from "../model/layout.js";
import { checkModels } from "./between-models.js";

/** Options of {@link weightHistograms}. */
export interface WeightHistogramOptions {
  /** Number of bins. Default 61, so that one is centred on 0. */
  readonly bins?: number;
  /** Roles of the weights that count. Default kernels: what weight decay and small batches change. */
  readonly roles?: readonly ParameterRole[];
  /** Half the width of the range, around 0. Default what holds 99.9 % of the weights of every solution. */
  readonly reach?: number;
}

/** The histogram of one solution's weights. */
export interface WeightHistogram {
  readonly name: string;
  /** Share of the solution's weights per unit of weight, in each bin. */
  readonly density: Float64Array;
  /** Weights outside the range. */
  readonly outside: number;
}

/** Histograms of several solutions over the same bins. */
export interface WeightHistograms {
  /** Edges of the bins (bins + 1), symmetric about 0. */
  readonly edges: Float64Array;
  readonly histograms: readonly WeightHistogram[];
  /** Number of weights of each solution that count. */
  readonly weights: number;
}

/**
 * Returns histograms of the weights of two or more solutions of one layout, over common bins.
 *
 * @param models - a name and θ (parameterCount) for each.
 * @throws {@link InvalidOptionError} for fewer than one model, one given twice, or options that cannot be
 * used; {@link InvalidDataError} for weights that are not finite.
 * @see Li et al. 2018, figure 2.
 */
export function weightHistograms(
  layout: ParameterLayout,
  models: readonly { readonly name: string; readonly theta: Float32Array }[],
  options: WeightHistogramOptions = {},
): WeightHistograms {
  const { bins = 61, roles = ["kernel"] } = options;
  if (!(Number.isInteger(bins) && bins >= 1)) {
    throw new InvalidOptionError("bins", "a whole number of at least 1", String(bins));
  }
  const counts = [Math.max(1, models.length)];
  checkModels(
    models.map(({ theta }) => theta),
    counts,
    models.map(({ name }) => name),
    layout,
  );
  const chosen = layout.parameters.filter(({ trainable, role }) => trainable && roles.includes(role));
  const weights = chosen.reduce((sum, { size }) => sum + size, 0);
  if (weights === 0) {
    throw new InvalidOptionError("roles", "roles that some weights have", roles.join(", ") || "none");
  }
  const values = models.map(({ theta }) => gather(theta, chosen, weights));
  const reach = options.reach ?? Math.max(...values.map((v) => quantile(v.map(Math.abs), 0.999)));
  if (!(reach >= 0 && Number.isFinite(reach))) {
    throw new InvalidOptionError("reach", "a finite number above 0", String(reach));
  }
  const half = reach > 0 ? reach : 1;
  const edges = Float64Array.from({ length: bins + 1 }, (_, i) => (half * (2 * i - bins)) / bins);
  return {
    edges,
    weights,
    histograms: models.map(({ name }, k) => ({ name, ...count(values[k], half, bins) })),
  };
}

function gather(theta: Float32Array, chosen: readonly Parameter[], length: number): Float64Array {
  const out = new Float64Array(length);
  let at = 0;
  for (const { offset, size } of chosen) {
    out.set(theta.subarray(offset, offset + size), at);
    at += size;
  }
  return out;
}

function count(values: Float64Array, half: number, bins: number): Omit<WeightHistogram, "name"> {
  const density = new Float64Array(bins);
  let outside = 0;
  for (const value of values) {
    if (Math.abs(value) > half) outside++;
    else density[Math.min(bins - 1, Math.floor(((value + half) / (2 * half)) * bins))]++;
  }
  const unit = (values.length * 2 * half) / bins;
  return { density: density.map((number) => number / unit), outside };
}
