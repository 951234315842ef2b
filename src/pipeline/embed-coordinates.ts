import pick from "lodash/pick.js";
import type { DistanceSource } from "../embedding/distance-source.js";
import { pcaEmbedding } from "../embedding/pca-embedding.js";
import { type PhateResult, phate } from "../embedding/phate.js";
import type { PhateInput } from "../embedding/phate-input.js";
import { createPointMap, mappedDistances } from "../embedding/point-map.js";
import type { EmbeddingMethod, EmbeddingValue } from "../embedding/runs-embedding.js";
import { tsneEmbedding } from "../embedding/tsne-embedding.js";
import { umapEmbedding } from "../embedding/umap-embedding.js";
import type { LinearAlgebra } from "../math/linear-algebra.js";
import type { LandscapeWarning } from "../warning.js";
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
export function inputOf(points: RunPoints, parameters: Pick<EmbedOptions, "knnDist" | "center" | "nPca">) {
  const { knnDist = "euclidean", center = null, nPca = 100 } = parameters;
  const isReduced = nPca !== null && nPca < points.count;
  // Differences keep the digits of near snapshots; the angle of cosine distance without centring is about 0.
  const isRaw = knnDist === "cosine" && !(center ?? isReduced);
  const input: PhateInput = { gram: isRaw ? rawGram(points) : points.gram, count: points.count };
  return { input, knnDist, center, nPca };
}

/** The distances that every method but PCA sees. */
async function distancesOf(
  points: RunPoints,
  options: Pick<EmbedOptions, "knnDist" | "center" | "nPca">,
  linearAlgebra: LinearAlgebra,
): Promise<DistanceSource> {
  const { input, ...map } = inputOf(points, options);
  return mappedDistances(await createPointMap(input, map, linearAlgebra), linearAlgebra);
}

/** Embeds snapshots by the method asked for. */
export async function embedCoordinates(
  method: EmbeddingMethod,
  points: RunPoints,
  linearAlgebra: LinearAlgebra,
  options: EmbedOptions,
): Promise<EmbeddedCoordinates> {
  const { components = 2, seed = 0, signal, onProgress } = options;
  const common = {
    nComponents: components,
    seed,
    ...(signal === undefined ? {} : { signal }),
    onProgress: (done: number, total: number) => onProgress?.("embedding", done, total),
  };
  const none = { facts: {}, warnings: [], phate: null };
  switch (method) {
    case "phate":
      return embedByPhate(points, linearAlgebra, options);
    case "pca": {
      const { count, gram } = points;
      const found = await pcaEmbedding(gram, count, components, linearAlgebra);
      const facts = { explainedVarianceRatio: Array.from(found.explainedVarianceRatio) };
      return { ...none, coordinates: found.embedding, facts };
    }
    case "umap": {
      const { init = "pca", ...own } = pick(options, UMAP_PARAMETERS);
      const distances = await distancesOf(points, options, linearAlgebra);
      const { count, gram } = points;
      const start =
        init === "pca"
          ? { start: (await pcaEmbedding(gram, count, components, linearAlgebra)).embedding }
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
  const { components = 2, seed = 0, signal, onProgress } = options;
  const { input, ...map } = inputOf(points, options);
  const result = await phate(input, linearAlgebra, {
    ...pick(options, PHATE_PARAMETERS),
    ...map,
    nComponents: components,
    randomState: seed,
    ...(signal === undefined ? {} : { signal }),
    onProgress: (stage) => onProgress?.("embedding", STAGES.indexOf(stage), STAGES.length),
  });
  return {
    coordinates: result.embedding,
    facts: {
      t: result.t,
      normalizedStress: result.normalizedStress,
      pieces: result.components.count,
      landmarks: result.landmarks === null ? null : result.landmarkEmbedding.length / result.nComponents,
    },
    // Equal snapshots are named with run and step elsewhere.
    warnings: result.warnings.filter(({ code }) => code !== "duplicate-points"),
    phate: result,
  };
}
