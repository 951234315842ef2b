import type * as tf from "@tensorflow/tfjs";
import { createLinearAlgebra } from "../backend/linear-algebra/create-linear-algebra.js";
import { EvaluationError, InvalidOptionError } from "../base/errors.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { Stoppable } from "../base/work.js";
import { solutionDistances } from "../directions/between-models.js";
import type { EvaluationData } from "../loss/evaluation-data.js";
import type { LinearAlgebra } from "../math/linear-algebra.js";
import type { ParameterLayout } from "../model/layout.js";
import { matchByActivations } from "./match-activations.js";
import { matchByWeights, resolveMatchOptions } from "./match-weights.js";
import { openProbe, outputDifference } from "./model-probe.js";
import { type Permutation, permuteWeights, unitsMoved } from "./permutation.js";
import { type PermutationGroups, permutationGroups } from "./permutation-groups.js";

/** How units are matched. */
export type AlignMethod = "weights" | "activations";

/** All methods. */
export const ALIGN_METHODS: readonly AlignMethod[] = ["weights", "activations"];

/** Options of {@link alignModels}. */
export interface AlignOptions extends Stoppable {
  /** Default "weights". */
  readonly method?: AlignMethod | undefined;
  /** Order of θ. Default that of the model. */
  readonly layout?: ParameterLayout | undefined;
  /** Starts and orders of matching by weights. Default 5. */
  readonly tries?: number | undefined;
  /** Seed of matching by weights. Default 0. */
  readonly seed?: number | undefined;
  /** First samples of the data that are used, for activations and for the check. Default 1024. */
  readonly sampleLimit?: number | undefined;
  /** Multiplies matrices. Default that of the active backend. */
  readonly algebra?: LinearAlgebra | undefined;
}

/**
 * Checks what a matching is asked for, before anything is read.
 *
 * @throws {@link InvalidOptionError} for an unknown method, or numbers of tries and seeds that cannot be.
 */
export function checkAlignOptions(
  { method, tries, seed }: Pick<AlignOptions, "method" | "tries" | "seed">,
  name = "method",
): void {
  if (method !== undefined && !ALIGN_METHODS.includes(method)) {
    throw new InvalidOptionError(name, ALIGN_METHODS.join(" or "), JSON.stringify(method));
  }
  resolveMatchOptions({ tries, seed });
}

/** A model with its units in the order of another one's. */
export interface Alignment {
  readonly method: AlignMethod;
  /** θ_B permuted (parameterCount): the same function as θ_B. */
  readonly theta: Float32Array;
  readonly permutation: Permutation;
  readonly groups: PermutationGroups;
  /** Units that moved, of how many there are. */
  readonly moved: number;
  readonly units: number;
  /** ‖θ_A − θ_B‖ over the trainable weights, before and after. */
  readonly distance: { readonly before: number; readonly after: number };
  /** Largest difference of an output of θ_B before and after, over the samples of the check. */
  readonly outputDifference: number;
  readonly warnings: readonly LandscapeWarning[];
}

/** Outputs may differ by so much of their size: sums in another order, in float32. */
const ROUNDING = 1e-4;

/**
 * Matches the units of θ_B to those of θ_A, and checks on data that θ_B still computes the same function.
 *
 * Permutations are one symmetry of networks: scales and signs of units are not aligned. Networks that are far apart
 * after it need not be different solutions.
 *
 * @param model - the architecture of both; its own weights do not count, and are put back.
 * @param data - inputs that the function is compared on.
 * @throws {@link EvaluationError} if the function changed (a layer that does not do what it is known for);
 * {@link InvalidDataError} for weights that are not finite, or data that do not fit; {@link InvalidOptionError} for an
 * option that cannot be used.
 * @see Ainsworth, Hayase and Srinivasa 2023 (Git Re-Basin); Entezari et al. 2022.
 * @example const { theta, distance } = await alignModels(model, { xs, ys }, thetaA, thetaB);
 */
export async function alignModels(
  model: tf.LayersModel,
  data: EvaluationData,
  thetaA: Float32Array,
  thetaB: Float32Array,
  options: AlignOptions = {},
): Promise<Alignment> {
  const { method = "weights", tries, seed, sampleLimit, signal } = options;
  checkAlignOptions(options);
  const groups = permutationGroups(model, options.layout);
  const { layout } = groups;
  const probe = await openProbe(model, data, { layout, sampleLimit });
  try {
    const { permutation } =
      method === "weights"
        ? await matchByWeights(groups, thetaA, thetaB, options.algebra ?? createLinearAlgebra(), {
            tries,
            seed,
            signal,
          })
        : await matchByActivations(groups, probe, thetaA, thetaB, { signal });
    const theta = permuteWeights(thetaB, groups, permutation);
    const { largest, scale } = await outputDifference(probe, thetaB, theta, signal);
    if (!(largest <= ROUNDING * scale)) {
      const where = `permutation of model "${model.name}"`;
      const got = `outputs that differ by ${largest} (of up to ${scale})`;
      throw new EvaluationError(where, "the same function", got, {
        hint: "a layer or an output of the model is not finite, or does not treat its units alike",
      });
    }
    const [before, after] = [thetaB, theta].map(
      (other) => solutionDistances(layout, [thetaA, other]).distance[1],
    );
    return {
      method,
      theta,
      permutation,
      groups,
      moved: unitsMoved(permutation),
      units: groups.groups.reduce((sum, { units }) => sum + units, 0),
      distance: { before, after },
      outputDifference: largest,
      warnings: [...groups.warnings, ...nothingToMatch(groups)],
    };
  } finally {
    probe.dispose();
  }
}

function nothingToMatch({ groups }: PermutationGroups): LandscapeWarning[] {
  if (groups.length > 0) return [];
  const message = "the model has no hidden units that may change places: nothing is matched";
  return [{ code: "no-hidden-units", message }];
}
