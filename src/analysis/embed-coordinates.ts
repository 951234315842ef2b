import pick from "lodash/pick.js";
import { InvalidDataError, InvalidOptionError } from "../base/errors.js";
import type { LandscapeWarning } from "../base/warning.js";
import { type DistanceSource, distancesFromMatrix } from "../embedding/distance-source.js";
import { pairwiseDisparities } from "../embedding/mds/procrustes.js";
import { type PhateResult, phate } from "../embedding/phate/phate.js";
import { DEFAULT_KNN, type PhateInput } from "../embedding/phate/phate-options.js";
import { createPointMap, mappedDistances } from "../embedding/phate/point-map.js";
import { pcaEmbedding } from "../embedding/principal-scores.js";
import { bettiCurve, persistenceNull, sublevelPersistence } from "../embedding/quality/persistence.js";
import { neighbourGraph } from "../embedding/quality/trustworthiness.js";
import type {
  EmbeddingMethod,
  EmbeddingStability,
  EmbeddingTopology,
  EmbeddingValue,
} from "../embedding/runs-embedding.js";
import { tsneEmbedding } from "../embedding/tsne-embedding.js";
import { umapEmbedding } from "../embedding/umap-embedding.js";
import type { LinearAlgebra } from "../math/linear-algebra.js";
import { type EmbedOptions, PHATE_PARAMETERS, TSNE_PARAMETERS, UMAP_PARAMETERS } from "./embed-options.js";
import { type RunPoints, rawGram } from "./run-points.js";

/** Coordinates and what the method found beside them. */
export interface EmbeddedCoordinates {
  readonly coordinates: Float64Array;
  readonly facts: Readonly<Record<string, EmbeddingValue>>;
  readonly warnings: readonly LandscapeWarning[];
  /** All of PHATE's result; null for other methods. */
  readonly phate: PhateResult | null;
}

/** What PHATE and the distances of every method start from. */
export function inputOf(points: RunPoints, parameters: Pick<EmbedOptions, "knnDist" | "centered" | "nPca">) {
  const { knnDist = "euclidean", centered = null, nPca = 100 } = parameters;
  const isReduced = nPca !== null && nPca < points.count;
  // Differences keep the digits of near snapshots; the angle of cosine distance without centring is about 0.
  const isRaw = knnDist === "cosine" && !(centered ?? isReduced);
  const input: PhateInput = { gram: isRaw ? rawGram(points) : points.gram, count: points.count };
  return { input, knnDist, centered, nPca };
}

/** The distances that every method but PCA sees. */
async function distancesOf(
  points: RunPoints,
  options: Pick<EmbedOptions, "knnDist" | "centered" | "nPca">,
  linearAlgebra: LinearAlgebra,
): Promise<DistanceSource> {
  const { input, ...map } = inputOf(points, options);
  // The input is a Gram matrix, of which whoever made it has warned: nothing is multiplied here.
  return (await mappedDistances(await createPointMap(input, map, linearAlgebra), linearAlgebra)).source;
}

/** Embeds snapshots by the method asked for. */
export async function embedCoordinates(
  method: EmbeddingMethod,
  points: RunPoints,
  linearAlgebra: LinearAlgebra,
  options: EmbedOptions,
): Promise<EmbeddedCoordinates> {
  const { dimensions = 2, seed = 0, signal, onProgress } = options;
  const common = {
    dimensions,
    seed,
    signal,
    onProgress: (done: number, total: number) => onProgress?.("embedding", done, total),
  };
  const none = { facts: {}, warnings: [], phate: null };
  switch (method) {
    case "phate":
      return embedByPhate(points, linearAlgebra, options);
    case "pca": {
      const { count, gram } = points;
      const found = await pcaEmbedding(gram, count, dimensions, linearAlgebra);
      const facts = { explainedVarianceRatio: Array.from(found.explainedVarianceRatio) };
      return { ...none, coordinates: found.embedding, facts };
    }
    case "umap": {
      const { init = "pca", ...own } = pick(options, UMAP_PARAMETERS);
      const distances = await distancesOf(points, options, linearAlgebra);
      const { count, gram } = points;
      const start =
        init === "pca"
          ? { start: (await pcaEmbedding(gram, count, dimensions, linearAlgebra)).embedding }
          : {};
      return { ...none, coordinates: await umapEmbedding(distances, { ...own, ...start, ...common }) };
    }
    case "tsne": {
      const own = { ...pick(options, TSNE_PARAMETERS), ...common };
      const distances = await distancesOf(points, options, linearAlgebra);
      return { ...none, coordinates: await tsneEmbedding(distances, own) };
    }
  }
}

const STAGES = ["distances", "kernel", "landmarks", "entropy", "potential", "mds"];

async function embedByPhate(
  points: RunPoints,
  linearAlgebra: LinearAlgebra,
  options: EmbedOptions,
): Promise<EmbeddedCoordinates> {
  const { dimensions = 2, seed = 0, signal, onProgress } = options;
  const { input, ...map } = inputOf(points, options);
  const result = await phate(input, linearAlgebra, {
    ...pick(options, PHATE_PARAMETERS),
    ...map,
    dimensions,
    seed,
    signal,
    onProgress: (stage) => onProgress?.("embedding", STAGES.indexOf(stage), STAGES.length),
  });
  return {
    coordinates: result.embedding,
    facts: {
      t: result.t,
      normalizedStress: result.normalizedStress,
      pieces: result.components.count,
      landmarks: result.landmarks === null ? null : result.landmarkEmbedding.length / result.dimensions,
    },
    // Equal snapshots are named with run and step elsewhere.
    warnings: result.warnings.filter(({ code }) => code !== "duplicate-points"),
    phate: result,
  };
}

/** Neighbour counts of PHATE, and how many seeds of the others, that are compared. */
const KNN = [4, 5, 7, 10];
const SEEDS = 4;

/**
 * Embeds the same snapshots with several settings and compares the shapes pair by pair: PHATE with several `knn`,
 * which is what its picture hangs on, UMAP and t-SNE with several seeds.
 */
export async function embeddingStability(
  points: RunPoints,
  linearAlgebra: LinearAlgebra,
  options: EmbedOptions,
): Promise<EmbeddingStability> {
  const { method = "phate", dimensions = 2, seed = 0, knn = DEFAULT_KNN } = options;
  const neighbours = [...new Set([...KNN, knn])].sort((a, b) => a - b).filter((k) => k <= points.count - 2);
  const settings: Record<string, number>[] =
    method === "phate"
      ? neighbours.map((k) => ({ knn: k }))
      : Array.from({ length: SEEDS }, (_, i) => ({ seed: seed + i }));
  const { onProgress, ...rest } = options;
  const embeddings: Float64Array[] = [];
  for (const [i, setting] of settings.entries()) {
    onProgress?.("stability", i, settings.length);
    const changed: EmbedOptions = { ...rest, ...setting };
    const { coordinates } = await embedCoordinates(method, points, linearAlgebra, changed);
    embeddings.push(coordinates);
  }
  onProgress?.("stability", settings.length, settings.length);
  return { settings, ...pairwiseDisparities(embeddings, points.count, dimensions) };
}

/**
 * Neighbours in the diffusion potential that a snapshot is joined to, as Horoi et al. have it for 640 of them; a
 * quarter of few snapshots, for on a complete graph nothing is a basin but the minimum.
 */
const NEIGHBOURS = 20;
const LEVELS = 200;
const LEAST_VERTICES = 4;

/**
 * Returns the sublevel-set persistence of the loss on the graph of nearest neighbours in diffusion potential.
 * Snapshots without a finite loss are left out of the graph.
 *
 * @throws {@link InvalidOptionError} if PHATE used landmarks; {@link InvalidDataError} if too few losses are finite.
 */
export function embeddingTopology(
  { count, landmarks, potentialDistances }: PhateResult,
  loss: Float64Array,
  seed: number,
  signal?: AbortSignal,
): EmbeddingTopology {
  if (landmarks !== null) {
    throw new InvalidOptionError("topology", "nLandmark: null, a potential of every snapshot", "landmarks");
  }
  const rows = Array.from({ length: count }, (_, i) => i).filter((i) => Number.isFinite(loss[i]));
  const n = rows.length;
  if (n < LEAST_VERTICES) {
    const got = `${n} of ${count}`;
    throw new InvalidDataError("topology", `at least ${LEAST_VERTICES} snapshots with a finite loss`, got, {
      hint: "give an evaluator (--data), or the name of a log (--log)",
    });
  }
  const distances = new Float64Array(n * n);
  rows.forEach((row, i) => {
    rows.forEach((column, j) => {
      distances[i * n + j] = potentialDistances[row * count + column] as number;
    });
  });
  const neighbours = Math.min(NEIGHBOURS, Math.ceil(n / 4));
  const graph = neighbourGraph(distancesFromMatrix(distances, n, n), neighbours);
  const values = Float64Array.from(rows, (row) => loss[row] as number);
  const found = sublevelPersistence(graph, values, { complex: "clique" });
  const levels = levelsOf(values);
  const rowOf = (vertex: number): number => (vertex < 0 ? -1 : (rows[vertex] as number));
  return {
    neighbours,
    vertexCount: n,
    edgeCount: graph.edges.length / 2,
    pairs: found.map((pair) => ({
      ...pair,
      birthVertex: rowOf(pair.birthVertex),
      deathVertex: rowOf(pair.deathVertex),
    })),
    levels,
    betti0: bettiCurve(found, 0, levels),
    betti1: bettiCurve(found, 1, levels),
    null: persistenceNull(graph, values, { seed, signal }),
  };
}

/** Levels from the least loss to the largest, evenly spaced in the logarithm where all losses are positive. */
function levelsOf(values: Float64Array): Float64Array {
  const low = values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const high = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  return Float64Array.from({ length: LEVELS }, (_, i) => {
    const share = i / (LEVELS - 1);
    return low > 0 ? low * (high / low) ** share : low + share * (high - low);
  });
}
