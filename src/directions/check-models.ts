import { InvalidDataError, InvalidOptionError } from "../errors.js";
import type { ParameterLayout } from "../params/layout.js";

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
