import { InvalidDataError, InvalidOptionError } from "../base/errors.js";
import type { LandscapeWarning } from "../base/warning.js";
import { checkSeed, createNormal } from "../math/random.js";
import type { ParameterLayout } from "../model/layout.js";
import { type Directions, weightKeys } from "./directions.js";
import { isMoved, type NormalizeOptions, normalizeDirection, resolveNormalizeOptions } from "./normalize.js";

/** Options of {@link randomDirections}. */
export interface RandomDirectionsOptions extends NormalizeOptions {
  /** Seed of the random numbers, any safe integer. Default 0, a seed like any other. */
  readonly seed?: number;
  /** Number of directions, 1 to 3. Default 2. */
  readonly count?: number;
}

/** Random directions through θ*, with what made them. */
export interface RandomDirections extends Directions {
  readonly kind: "random";
  /** The seed used. */
  readonly seed: number;
  /** The normalization options used, defaults included. */
  readonly options: Required<NormalizeOptions>;
}

/**
 * Returns independent Gaussian directions through θ*, normalized to its weights (by filter, by default).
 *
 * One N(0, 1) number per moved entry, from a stream of its own for each seed, axis and weight; the
 * directions are not made orthogonal, which in many dimensions they nearly are. A slice along random directions
 * says little of where training went: it hardly ever meets the path.
 * Cost: O(count·D) time and memory.
 *
 * @param layout - the layout of θ.
 * @param theta - θ* (parameterCount), the centre.
 * @throws {@link InvalidOptionError} for options that cannot hold; {@link InvalidDataError} for weights that are
 * not finite, or for a direction of zeros (nothing left to move, or weights that are all 0).
 * @see Li et al. 2018, section 4.
 * @example const { vectors } = randomDirections(layout, theta, { seed: 7, normalize: "filter" });
 */
export function randomDirections(
  layout: ParameterLayout,
  theta: Float32Array,
  options: RandomDirectionsOptions = {},
): RandomDirections {
  const { seed = 0, count = 2 } = options;
  checkSeed(seed);
  if (!Number.isInteger(count) || count < 1 || count > 3) {
    throw new InvalidOptionError("count", "1, 2 or 3", String(count));
  }
  const resolved = resolveNormalizeOptions(options);
  const keys = weightKeys(layout);
  const vectors = Array.from({ length: count }, (_, axis) => {
    const raw = drawDirection(layout, keys, seed, axis, resolved.ignore);
    const vector = normalizeDirection(raw, theta, layout, resolved);
    assertMoves(vector, resolved);
    return vector;
  });
  return {
    kind: "random",
    seed,
    options: resolved,
    center: theta,
    vectors,
    labels: vectors.map((_, axis) => `random ${axis + 1}`),
    explainedVarianceRatio: null,
    randomWalkBaseline: null,
    warnings: withoutFilters(layout, resolved),
  };
}

function drawDirection(
  layout: ParameterLayout,
  keys: readonly string[],
  seed: number,
  axis: number,
  ignore: readonly string[],
): Float32Array {
  const out = new Float32Array(layout.parameterCount);
  layout.parameters.forEach((parameter, index) => {
    if (!isMoved(parameter, { ignore })) return;
    const normal = createNormal(seed, axis, keys[index]);
    const { offset, size } = parameter;
    for (let i = 0; i < size; i++) out[offset + i] = normal();
  });
  return out;
}

function assertMoves(vector: Float32Array, { normalize, ignore }: Required<NormalizeOptions>): void {
  if (vector.some((value) => value !== 0)) return;
  throw new InvalidDataError(
    "random direction",
    "at least one entry other than zero",
    `none with normalize "${normalize}" and the roles [${ignore.join(", ")}] ignored`,
    { hint: "the weights that may move are all zero, or there are none" },
  );
}

function withoutFilters(
  layout: ParameterLayout,
  options: Required<NormalizeOptions>,
): readonly LandscapeWarning[] {
  if (options.normalize !== "filter" && options.normalize !== "dfilter") return [];
  const names = layout.parameters
    .filter(
      (parameter) =>
        parameter.shape.length > 1 && parameter.filterAxes === null && isMoved(parameter, options),
    )
    .map(({ name }) => name);
  if (names.length === 0) return [];
  const message = `no filter axes are known for ${names.join(", ")}: each is normalized as one filter`;
  return [{ code: "no-filter-axes", message }];
}
