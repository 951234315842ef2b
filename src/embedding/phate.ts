import type { LinearAlgebra } from "../math/linear-algebra.js";
import type { LandscapeWarning } from "../warning.js";
import { alphaDecayKernel } from "./alpha-decay-kernel.js";
import { type ConnectedComponents, connectedComponents } from "./connected-components.js";
import { diffusionOperator } from "./diffusion-operator.js";
import { diffusionPotential, diffusionPower } from "./diffusion-potential.js";
import { watchDuplicates } from "./duplicate-points.js";
import { embedDistances } from "./embed-distances.js";
import { kneePoint } from "./knee-point.js";
import { type LandmarkOperator, landmarkOperator } from "./landmarks.js";
import { checkPhateInput, type PhateInput } from "./phate-input.js";
import { type PhateOptions, type ResolvedPhateOptions, resolvePhateOptions } from "./phate-options.js";
import { phateWarnings } from "./phate-warnings.js";
import { createPointMap, mappedDistances, type PointMap } from "./point-map.js";
import { rowDistances } from "./row-distances.js";
import { multiplySparseDense, type SparseMatrix } from "./sparse-matrix.js";
import { operatorEntropy } from "./von-neumann-entropy.js";

/** A PHATE embedding with what it was made from. L = N where there are no landmarks. */
export interface PhateResult {
  /** Coordinates (N, nComponents), row-major. */
  readonly embedding: Float64Array;
  /** N. */
  readonly count: number;
  /** Dimensions of the embedding. */
  readonly nComponents: number;
  /** Steps of diffusion used. */
  readonly t: number;
  /** Von Neumann entropy of the powers 1…tMax of the operator; null where t was given. */
  readonly entropy: Float64Array | null;
  /** Σ_{i<j} (d_ij − δ_ij)² of the L points at the best scale of their coordinates. */
  readonly stress: number;
  /** √(stress / Σ_{i<j} δ_ij²), in [0, 1]. */
  readonly normalizedStress: number;
  /** Iterations or sweeps of the scaling; 0 for classic scaling. */
  readonly iterations: number;
  /** Diffusion operator (L, L). */
  readonly operator: SparseMatrix;
  /** Diffusion potential (L, L). */
  readonly potential: Float64Array;
  /** Distances between rows of the potential (L, L). */
  readonly potentialDistances: Float64Array;
  /** Components of the kernel graph; the embedding places several of them arbitrarily. */
  readonly components: ConnectedComponents;
  /** Groups of points; null where N is not above nLandmark. */
  readonly landmarks: LandmarkOperator | null;
  /** Coordinates of the landmarks (L, nComponents); the embedding itself where there are none. */
  readonly landmarkEmbedding: Float64Array;
  /** How distances between points were taken: centring, principal components. */
  readonly map: PointMap;
  /** Every option as used. */
  readonly options: ResolvedPhateOptions;
  readonly warnings: readonly LandscapeWarning[];
}

/** Entries of a row of P^t below this cannot change a logarithmic potential by 1e-9. */
const negligible = 1e-22;

/**
 * Embeds N points by PHATE: potential of heat diffusion for affinity-based transition embedding.
 *
 * Distances → α-decay kernel → diffusion operator → von Neumann entropy and t → potential → multidimensional
 * scaling; each stage is a public function of its own. Metric and nonmetric coordinates are fitted to the
 * classic ones by Procrustes (centred, Frobenius norm ≤ 1), as the Python package has it. Deterministic.
 * Cost: O(N²·D) for distances, 2/3·L³ for the entropy, O(L²) an iteration of the scaling.
 *
 * @param input - rows, Gram matrix or distances of N points.
 * @param algebra - gives products, eigenvectors and singular values.
 * @throws {@link InvalidOptionError} if an option is out of range.
 * @throws {@link InvalidDataError} if a number is not finite, or a size or a matrix is wrong.
 * @see Moon et al. 2019, Visualizing structure and transitions in high-dimensional biological data.
 * @example const { embedding, t } = await phate({ rows, count, dimension }, algebra, { knnDist: "cosine" });
 */
export async function phate(
  input: PhateInput,
  algebra: LinearAlgebra,
  options: PhateOptions = {},
): Promise<PhateResult> {
  checkPhateInput(input);
  const resolved = resolvePhateOptions(options, input.count);
  const begin = (stage: Parameters<NonNullable<PhateOptions["onProgress"]>>[0]): void => {
    resolved.signal?.throwIfAborted();
    resolved.onProgress?.(stage);
  };

  begin("distances");
  const map = await createPointMap(input, resolved, algebra);
  const watched = watchDuplicates(await mappedDistances(map, algebra));

  begin("kernel");
  const kernel = alphaDecayKernel(watched.source, resolved);
  const components = connectedComponents(kernel);

  begin("landmarks");
  const { nLandmark } = resolved;
  const landmarks =
    nLandmark !== null && nLandmark < input.count
      ? await landmarkOperator(kernel, algebra, { nLandmark, seed: resolved.randomState ?? 0 })
      : null;
  const operator = landmarks?.operator ?? diffusionOperator(kernel);

  begin("entropy");
  const entropy = resolved.t === "auto" ? await operatorEntropy(operator, algebra, resolved.tMax) : null;
  const t = resolved.t === "auto" ? kneePoint(entropy ?? new Float64Array()) : resolved.t;

  begin("potential");
  const n = operator.rows;
  const { gamma, mdsDist: metric } = resolved;
  const drop = gamma === 1 ? negligible : 0;
  const potential = diffusionPotential(diffusionPower(operator, t, { drop }), gamma);
  const background = gamma === 1 ? -Math.log(1e-7) : 0;
  const potentialDistances = await rowDistances(potential, n, n, algebra, { metric, background });

  begin("mds");
  const scaling = await embedDistances(potentialDistances, n, algebra, resolved);
  const { nComponents } = resolved;
  return {
    embedding:
      landmarks === null
        ? scaling.embedding
        : multiplySparseDense(landmarks.transitions, scaling.embedding, nComponents),
    count: input.count,
    nComponents,
    t,
    entropy,
    stress: scaling.stress,
    normalizedStress: scaling.normalizedStress,
    iterations: scaling.iterations,
    operator,
    potential,
    potentialDistances,
    components,
    landmarks,
    landmarkEmbedding: scaling.embedding,
    map,
    options: resolved,
    warnings: phateWarnings({
      map,
      options: resolved,
      components,
      duplicates: watched.duplicates(),
      t,
      entropy,
    }),
  };
}
