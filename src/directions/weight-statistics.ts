import { InvalidDataError } from "../base/errors.js";
import type { Parameter, ParameterLayout } from "../model/layout.js";
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

/** Options of {@link weightStatistics}. */
export interface WeightStatisticsOptions {
  readonly signal?: AbortSignal;
  /** Called after each snapshot with the snapshots done and all. */
  readonly onProgress?: (done: number, total: number) => void;
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
  options: WeightStatisticsOptions = {},
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
