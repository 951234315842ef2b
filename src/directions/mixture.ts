import { InvalidOptionError } from "../base/errors.js";
import { checkModels } from "./between-models.js";
import { createSpan } from "./project.js";
import type { SliceMap } from "./slice-map.js";

/**
 * How models are mixed at (α, β):
 * - "line": (1−α)θ₁ + αθ₂;
 * - "barycentric": (1−α−β)θ₁ + αθ₂ + βθ₃, the plane through three models;
 * - "barycentric-im": (1−α)θ₁ + α(1−β)θ₂ + αβθ₃, the triangle as Im et al. run through it (all of α = 0 is θ₁);
 * - "bilinear": (1−α)(1−β)θ₁ + α(1−β)θ₂ + (1−α)βθ₃ + αβθ₄.
 */
export type MixtureForm = "line" | "barycentric" | "barycentric-im" | "bilinear";

/** Weights of the models of each form. */
const FORMS: Readonly<Record<MixtureForm, { models: number; weights(a: number, b: number): number[] }>> = {
  line: { models: 2, weights: (a) => [1 - a, a] },
  barycentric: { models: 3, weights: (a, b) => [1 - a - b, a, b] },
  "barycentric-im": { models: 3, weights: (a, b) => [1 - a, a * (1 - b), a * b] },
  bilinear: { models: 4, weights: (a, b) => [(1 - a) * (1 - b), a * (1 - b), (1 - a) * b, a * b] },
};

/** All forms. */
export const MIXTURE_FORMS = Object.keys(FORMS) as readonly MixtureForm[];

/** A slice between models, with what made it. */
export interface Mixture extends SliceMap {
  readonly form: MixtureForm;
  readonly models: readonly Float32Array[];
  /** The models' shares at a point, which sum to 1. */
  weightsAt(alpha: number, beta: number): readonly number[];
}

/** Number of models that a form takes. */
export function modelsOf(form: MixtureForm): number {
  return FORMS[form].models;
}

/**
 * Returns the points between two, three or four models, exact at the models themselves.
 *
 * Every entry of θ moves, moving statistics of batch norm included (a policy may put them back).
 *
 * @param models - weight vectors of one layout (parameterCount), each another.
 * @param names - what they are called in messages.
 * @throws {@link InvalidOptionError} for an unknown form, another number of models, one given twice, or three
 * on one line; {@link InvalidDataError} for weights that are not finite.
 * @see Goodfellow et al. 2015 (line); Im et al. 2016 (barycentric and bilinear).
 */
export function mixtureMap(
  form: MixtureForm,
  models: readonly Float32Array[],
  names?: readonly string[],
): Mixture {
  if (!Object.hasOwn(FORMS, form)) {
    throw new InvalidOptionError("form", `one of ${MIXTURE_FORMS.join(", ")}`, JSON.stringify(form));
  }
  checkModels(models, [modelsOf(form)], names);
  if (modelsOf(form) === 3) assertPlane(models, names);
  const { weights } = FORMS[form];
  return {
    form,
    models,
    center: models[0],
    weightsAt: weights,
    writeInto: (out, alpha, beta) => mixInto(out, models, weights(alpha, beta)),
  };
}

function mixInto(out: Float32Array, models: readonly Float32Array[], weights: readonly number[]): void {
  const mixed = models
    .map((theta, k) => ({ theta, weight: weights[k] }))
    .filter(({ weight }) => weight !== 0);
  if (mixed.length === 1 && mixed[0].weight === 1) {
    out.set(mixed[0].theta);
    return;
  }
  for (let i = 0; i < out.length; i++) {
    let value = 0;
    for (const { theta, weight } of mixed) value += weight * theta[i];
    out[i] = value;
  }
}

function assertPlane(models: readonly Float32Array[], names?: readonly string[]): void {
  const [first, ...others] = models as [Float32Array, ...Float32Array[]];
  try {
    createSpan(others.map((theta) => theta.map((value, i) => value - first[i])));
  } catch (error) {
    if (!(error instanceof InvalidOptionError)) throw error;
    const which = names?.join(", ") ?? `${models.length} models`;
    throw new InvalidOptionError("models", "models that span a plane", `${which} on one line (collinear)`);
  }
}
