import { wholeNumber } from "../base/check-option.js";
import { InvalidDataError, InvalidOptionError } from "../base/errors.js";
import type { Followed } from "../base/work.js";
import { quantile } from "../math/statistics.js";
import type { Parameter, ParameterLayout, ParameterRole } from "../model/layout.js";
import { checkModels } from "./between-models.js";
import { filterNorms } from "./normalize.js";

/** Norms of one layer's weights, or of the filters of one kernel, at each of N snapshots. */
export interface LayerNorms {
  /** Name of the layer. */
  readonly name: string;
  /** Frobenius norm of all its trainable weights together (N). */
  readonly norm: Float64Array;
}

/** Norms of the filters of one kernel at each of N snapshots. */
export interface FilterNorms {
  /** Name of the kernel. */
  readonly name: string;
  /** Number of filters. */
  readonly filters: number;
  /** Mean, least and largest over the filters (N each). */
  readonly mean: Float64Array;
  readonly least: Float64Array;
  readonly largest: Float64Array;
}

/** How far and how large the weights of a run were, snapshot by snapshot (N). */
export interface WeightStatistics {
  /** ‖θ‖ over all trainable weights. */
  readonly norm: Float64Array;
  readonly layers: readonly LayerNorms[];
  readonly kernels: readonly FilterNorms[];
  /** ‖θ_i − θ_0‖. */
  readonly distance: Float64Array;
  /** ‖θ_i − θ_{i−1}‖; 0 for the first. */
  readonly stepLength: Float64Array;
  /** Sum of the steps so far: a lower bound of the length of the path, which need not be straight between them. */
  readonly pathLength: Float64Array;
}

/** N snapshots to be read one by one. */
export interface ThetaSource {
  readonly layout: ParameterLayout;
  /** N. */
  readonly count: number;
  /** Returns the whole θ (parameterCount) at a position. */
  readTheta(index: number): Promise<Float32Array>;
}

/**
 * Returns norms of the trainable weights, in total, by layer and by filter, with distances and the length of
 * the path, for every snapshot.
 *
 * Plain norms say nothing across networks with batch norm or ReLU, whose function does not change when
 * weights are scaled; over one training they show what weight decay does.
 * Cost: one read of each snapshot; three weight vectors in memory.
 *
 * @throws {@link InvalidDataError} if there is no snapshot or one has another length.
 * @see Li et al. 2018, figure 8.
 */
export async function weightStatistics(
  source: ThetaSource,
  options: Followed = {},
): Promise<WeightStatistics> {
  const { layout, count } = source;
  if (count === 0) throw new InvalidDataError("snapshots", "at least one", "none");
  const trainable = layout.parameters.filter((parameter) => parameter.trainable);
  const layers = groupByLayer(trainable).map(([name, parameters]) => ({
    name,
    parameters,
    norm: new Float64Array(count),
  }));
  const kernels = trainable
    .filter(({ filterAxes }) => filterAxes !== null)
    .map((parameter) => ({
      parameter,
      name: parameter.name,
      filters: filterNormsOf(new Float32Array(layout.parameterCount), parameter).length,
      mean: new Float64Array(count),
      least: new Float64Array(count),
      largest: new Float64Array(count),
    }));
  const totals = { norm: new Float64Array(count), distance: new Float64Array(count) };
  const stepLength = new Float64Array(count);
  let first: Float32Array | undefined;
  let previous: Float32Array | undefined;
  for (let i = 0; i < count; i++) {
    options.signal?.throwIfAborted();
    const theta = await source.readTheta(i);
    if (theta.length !== layout.parameterCount) {
      throw new InvalidDataError(`snapshot ${i}`, `${layout.parameterCount} weights`, String(theta.length));
    }
    first ??= theta;
    totals.norm[i] = distance(theta, null, trainable);
    totals.distance[i] = distance(theta, first, trainable);
    stepLength[i] = distance(theta, previous ?? theta, trainable);
    for (const { parameters, norm } of layers) norm[i] = distance(theta, null, parameters);
    for (const kernel of kernels) {
      const norms = filterNormsOf(theta, kernel.parameter);
      kernel.mean[i] = norms.reduce((sum, norm) => sum + norm, 0) / norms.length;
      kernel.least[i] = norms.reduce((a, b) => Math.min(a, b));
      kernel.largest[i] = norms.reduce((a, b) => Math.max(a, b));
    }
    previous = theta;
    options.onProgress?.(i + 1, count);
  }
  let sum = 0;
  return {
    ...totals,
    layers: layers.map(({ name, norm }) => ({ name, norm })),
    kernels: kernels.map(({ parameter: _, ...norms }) => norms),
    stepLength,
    pathLength: stepLength.map((length) => {
      sum += length;
      return sum;
    }),
  };
}

/** Name of the layer that owns a weight: the weight's name without its last part. */
export function layerName({ name }: Pick<Parameter, "name">): string {
  const slash = name.lastIndexOf("/");
  return slash > 0 ? name.slice(0, slash) : name;
}

function groupByLayer(parameters: readonly Parameter[]): [string, Parameter[]][] {
  const groups = new Map<string, Parameter[]>();
  for (const parameter of parameters) {
    const name = layerName(parameter);
    groups.set(name, [...(groups.get(name) ?? []), parameter]);
  }
  return [...groups];
}

function filterNormsOf(theta: Float32Array, { offset, size, shape, filterAxes }: Parameter): Float64Array {
  return filterNorms(theta.subarray(offset, offset + size), shape, filterAxes);
}

/** Distance of two vectors over some weights; null is the origin. */
function distance(a: Float32Array, b: Float32Array | null, parameters: readonly Parameter[]): number {
  let sum = 0;
  for (const { offset, size } of parameters) {
    for (let i = offset; i < offset + size; i++) sum += (a[i] - (b === null ? 0 : b[i])) ** 2;
  }
  return Math.sqrt(sum);
}

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
  wholeNumber("bins", bins);
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
