import { InvalidDataError } from "../base/errors.js";
import type { ParameterLayout } from "../model/layout.js";

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
