import { refuseRenamed } from "../../base/option-names.js";
import { condenseWarnings, type LandscapeWarning } from "../../base/warning.js";
import type { LinearAlgebra } from "../../math/linear-algebra.js";
import { rowDistances } from "../distance-source.js";
import { embedDistances } from "../mds/embed-distances.js";
import { type PairwiseDisparities, pairwiseDisparities } from "../mds/procrustes.js";
import { alphaDecayKernel, kernelToPoints } from "./alpha-decay-kernel.js";
import {
  diffusionPotential,
  diffusionPower,
  kernelPower,
  kneePoint,
  operatorEntropy,
} from "./diffusion-potential.js";
import { affinitiesToClusters, type LandmarkOperator, landmarkOperator, rowNormalized } from "./landmarks.js";
import {
  checkPhateInput,
  DEFAULT_KNN,
  type PhateInput,
  type PhateOptions,
  type ResolvedPhateOptions,
  resolvePhateOptions,
} from "./phate-options.js";
import {
  createPointMap,
  type DuplicatePairs,
  distancesToMapped,
  mappedDistances,
  type NewPoints,
  type PointMap,
  watchDuplicates,
} from "./point-map.js";
import {
  type ConnectedComponents,
  connectedComponents,
  diffusionOperator,
  multiplySparseDense,
  type SparseMatrix,
} from "./sparse-matrix.js";

/** What the checks of an embedding look at. */
export interface PhateFacts {
  readonly map: PointMap;
  readonly options: ResolvedPhateOptions;
  readonly components: ConnectedComponents;
  readonly duplicates: DuplicatePairs;
  readonly t: number;
  readonly entropy: Float64Array | null;
}

/** Returns what a reader of a PHATE embedding should know: few points, duplicates, a graph in pieces. */
export function phateWarnings(facts: PhateFacts): LandscapeWarning[] {
  return [
    lowKnn(facts),
    fewPoints(facts),
    duplicatePoints(facts),
    pieces(facts),
    steepGamma(facts),
    lateKnee(facts),
  ].filter((warning) => warning !== undefined);
}

function lowKnn({ map, options }: PhateFacts): LandscapeWarning | undefined {
  const { count } = map.input;
  if (options.knn >= DEFAULT_KNN || options.knn !== count - 2) return undefined;
  return {
    code: "low-knn",
    message: `knn is ${options.knn}, not ${DEFAULT_KNN}: ${count} points have no more neighbours.`,
  };
}

function fewPoints({ map, options }: PhateFacts): LandscapeWarning | undefined {
  const { count } = map.input;
  if (count < 30) {
    return {
      code: "too-few-points",
      message: `${count} points: below 30 the kernel spans much of the data and positions say little; record more snapshots.`,
    };
  }
  if (count > 100 || map.principal !== null || options.knnDist !== "cosine" || "distances" in map.input) {
    return undefined;
  }
  return {
    code: "few-points",
    message: `${count} points: up to 100 there is no principal component stage, so cosine distances are between ${map.centered ? "centred" : "raw"} rows; with more points they would be between centred ones unless \`centered\` says otherwise.`,
  };
}

function duplicatePoints({
  duplicates: { count, examples },
  options,
}: PhateFacts): LandscapeWarning | undefined {
  if (count === 0) return undefined;
  const named = examples.map(([i, j]) => `${i} and ${j}`).join(", ");
  return {
    code: "duplicate-points",
    message: `${count} pairs of points at distance 0 (${named}${count > examples.length ? ", …" : ""}): they take up neighbours, and more than knn = ${options.knn} copies of a point are cut off from the rest; leave duplicates out.`,
  };
}

function pieces({ components }: PhateFacts): LandscapeWarning | undefined {
  if (components.count === 1) return undefined;
  const sizes = [...components.sizes].sort((a, b) => b - a).slice(0, 5);
  return {
    code: "disconnected",
    message: `The neighbour graph falls into ${components.count} pieces (of ${sizes.join(", ")}${components.count > 5 ? ", …" : ""} points): their places relative to each other mean nothing; raise knn or lower decay.`,
  };
}

function steepGamma({ options: { gamma } }: PhateFacts): LandscapeWarning | undefined {
  if (!(gamma > 0.99 && gamma < 1)) return undefined;
  return {
    code: "steep-gamma",
    message: `gamma = ${gamma}: between 0.99 and 1 the potential loses precision; use 1 or at most 0.99.`,
  };
}

function lateKnee({ t, entropy }: PhateFacts): LandscapeWarning | undefined {
  if (entropy === null || t < entropy.length - 2) return undefined;
  return {
    code: "late-knee",
    message: `The entropy has its knee at the last power tried (t = ${t}); raise tMax or give t.`,
  };
}

/** A PHATE embedding with what it was made from. L = N where there are no landmarks. */
export interface PhateResult {
  /** Coordinates (N, dimensions), row-major. */
  readonly embedding: Float64Array;
  /** N. */
  readonly count: number;
  /** Dimensions of the embedding. */
  readonly dimensions: number;
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
  /** Coordinates of the landmarks (L, dimensions); the embedding itself where there are none. */
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
  const distances = await mappedDistances(map, algebra);
  const watched = watchDuplicates(distances.source);

  begin("kernel");
  const kernel = alphaDecayKernel(watched.source, resolved);
  const components = connectedComponents(kernel);

  begin("landmarks");
  const { nLandmark } = resolved;
  const landmarks =
    nLandmark !== null && nLandmark < input.count
      ? await landmarkOperator(kernel, algebra, { nLandmark, seed: resolved.seed })
      : null;
  const operator = landmarks?.operator ?? diffusionOperator(kernel);

  begin("entropy");
  const entropy = resolved.t === "auto" ? await operatorEntropy(operator, algebra, resolved.tMax) : null;
  const t = resolved.t === "auto" ? kneePoint(entropy ?? new Float64Array()) : resolved.t;

  begin("potential");
  const n = operator.rows;
  const { gamma, mdsDist: metric } = resolved;
  const drop = gamma === 1 ? negligible : 0;
  const power =
    landmarks === null
      ? await kernelPower(kernel, t, algebra, { drop })
      : diffusionPower(operator, t, { drop });
  const potential = diffusionPotential(power, gamma);
  const background = gamma === 1 ? -Math.log(1e-7) : 0;
  const potentialDistances = await rowDistances(potential, n, n, algebra, { metric, background });

  begin("mds");
  const scaling = await embedDistances(potentialDistances, n, algebra, resolved);
  const { dimensions } = resolved;
  return {
    embedding:
      landmarks === null
        ? scaling.embedding
        : multiplySparseDense(landmarks.transitions, scaling.embedding, dimensions),
    count: input.count,
    dimensions,
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
    warnings: [
      ...distances.warnings,
      ...phateWarnings({
        map,
        options: resolved,
        components,
        duplicates: watched.duplicates(),
        t,
        entropy,
      }),
    ],
  };
}

/** Options of {@link phateStability}. */
export interface PhateStabilityOptions extends Omit<PhateOptions, "knn" | "seed"> {
  /** Neighbour counts to compare. Default [4, 5, 7, 10]. */
  readonly knn?: readonly number[];
  /** Seeds to compare; they matter for SGD and landmarks only. Default [0]. */
  readonly seed?: readonly number[];
}

/** How much an embedding changes with knn and the seed. */
export interface PhateStability extends PairwiseDisparities {
  /** The R settings compared, in the order of the matrix. */
  readonly settings: readonly { readonly knn: number; readonly seed: number; readonly t: number }[];
  /** Embedding of each setting (N, dimensions). */
  readonly embeddings: readonly Float64Array[];
  /** Those of all settings, one of each kind. */
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * Embeds the same points with several knn and seeds and compares the shapes pair by pair.
 *
 * A structure to be believed is there in all of them. Cost: R embeddings.
 *
 * @throws {@link InvalidOptionError} if a setting is out of range.
 * @example const { settings, embeddings } = await phateStability(input, algebra, { knn: [4, 5, 7, 10] });
 */
export async function phateStability(
  input: PhateInput,
  algebra: LinearAlgebra,
  options: PhateStabilityOptions = {},
): Promise<PhateStability> {
  refuseRenamed(options, "embedding");
  const { knn: neighbours = [4, 5, 7, 10], seed: seeds = [0], ...rest } = options;
  const settings: { knn: number; seed: number; t: number }[] = [];
  const embeddings: Float64Array[] = [];
  const warnings: LandscapeWarning[] = [];
  for (const knn of neighbours) {
    for (const seed of seeds) {
      const found = await phate(input, algebra, { ...rest, knn, seed });
      settings.push({ knn, seed, t: found.t });
      embeddings.push(found.embedding);
      warnings.push(...found.warnings);
    }
  }
  const dimensions = rest.dimensions ?? 2;
  const disparities = pairwiseDisparities(embeddings, input.count, dimensions);
  return { settings, ...disparities, embeddings, warnings: condenseWarnings(warnings) };
}

/**
 * Returns coordinates (M, dimensions) of points outside a PHATE embedding: the mean of the embedded points
 * weighted by affinity to them.
 *
 * The bandwidth of a new point is its distance to the knn-th nearest embedded point. A new point is always
 * placed inside the convex hull of the others. Cost: O(M·N·D).
 *
 * @param points - in the form of the input embedded: rows, products with it, or distances to it.
 * @throws {@link InvalidDataError} if the form, a size or a number is wrong.
 * @see graphtools, `extend_to_data` and `interpolate`.
 * @example const coordinates = phateTransform(result, { distances, count: 3 });
 */
export function phateTransform(result: PhateResult, points: NewPoints): Float64Array {
  const { knn, decay, thresh, knnMax } = result.options;
  const affinities = kernelToPoints(distancesToMapped(result.map, points), { knn, decay, thresh, knnMax });
  const transitions =
    result.landmarks === null
      ? rowNormalized(affinities)
      : affinitiesToClusters(affinities, result.landmarks.clusters);
  return multiplySparseDense(transitions, result.landmarkEmbedding, result.dimensions);
}
