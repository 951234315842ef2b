import { InvalidDataError, InvalidOptionError } from "../base/errors.js";
import type { Parameter, ParameterLayout, ParameterRole } from "../model/layout.js";

/** Which filter each entry of a tensor belongs to. */
export interface FilterIndexer {
  /** Number of filters. */
  readonly count: number;
  /** Returns the filter of the entry at a flat, row-major index. */
  readonly filterOf: (index: number) => number;
}

/**
 * Returns the filters of a weight tensor: entries that agree in the coordinates along `filterAxes`.
 *
 * Filters are numbered in row-major order of those coordinates. null or no axes: the whole tensor is one.
 */
export function filterIndexer(shape: readonly number[], filterAxes: readonly number[] | null): FilterIndexer {
  const axes = filterAxes ?? [];
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  const count = axes.reduce((product, axis) => product * shape[axis], 1);
  if (axes.length === 0) return { count: 1, filterOf: () => 0 };
  if (axes.length === 1) {
    const [stride, size] = [strides[axes[0]], shape[axes[0]]];
    return { count, filterOf: (index) => Math.floor(index / stride) % size };
  }
  const parts = axes.map((axis) => ({ stride: strides[axis], size: shape[axis] }));
  return {
    count,
    filterOf: (index) =>
      parts.reduce((filter, { stride, size }) => filter * size + (Math.floor(index / stride) % size), 0),
  };
}

/**
 * Returns the Frobenius norm of each filter of a weight tensor (float64).
 *
 * @param values - the tensor, row-major.
 */
export function filterNorms(
  values: Float32Array,
  shape: readonly number[],
  filterAxes: readonly number[] | null,
): Float64Array {
  const { count, filterOf } = filterIndexer(shape, filterAxes);
  const squares = new Float64Array(count);
  for (let i = 0; i < values.length; i++) squares[filterOf(i)] += values[i] * values[i];
  return squares.map(Math.sqrt);
}

/** How a direction is scaled to the weights it is added to; see {@link normalizeDirection}. */
export type Normalization = "filter" | "layer" | "weight" | "dfilter" | "dlayer" | "none";

/** All normalizations. */
export const NORMALIZATIONS: readonly Normalization[] = [
  "filter",
  "layer",
  "weight",
  "dfilter",
  "dlayer",
  "none",
];

/** Options of {@link normalizeDirection}. */
export interface NormalizeOptions {
  /** The rule for weights of two and more axes. Default "filter". */
  readonly normalize?: Normalization;
  /**
   * Roles that do not move: their entries become 0. Default bias, scale and offset (biases and batch norm),
   * as in every figure of Li et al. 2018. Weights that are not trainable never move.
   */
  readonly ignore?: readonly ParameterRole[];
  /**
   * What weights of one axis (or none) become where they are not ignored: "vector" (default) d·‖w‖/(‖d‖ + 1e-10);
   * "reference" w itself, as the code published with the paper does. With normalize "none", "vector" leaves them.
   */
  readonly oneDimensional?: "vector" | "reference";
}

/** Roles that random directions leave alone by default. */
export const DEFAULT_IGNORED: readonly ParameterRole[] = ["bias", "scale", "offset"];

const EPSILON = 1e-10;

/**
 * Returns a direction scaled weight by weight to θ, so that a step along it means the same for large and
 * small weights.
 *
 * For each weight w of two or more axes with direction d, f running over the filters (`filterAxes` of the
 * layout; without any, the whole tensor is one filter):
 * - filter: d_f·‖w_f‖/(‖d_f‖ + 1e-10); layer: d·‖w‖/‖d‖; weight: d ⊙ w;
 * - dfilter: d_f/(‖d_f‖ + 1e-10); dlayer: d/‖d‖; none: d.
 *
 * A filter of θ that is all zero gets no direction ("filter"); one of d that is all zero stays so. "weight" and
 * the epsilon of very small filters make a second normalization differ from one.
 * Cost: O(D) time, one vector of memory.
 *
 * @param direction - d (parameterCount), not changed.
 * @param theta - θ* (parameterCount).
 * @returns a new vector (parameterCount), float32; sums and products are float64.
 * @throws {@link InvalidOptionError} for an unknown option or lengths that differ from the layout's;
 * {@link InvalidDataError} naming a weight that is not finite.
 * @see Li et al. 2018, section 4. Reference values: the code published with it.
 * @example const scaled = normalizeDirection(vector1, theta, layout, { normalize: "filter" });
 */
export function normalizeDirection(
  direction: Float32Array,
  theta: Float32Array,
  layout: ParameterLayout,
  options: NormalizeOptions = {},
): Float32Array {
  const resolved = resolveNormalizeOptions(options);
  assertLength("direction", direction, layout);
  assertLength("theta", theta, layout);
  const out = new Float32Array(layout.parameterCount);
  for (const parameter of layout.parameters) {
    if (!isMoved(parameter, resolved)) continue;
    const end = parameter.offset + parameter.size;
    const d = direction.subarray(parameter.offset, end);
    const w = theta.subarray(parameter.offset, end);
    assertFinite(parameter, d, "direction");
    assertFinite(parameter, w, "weights");
    normalizeWeightInto(out.subarray(parameter.offset, end), d, w, parameter, resolved);
  }
  return out;
}

/** The options with defaults filled in and checked. */
export function resolveNormalizeOptions({
  normalize = "filter",
  ignore = DEFAULT_IGNORED,
  oneDimensional = "vector",
}: NormalizeOptions): Required<NormalizeOptions> {
  if (!NORMALIZATIONS.includes(normalize)) {
    throw new InvalidOptionError(
      "normalize",
      `one of ${NORMALIZATIONS.join(", ")}`,
      JSON.stringify(normalize),
    );
  }
  if (oneDimensional !== "vector" && oneDimensional !== "reference") {
    throw new InvalidOptionError("oneDimensional", `"vector" or "reference"`, JSON.stringify(oneDimensional));
  }
  return { normalize, ignore, oneDimensional };
}

/** Whether a direction moves a weight: it is trainable and its role is not ignored. */
export function isMoved(
  { trainable, role }: Parameter,
  { ignore }: { readonly ignore: readonly string[] },
): boolean {
  return trainable && !ignore.includes(role);
}

function normalizeWeightInto(
  out: Float32Array,
  d: Float32Array,
  w: Float32Array,
  parameter: Parameter,
  { normalize, oneDimensional }: Required<NormalizeOptions>,
): void {
  const { shape, filterAxes } = parameter;
  if (shape.length <= 1) {
    if (oneDimensional === "reference") out.set(w);
    else if (normalize === "none") out.set(d);
    else scaleInto(out, d, norm(w) / (norm(d) + EPSILON));
    return;
  }
  switch (normalize) {
    case "filter": {
      const wanted = filterNorms(w, shape, filterAxes);
      const factors = filterNorms(d, shape, filterAxes).map((length, f) => wanted[f] / (length + EPSILON));
      scaleFiltersInto(out, d, parameter, factors);
      return;
    }
    case "dfilter": {
      const factors = filterNorms(d, shape, filterAxes).map((length) => 1 / (length + EPSILON));
      scaleFiltersInto(out, d, parameter, factors);
      return;
    }
    case "layer":
      scaleInto(out, d, quotient(norm(w), norm(d)));
      return;
    case "dlayer":
      scaleInto(out, d, quotient(1, norm(d)));
      return;
    case "weight":
      for (let i = 0; i < d.length; i++) out[i] = d[i] * w[i];
      return;
    case "none":
      out.set(d);
  }
}

function scaleFiltersInto(
  out: Float32Array,
  d: Float32Array,
  { shape, filterAxes }: Parameter,
  factors: Float64Array,
): void {
  const { filterOf } = filterIndexer(shape, filterAxes);
  for (let i = 0; i < d.length; i++) out[i] = d[i] * factors[filterOf(i)];
}

function scaleInto(out: Float32Array, d: Float32Array, factor: number): void {
  for (let i = 0; i < d.length; i++) out[i] = d[i] * factor;
}

/** A direction of zeros has no length to change: it stays. */
function quotient(wanted: number, length: number): number {
  return length === 0 ? 0 : wanted / length;
}

function norm(values: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] * values[i];
  return Math.sqrt(sum);
}

function assertLength(where: string, vector: Float32Array, { parameterCount }: ParameterLayout): void {
  if (vector.length === parameterCount) return;
  const expected = `${parameterCount} entries as in the layout`;
  throw new InvalidOptionError(where, expected, String(vector.length));
}

function assertFinite({ name }: Parameter, values: Float32Array, what: string): void {
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return;
  throw new InvalidDataError(`${name}, entry ${bad}`, `finite ${what}`, String(values[bad]));
}
