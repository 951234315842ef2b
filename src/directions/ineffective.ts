import type { ParameterLayout } from "../params/layout.js";
import type { LandscapeWarning } from "../warning.js";
import { checkModels } from "./check-models.js";
import type { Directions } from "./directions.js";
import { isMoved } from "./normalize.js";
import { type RandomDirectionsOptions, randomDirections } from "./random.js";

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
