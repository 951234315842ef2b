import { InvalidDataError, InvalidOptionError } from "../errors.js";
import type { ParameterLayout } from "../params/layout.js";
import { createSpan } from "../trajectory/span.js";
import type { Directions } from "./directions.js";
import { type NormalizeOptions, normalizeDirection } from "./normalize.js";

/** Options of {@link customDirections}. */
export interface CustomDirectionsOptions {
  /** A short name for each axis. Default "direction 1", "direction 2", … */
  readonly labels?: readonly string[];
  /** How each vector is normalized to θ*; needs a `layout`. Default: they are taken as they are. */
  readonly normalize?: NormalizeOptions;
  /** The layout of θ. Default none. */
  readonly layout?: ParameterLayout;
}

/**
 * Returns the user's own directions through θ*, checked: gradients, eigenvectors, differences of any kind.
 *
 * @param center - θ* (parameterCount).
 * @param vectors - one to three vectors (parameterCount), with zeros where weights do not move.
 * @throws {@link InvalidOptionError} for other numbers, lengths, a direction of zeros, or nearly collinear
 * ones; {@link InvalidDataError} for entries that are not finite.
 */
export function customDirections(
  center: Float32Array,
  vectors: readonly Float32Array[],
  options: CustomDirectionsOptions = {},
): Directions {
  const { layout, normalize } = options;
  const labels = options.labels ?? vectors.map((_, i) => `direction ${i + 1}`);
  if (vectors.length < 1 || vectors.length > 3) {
    throw new InvalidOptionError("directions", "1, 2 or 3 vectors", String(vectors.length));
  }
  if (labels.length !== vectors.length) {
    throw new InvalidOptionError("labels", `${vectors.length} labels`, String(labels.length));
  }
  const length = layout?.parameterCount ?? center.length;
  checkVector("center", center, length);
  vectors.forEach((vector, i) => {
    checkVector(`direction ${i}`, vector, length);
  });
  const scaled = normalize === undefined ? vectors : normalizeAll(center, vectors, layout, normalize);
  createSpan(scaled);
  return {
    kind: "custom",
    center,
    vectors: scaled,
    labels,
    explainedVarianceRatio: null,
    randomWalkBaseline: null,
    warnings: [],
  };
}

function normalizeAll(
  center: Float32Array,
  vectors: readonly Float32Array[],
  layout: ParameterLayout | undefined,
  normalize: NormalizeOptions,
): Float32Array[] {
  if (layout === undefined) throw new InvalidOptionError("layout", "a layout to normalize by", "none");
  return vectors.map((vector) => normalizeDirection(vector, center, layout, normalize));
}

function checkVector(where: string, vector: Float32Array, length: number): void {
  if (vector.length !== length) {
    throw new InvalidOptionError(where, `${length} numbers, the whole of θ`, String(vector.length));
  }
  const bad = vector.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw new InvalidDataError(`${where}, entry ${bad}`, "finite numbers", String(vector[bad]));
}
