import { InvalidOptionError, LayoutError } from "../../base/errors.js";
import type { SlicePoints } from "../../directions/slice-map.js";
import { type EvaluateSurfaceOptions, evaluateSurface } from "../evaluate-surface.js";
import type { Grid, Surface } from "../surface.js";
import type { EvaluationSet } from "./level-set-width.js";

/** One evaluation set's surface. */
export interface SetSurface {
  readonly set: string;
  readonly surface: Surface;
}

/**
 * Evaluates the same points on several evaluation sets, one after the other: the training and the held-out
 * surface on identical grids.
 *
 * @throws as `evaluateSurface`; {@link InvalidOptionError} for no set, or two of one name; {@link LayoutError}
 * if their models differ in the number of weights.
 */
export async function evaluateOnSets(
  sets: readonly EvaluationSet[],
  points: SlicePoints,
  grid: Grid,
  options: EvaluateSurfaceOptions = {},
): Promise<SetSurface[]> {
  checkSets(sets);
  const surfaces: SetSurface[] = [];
  const steps = grid.alpha.length * grid.beta.length;
  for (const [i, { name, evaluator }] of sets.entries()) {
    const surface = await evaluateSurface(evaluator, points, grid, {
      ...options,
      onProgress: (done, total, eta) =>
        options.onProgress?.(
          i * total + done,
          sets.length * total,
          eta + ((sets.length - 1 - i) * steps * eta) / Math.max(1, total - done),
        ),
    });
    surfaces.push({ set: name, surface });
  }
  return surfaces;
}

/** Checks names and sizes of evaluation sets. */
export function checkSets(sets: readonly EvaluationSet[]): void {
  if (sets.length === 0) throw new InvalidOptionError("sets", "at least one evaluation set", "none");
  const [{ evaluator: first, name: firstName }] = sets;
  sets.forEach(({ name, evaluator }, i) => {
    if (sets.slice(0, i).some((other) => other.name === name)) {
      throw new InvalidOptionError("sets", "names that differ", `two called ${JSON.stringify(name)}`);
    }
    if (evaluator.facts.parameterCount !== first.facts.parameterCount) {
      const expected = `${first.facts.parameterCount} parameters, as set "${firstName}"`;
      throw new LayoutError(`set "${name}"`, expected, String(evaluator.facts.parameterCount));
    }
  });
}

/**
 * Returns b − a, value by value: where the held-out loss lies above the training loss.
 *
 * @returns loss (H, W) and metrics that both have; NaN where either is not finite.
 * @throws {@link InvalidOptionError} if the grids differ.
 */
export function surfaceDifference(
  a: Surface,
  b: Surface,
): Pick<Surface, "alpha" | "beta" | "loss" | "metrics"> {
  if (!isSameAxis(a.alpha, b.alpha) || !isSameAxis(a.beta, b.beta)) {
    throw new InvalidOptionError("surfaces", "identical grids", "different ones");
  }
  const minus = (x: Float64Array, y: Float64Array) =>
    x.map((value, i) => (Number.isFinite(value) && Number.isFinite(y[i]) ? y[i] - value : Number.NaN));
  const shared = Object.keys(a.metrics).filter((name) => Object.hasOwn(b.metrics, name));
  return {
    alpha: a.alpha,
    beta: a.beta,
    loss: minus(a.loss, b.loss),
    metrics: Object.fromEntries(shared.map((name) => [name, minus(a.metrics[name], b.metrics[name])])),
  };
}

function isSameAxis(a: Float64Array, b: Float64Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
