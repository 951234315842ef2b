import type { LinearAlgebra } from "../math/linear-algebra.js";
import { type PairwiseDisparities, pairwiseDisparities } from "./pairwise-disparities.js";
import { phate } from "./phate.js";
import type { PhateInput } from "./phate-input.js";
import type { PhateOptions } from "./phate-options.js";

/** Options of {@link phateStability}. */
export interface PhateStabilityOptions extends Omit<PhateOptions, "knn" | "randomState"> {
  /** Neighbour counts to compare. Default [4, 5, 7, 10]. */
  readonly knn?: readonly number[];
  /** Seeds to compare; they matter for SGD and landmarks only. Default [0]. */
  readonly randomState?: readonly number[];
}

/** How much an embedding changes with knn and the seed. */
export interface PhateStability extends PairwiseDisparities {
  /** The R settings compared, in the order of the matrix. */
  readonly settings: readonly { readonly knn: number; readonly randomState: number; readonly t: number }[];
  /** Embedding of each setting (N, nComponents). */
  readonly embeddings: readonly Float64Array[];
}

/**
 * Embeds the same points with several knn and seeds and compares the shapes pair by pair.
 *
 * A structure to be believed is there in all of them. Cost: R embeddings.
 *
 * @throws {@link InvalidOptionError} if a setting is out of range.
 */
export async function phateStability(
  input: PhateInput,
  algebra: LinearAlgebra,
  options: PhateStabilityOptions = {},
): Promise<PhateStability> {
  const { knn: neighbours = [4, 5, 7, 10], randomState: seeds = [0], ...rest } = options;
  const settings: { knn: number; randomState: number; t: number }[] = [];
  const embeddings: Float64Array[] = [];
  for (const knn of neighbours) {
    for (const randomState of seeds) {
      const { embedding, t } = await phate(input, algebra, { ...rest, knn, randomState });
      settings.push({ knn, randomState, t });
      embeddings.push(embedding);
    }
  }
  const nComponents = rest.nComponents ?? 2;
  return { settings, ...pairwiseDisparities(embeddings, input.count, nComponents), embeddings };
}
