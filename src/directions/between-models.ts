import { InvalidDataError, InvalidOptionError } from "../base/errors.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { ParameterLayout } from "../model/layout.js";
import type { Directions } from "./directions.js";
import { isMoved, type NormalizeOptions, normalizeDirection } from "./normalize.js";
import { createSpan } from "./project.js";
import { type RandomDirectionsOptions, randomDirections } from "./random.js";

/**
 * Checks that weight vectors can span a slice: as many as it takes, of one length, finite, each given once.
 *
 * @param names - what the models are called in messages.
 * @param layout - their layout; its length must be theirs. Default: not checked.
 * @throws {@link InvalidOptionError} for a wrong number or length, or one model given twice;
 * {@link InvalidDataError} naming weights that are not finite.
 */
export function checkModels(
  models: readonly Float32Array[],
  counts: readonly number[],
  names: readonly string[] = models.map((_, i) => `model ${i + 1}`),
  layout?: ParameterLayout,
): void {
  if (!counts.includes(models.length)) {
    throw new InvalidOptionError("models", `${counts.join(" or ")} weight vectors`, String(models.length));
  }
  const length = layout?.parameterCount ?? models[0].length;
  models.forEach((theta, i) => {
    if (theta.length !== length) {
      throw new InvalidOptionError(names[i], `${length} weights`, String(theta.length));
    }
    const bad = theta.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) throw new InvalidDataError(`${names[i]}, entry ${bad}`, "finite weights", `${theta[bad]}`);
    const twin = models.slice(0, i).findIndex((other) => isSame(other, theta));
    if (twin >= 0) {
      throw new InvalidOptionError(names[i], "weights of its own", `those of ${names[twin]}`, {
        hint: "give different models",
      });
    }
  });
}

function isSame(a: Float32Array, b: Float32Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

/** Options of {@link betweenModels}. */
export interface BetweenModelsOptions {
  /** What the models are called, in labels and messages. Default "model 1", "model 2", … */
  readonly names?: readonly string[];
  /** The layout of θ; lengths are checked against it. Default none. */
  readonly layout?: ParameterLayout;
}

/**
 * Returns the directions from one model to one or two others: θ₂ − θ₁, and θ₃ − θ₁, through θ₁.
 *
 * Nothing is normalized and nothing left out: biases and the moving statistics of batch norm change as well,
 * without which the end points would not have the losses of their models. Differences are rounded to
 * float32; `mixtureMap` gives points that are exact at the models themselves.
 *
 * @param models - two or three weight vectors (parameterCount).
 * @throws {@link InvalidOptionError} for another number or length, a model given twice, or three on one line;
 * {@link InvalidDataError} for weights that are not finite.
 * @see Goodfellow et al. 2015; Li et al. 2018, section 3.
 * @example const plane = betweenModels([theta1, theta2, theta3]); // through three models
 */
export function betweenModels(
  models: readonly Float32Array[],
  options: BetweenModelsOptions = {},
): Directions {
  const names = options.names ?? models.map((_, i) => `model ${i + 1}`);
  checkModels(models, [2, 3], names, options.layout);
  const [center, ...others] = models;
  const vectors = others.map((theta) => theta.map((value, i) => value - center[i]));
  if (vectors.length > 1) createSpan(vectors);
  return {
    kind: "models",
    center,
    vectors,
    labels: others.map((_, i) => `${names[0]} to ${names[i + 1]}`),
    explainedVarianceRatio: null,
    randomWalkBaseline: null,
    warnings: [],
  };
}

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
 * @example const plane = customDirections(theta, [vector1, vector2]);
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

/** Which plane of figure 18: two random directions, or the one from the start with a random one. */
export type IneffectivePlane = "random" | "initial";

/** Options of {@link ineffectiveDirections}: those of the random directions in it. */
export type IneffectiveOptions = Omit<RandomDirectionsOptions, "count">;

/**
 * Returns a plane that hides where training went, to show why the PCA plane is needed: "random", two random
 * directions; "initial", θ_0 − θ_n with one random direction. It says so in its labels and a warning.
 *
 * In many dimensions a random direction is nearly orthogonal to every step, so that a path projected on it
 * hardly moves. θ_0 − θ_n covers every trainable weight.
 *
 * @param final - θ_n (parameterCount), the centre.
 * @param initial - θ_0 (parameterCount).
 * @throws as {@link randomDirections}; {@link InvalidOptionError} if θ_0 is θ_n.
 * @see Li et al. 2018, section 7 and figure 18.
 */
export function ineffectiveDirections(
  plane: IneffectivePlane,
  layout: ParameterLayout,
  final: Float32Array,
  initial: Float32Array,
  options: IneffectiveOptions = {},
): Directions {
  checkModels([final, initial], [2], ["final weights", "initial weights"], layout);
  const random = randomDirections(layout, final, { ...options, count: plane === "random" ? 2 : 1 });
  const back = (): Float32Array => {
    const out = new Float32Array(layout.parameterCount);
    for (const parameter of layout.parameters) {
      if (!isMoved(parameter, { ignore: [] })) continue;
      for (let i = parameter.offset; i < parameter.offset + parameter.size; i++)
        out[i] = initial[i] - final[i];
    }
    return out;
  };
  const vectors = plane === "random" ? random.vectors : [back(), random.vectors[0]];
  const names = plane === "random" ? random.labels : ["start to end", "random 1"];
  return {
    ...random,
    kind: `ineffective-${plane}`,
    vectors,
    labels: names.map((name) => `${name} (ineffective)`),
    warnings: [...random.warnings, ineffectiveWarning(plane)],
  };
}

function ineffectiveWarning(plane: IneffectivePlane): LandscapeWarning {
  const what =
    plane === "random" ? "Two random directions" : "One random direction and the way from the start";
  const message = `${what} hold almost nothing of the path's shape: this plane is shown for comparison only`;
  return { code: "ineffective-plane", message };
}

/** How far apart solutions are, pair by pair. */
export interface SolutionDistances {
  /** ‖θ_i − θ_j‖ (S, S), row-major. */
  readonly distance: Float64Array;
  /** θ_i·θ_j / (‖θ_i‖·‖θ_j‖) (S, S), row-major; NaN where a solution is zero. */
  readonly cosine: Float64Array;
}

/**
 * Returns Euclidean distances and cosines between S solutions of one layout, over the trainable weights.
 *
 * Both depend on the scale and the order of the hidden units: networks that compute the same function can be
 * far apart.
 * Cost: O(S²·D) time.
 *
 * @param thetas - S weight vectors (parameterCount).
 * @throws {@link InvalidDataError} if one has another length.
 */
export function solutionDistances(
  layout: ParameterLayout,
  thetas: readonly Float32Array[],
): SolutionDistances {
  const wrong = thetas.findIndex(({ length }) => length !== layout.parameterCount);
  if (wrong >= 0) {
    const got = String(thetas[wrong]?.length);
    throw new InvalidDataError(`solution ${wrong}`, `${layout.parameterCount} weights`, got);
  }
  const trainable = layout.parameters.filter((parameter) => parameter.trainable);
  const count = thetas.length;
  const distance = new Float64Array(count * count);
  const cosine = new Float64Array(count * count);
  for (let i = 0; i < count; i++) {
    for (let j = 0; j <= i; j++) {
      const [a, b] = [thetas[i] as Float32Array, thetas[j] as Float32Array];
      let [apart, inner, squareA, squareB] = [0, 0, 0, 0];
      for (const { offset, size } of trainable) {
        for (let k = offset; k < offset + size; k++) {
          const [x, y] = [a[k] as number, b[k] as number];
          apart += (x - y) ** 2;
          inner += x * y;
          squareA += x * x;
          squareB += y * y;
        }
      }
      distance[i * count + j] = distance[j * count + i] = Math.sqrt(apart);
      const value = i === j && squareA > 0 ? 1 : inner / Math.sqrt(squareA * squareB);
      cosine[i * count + j] = cosine[j * count + i] = value;
    }
  }
  return { distance, cosine };
}
