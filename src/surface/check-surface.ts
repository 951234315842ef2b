import { InvalidDataError, InvalidOptionError } from "../base/errors.js";
import type { Directions } from "../directions/directions.js";
import type { Grid } from "./surface.js";

/**
 * Checks that both axes of a grid are finite and increasing.
 *
 * @throws {@link InvalidOptionError} naming the axis.
 */
export function checkGrid({ alpha, beta }: Grid): void {
  for (const [name, axis] of [
    ["alpha", alpha],
    ["beta", beta],
  ] as const) {
    if (axis.length === 0) throw new InvalidOptionError(name, "at least one coordinate", "none");
    const wrong = axis.findIndex(
      (value, i) => !Number.isFinite(value) || (i > 0 && value <= (axis[i - 1] as number)),
    );
    if (wrong === -1) continue;
    const got = `${axis[wrong]} at position ${wrong}`;
    throw new InvalidOptionError(name, "finite, increasing coordinates", got);
  }
}

/**
 * Checks that θ* and directions are finite, long enough, and enough for a grid, and that none of those is zero.
 *
 * @throws {@link InvalidOptionError} or {@link InvalidDataError} naming the vector.
 */
export function checkDirections(
  { center, vectors }: Pick<Directions, "center" | "vectors">,
  { beta }: Grid,
  parameterCount: number,
): void {
  const isLine = beta.length === 1 && beta[0] === 0;
  const needed = isLine ? 1 : 2;
  if (vectors.length < needed) {
    throw new InvalidOptionError("directions", `at least ${needed} for this grid`, String(vectors.length));
  }
  checkVector("directions.center", center, parameterCount);
  for (let k = 0; k < needed; k++) {
    const where = `directions.vectors[${k}]`;
    checkVector(where, vectors[k] as Float32Array, parameterCount);
    if (vectors[k]?.some((value) => value !== 0)) continue;
    throw new InvalidOptionError(where, "a direction other than zero", "only zeros");
  }
}

/**
 * Checks that θ* is finite and has the evaluator's length.
 *
 * @throws {@link InvalidOptionError} or {@link InvalidDataError}.
 */
export function checkCenter(center: Float32Array, parameterCount: number): void {
  checkVector("center", center, parameterCount);
}

function checkVector(where: string, vector: Float32Array, parameterCount: number): void {
  if (vector.length !== parameterCount) {
    const expected = `${parameterCount} numbers, the whole of θ`;
    throw new InvalidOptionError(where, expected, String(vector.length));
  }
  const wrong = vector.findIndex((value) => !Number.isFinite(value));
  if (wrong === -1) return;
  throw new InvalidDataError(where, "finite numbers", `${vector[wrong]} at entry ${wrong}`);
}
