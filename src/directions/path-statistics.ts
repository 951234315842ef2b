import { InvalidDataError, InvalidOptionError } from "../base/errors.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { LinearAlgebra } from "../math/linear-algebra.js";
import type { ParameterLayout } from "../model/layout.js";
import { type ColumnBlockOptions, type ColumnRange, resolveBlockColumns } from "./column-selection.js";
import type { RowSource } from "./directions.js";
import { differenceGram, type GramPrecision } from "./row-products.js";
import { layerName } from "./weight-statistics.js";

/** Columns of a source that belong together: the weights of a layer. */
export interface ColumnGroup {
  readonly name: string;
  readonly ranges: readonly ColumnRange[];
}

/** How one layer moved along the path (N snapshots). */
export interface LayerPath {
  readonly name: string;
  /** Number of its weights. */
  readonly weights: number;
  /** Length of each step in the layer's weights (N); 0 at the first snapshot. */
  readonly stepLength: Float64Array;
  /** Distance from the origin's weights in the layer (N). */
  readonly distance: Float64Array;
}

/** What the inner products of a path's steps say of its shape (N snapshots, D weights). */
export interface PathStatistics {
  /** Position of θ_τ, from which the map is seen. */
  readonly origin: number;
  /** D. */
  readonly weights: number;
  /** Inner products (N, N) of θ_t − θ_τ. */
  readonly gram: Float64Array;
  /** Trajectory map (N, N): cosines of θ_t − θ_τ and θ_s − θ_τ; NaN where one of them is 0. */
  readonly map: Float64Array;
  /** Mean of the map, over the entries that are defined. */
  readonly meanMap: number;
  /** The mean that a random walk with the observed step lengths has; 2/3 for many equal steps from τ = 0. */
  readonly walkMeanMap: number;
  /** Cosines (N, N) of the updates that end at two snapshots; NaN for the first, and for updates of length 0. */
  readonly updateCosines: Float64Array;
  /** Mean cosine of updates `lag` snapshots apart, by lag (N − 1); [0] is 1, NaN where there is no pair. */
  readonly autocorrelation: Float64Array;
  /** Number of pairs behind each (N − 1). */
  readonly pairs: Int32Array;
  /** ‖θ_t − θ_{t−1}‖ (N); 0 at the first. */
  readonly stepLength: Float64Array;
  /** ‖θ_t − θ_τ‖ (N). */
  readonly distance: Float64Array;
  /** ‖θ_N − θ_1‖ over the length of the path: 1 for a straight line, about 1/√(N − 1) for a random walk. */
  readonly directness: number;
  readonly layers: readonly LayerPath[];
  /** How inner products were taken: "float64", the linear algebra's name, or "onnx". */
  readonly precision: string;
  readonly warnings: readonly LandscapeWarning[];
}

/** Options of {@link pathStatistics}. */
export interface PathStatisticsOptions extends ColumnBlockOptions {
  /** What multiplies: see `createLinearAlgebra`. */
  readonly linearAlgebra: LinearAlgebra;
  /** Position of θ_τ. Default 0, the start. */
  readonly origin?: number | undefined;
  /** Columns whose path is measured on its own: see `layerColumns`. Default none. */
  readonly layers?: readonly ColumnGroup[] | undefined;
  /** As in `pcaDirections`. Default "auto". */
  readonly precision?: GramPrecision | undefined;
}

/**
 * Returns the trajectory map of a path, the cosines of its updates, their autocorrelation and the length of its path by
 * layer, from the inner products of its updates.
 *
 * Updates u_t = θ_t − θ_{t−1} are multiplied, block by block, and not the snapshots: a small step would be a small
 * difference of large products. Sums of them give the products of θ_t − θ_τ.
 * Cost: O(N²·D) time, one reading; O(N² + block) memory.
 *
 * @param source - N rows of length D, of one run.
 * @throws {@link InvalidDataError} for fewer than two rows, several runs, weights that never change or are not finite;
 * {@link InvalidOptionError} for an origin that is no row.
 * @see Singh et al., ICLR 2025, Hallmarks of optimization trajectories in neural networks.
 * @example const { meanMap, walkMeanMap } = await pathStatistics(rowSourceOfRuns([run]), { linearAlgebra: createLinearAlgebra() });
 */
export async function pathStatistics(
  source: RowSource,
  options: PathStatisticsOptions,
): Promise<PathStatistics> {
  const { linearAlgebra, origin = 0, layers = [], precision = "auto", signal, onProgress } = options;
  const { rows: n, columns, name = "snapshots" } = source;
  if (n < 2) throw new InvalidDataError(name, "at least 2 snapshots for a path", String(n));
  if ((source.runLengths?.length ?? 1) > 1) {
    throw new InvalidDataError(name, "one run", `${source.runLengths?.length} runs`);
  }
  if (!(Number.isInteger(origin) && origin >= 0 && origin < n)) {
    throw new InvalidOptionError("origin", `a snapshot from 0 to ${n - 1}`, String(origin));
  }
  const updates = updateSource(source, origin, layers);
  let done = 0;
  const {
    gram,
    precision: used,
    warnings,
  } = await differenceGram(updates.source, {
    row: 0,
    linearAlgebra,
    blockColumns: resolveBlockColumns(source, options.blockColumns),
    precision,
    signal,
    afterBlock: (block) => {
      done += block;
      onProgress?.(done, columns);
    },
  });
  const stepLength = updates.squaredSteps.map(Math.sqrt);
  const length = stepLength.reduce((sum, step) => sum + step, 0);
  if (length === 0)
    throw new InvalidDataError(name, "weights that change", "the same weights in all of them");
  const products = productsAbout(gram, n, origin);
  const distance = updates.squaredDistances.map(Math.sqrt);
  const map = cosines(products, n, distance);
  const updateCosines = cosines(gram, n, stepLength);
  return {
    origin,
    weights: columns,
    gram: products,
    map,
    meanMap: meanOfFinite(map),
    walkMeanMap: walkMeanMap(updates.squaredSteps, origin),
    updateCosines,
    ...autocorrelationOf(updateCosines, n),
    stepLength,
    distance,
    directness: Math.sqrt(Math.max(0, endsSquared(products, n))) / length,
    layers: updates.layers(),
    precision: used,
    warnings: [...warnings, ...stillWarnings(stepLength, distance, origin)],
  };
}

/**
 * Returns the mean of the trajectory map that a random walk with these step lengths is expected to have: about τ its
 * cosines are √(min/max) of the squared lengths walked since τ, and 0 on different sides of τ.
 *
 * @param squaredSteps - ‖θ_t − θ_{t−1}‖² (N); the first does not count.
 * @param origin - position of τ. Default 0.
 * @returns 2/3 in the limit of many equal steps from the start (0.6726 for 100 steps).
 * @see Singh et al., ICLR 2025, appendix on random walks.
 * @example walkMeanMap(new Float64Array(101).fill(1)); // 0.6726
 */
export function walkMeanMap(squaredSteps: ArrayLike<number>, origin = 0): number {
  const n = squaredSteps.length;
  const walked = new Float64Array(n);
  for (let i = origin + 1; i < n; i++) walked[i] = walked[i - 1] + squaredSteps[i];
  for (let i = origin - 1; i >= 0; i--) walked[i] = walked[i + 1] + squaredSteps[i + 1];
  let [sum, count] = [0, 0];
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      if (walked[i] === 0 || walked[j] === 0) continue;
      count++;
      if (i > origin !== j > origin) continue;
      sum += Math.sqrt(Math.min(walked[i], walked[j]) / Math.max(walked[i], walked[j]));
    }
  }
  return sum / count;
}

/**
 * Returns the columns of each layer of a layout, as a source over the chosen ranges of θ counts them.
 *
 * @example const source = rowSourceOfRuns([run]);
 * const layers = layerColumns(run.layout, source.ranges);
 */
export function layerColumns(layout: ParameterLayout, ranges: readonly ColumnRange[]): ColumnGroup[] {
  const groups = new Map<string, ColumnRange[]>();
  const parameters = [...layout.parameters].sort((a, b) => a.offset - b.offset);
  let column = 0;
  for (const { start, end } of ranges) {
    for (const parameter of parameters) {
      const [from, to] = [
        Math.max(start, parameter.offset),
        Math.min(end, parameter.offset + parameter.size),
      ];
      if (from >= to) continue;
      const name = layerName(parameter);
      const range = { start: column + from - start, end: column + to - start };
      groups.set(name, [...(groups.get(name) ?? []), range]);
    }
    column += end - start;
  }
  return [...groups].map(([name, own]) => ({ name, ranges: own }));
}

/**
 * Reads rows of a source as updates: row 0 is zero, row t is θ_t − θ_{t−1}; squares are summed in float64 on the way.
 */
function updateSource(source: RowSource, origin: number, groups: readonly ColumnGroup[]) {
  const { rows: n, columns } = source;
  const squaredSteps = new Float64Array(n);
  const squaredDistances = new Float64Array(n);
  const layers = groups.map(({ name, ranges }) => ({
    name,
    ranges,
    weights: ranges.reduce((sum, { start, end }) => sum + end - start, 0),
    steps: new Float64Array(n),
    distances: new Float64Array(n),
  }));
  const addSquares = (out: Float32Array, start: number, count: number): void => {
    const at = origin * count;
    for (let t = 0; t < n; t++) {
      const [now, before] = [t * count, Math.max(0, t - 1) * count];
      let [step, distance] = [0, 0];
      for (let c = 0; c < count; c++) {
        step += (out[now + c] - out[before + c]) ** 2;
        distance += (out[now + c] - out[at + c]) ** 2;
      }
      if (!Number.isFinite(step)) throw nonFinite(out, count, start, t);
      squaredSteps[t] += step;
      squaredDistances[t] += distance;
      for (const layer of layers) {
        for (const range of layer.ranges) {
          const [from, to] = [
            Math.max(range.start, start) - start,
            Math.min(range.end, start + count) - start,
          ];
          for (let c = from; c < to; c++) {
            layer.steps[t] += (out[now + c] - out[before + c]) ** 2;
            layer.distances[t] += (out[now + c] - out[at + c]) ** 2;
          }
        }
      }
    }
  };
  const updates: RowSource = {
    rows: n,
    columns,
    async readBlockInto(start, count, out) {
      await source.readBlockInto(start, count, out);
      addSquares(out, start, count);
      for (let c = n * count - 1; c >= count; c--) out[c] -= out[c - count];
      out.fill(0, 0, count);
    },
  };
  return {
    source: updates,
    squaredSteps,
    squaredDistances,
    layers: (): LayerPath[] =>
      layers.map(({ name, weights, steps, distances }) => ({
        name,
        weights,
        stepLength: steps.map(Math.sqrt),
        distance: distances.map(Math.sqrt),
      })),
  };
}

function nonFinite(out: Float32Array, count: number, start: number, row: number): InvalidDataError {
  const own = out.subarray(row * count, (row + 1) * count);
  const c = own.findIndex((weight) => !Number.isFinite(weight));
  if (c < 0) return new InvalidDataError(`snapshot ${row}`, "finite differences", "an overflow");
  return new InvalidDataError(`snapshot ${row}, column ${start + c}`, "finite weights", String(own[c]), {
    hint: "leave out the snapshots after training diverged",
  });
}

/** Products (N, N) of θ_t − θ_τ from those of updates, summed from τ outwards so that near snapshots keep their digits. */
function productsAbout(updates: Float64Array, n: number, origin: number): Float64Array {
  // ⟨θ_t − θ_τ, u_j⟩, row t from the row nearer to τ.
  const half = new Float64Array(n * n);
  for (let t = origin + 1; t < n; t++) {
    for (let j = 0; j < n; j++) half[t * n + j] = half[(t - 1) * n + j] + updates[t * n + j];
  }
  for (let t = origin - 1; t >= 0; t--) {
    for (let j = 0; j < n; j++) half[t * n + j] = half[(t + 1) * n + j] - updates[(t + 1) * n + j];
  }
  const products = new Float64Array(n * n);
  for (let t = 0; t < n; t++) {
    const row = t * n;
    for (let s = origin + 1; s < n; s++) products[row + s] = products[row + s - 1] + half[row + s];
    for (let s = origin - 1; s >= 0; s--) products[row + s] = products[row + s + 1] - half[row + s + 1];
  }
  for (let t = 0; t < n; t++) {
    for (let s = 0; s < t; s++) {
      const mean = (products[t * n + s] + products[s * n + t]) / 2;
      products[t * n + s] = mean;
      products[s * n + t] = mean;
    }
  }
  return products;
}

function cosines(products: Float64Array, n: number, norms: Float64Array): Float64Array {
  const out = new Float64Array(n * n).fill(Number.NaN);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      if (norms[i] === 0 || norms[j] === 0) continue;
      const cosine = i === j ? 1 : products[i * n + j] / (norms[i] * norms[j]);
      out[i * n + j] = Math.max(-1, Math.min(1, cosine));
    }
  }
  return out;
}

function endsSquared(products: Float64Array, n: number): number {
  return products[0] + products[n * n - 1] - 2 * products[n - 1];
}

function autocorrelationOf(updateCosines: Float64Array, n: number) {
  const autocorrelation = new Float64Array(n - 1).fill(Number.NaN);
  const pairs = new Int32Array(n - 1);
  for (let lag = 0; lag < n - 1; lag++) {
    let sum = 0;
    for (let t = 1; t + lag < n; t++) {
      const cosine = updateCosines[t * n + t + lag];
      if (Number.isNaN(cosine)) continue;
      sum += cosine;
      pairs[lag]++;
    }
    if (pairs[lag] > 0) autocorrelation[lag] = sum / pairs[lag];
  }
  return { autocorrelation, pairs };
}

function meanOfFinite(values: Float64Array): number {
  let [sum, count] = [0, 0];
  for (const value of values) {
    if (Number.isNaN(value)) continue;
    sum += value;
    count++;
  }
  return sum / count;
}

function stillWarnings(steps: Float64Array, distance: Float64Array, origin: number): LandscapeWarning[] {
  const still = steps.reduce((count, step, t) => count + (t > 0 && step === 0 ? 1 : 0), 0);
  const back = distance.reduce((count, value, t) => count + (t !== origin && value === 0 ? 1 : 0), 0);
  const warnings: LandscapeWarning[] = [];
  if (still > 0) {
    const message = `${still} snapshot(s) have the weights of the one before: such an update has no direction and is left out`;
    warnings.push({ code: "repeated-snapshot", message });
  }
  if (back > 0) {
    const message = `${back} snapshot(s) have the weights of the origin: they have no direction on the map and are left out`;
    warnings.push({ code: "at-origin", message });
  }
  return warnings;
}
