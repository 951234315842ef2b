import { type DistanceSource, distancesFromGram, distancesFromRows } from "../embedding/distance-source.js";
import { pathContinuity } from "../embedding/path-continuity.js";
import { centeredGram } from "../embedding/point-gram.js";
import type { EmbeddingQuality } from "../embedding/runs-embedding.js";
import { trustworthiness } from "../embedding/trustworthiness.js";
import { inputOf } from "./embed-coordinates.js";
import type { EmbedOptions } from "./embed-options.js";
import type { RunPoints } from "./run-points.js";

/** Returns the quality of an embedding against the distances between the weights themselves. */
export function embeddingQuality(
  coordinates: Float64Array,
  points: RunPoints,
  options: EmbedOptions,
): EmbeddingQuality {
  const { count, run } = points;
  const { components = 2 } = options;
  const embedded = distancesFromRows({ rows: coordinates, count, dimension: components }, "euclidean");
  const nNeighbors = Math.max(1, Math.min(5, Math.ceil(count / 2) - 1));
  const continuity = pathContinuity(embedded, run, { nNeighbors });
  return {
    trustworthiness: trustworthiness(exactDistances(points, options), embedded, { nNeighbors }),
    pathContinuity: continuity.mean,
    pathContinuityPerRun: continuity.perPath,
    nNeighbors,
  };
}

/** Distances without the loss of a principal component stage, centred where the embedding was. */
function exactDistances(points: RunPoints, options: EmbedOptions): DistanceSource {
  const { input, knnDist } = inputOf(points, options);
  const { gram } = input as { readonly gram: Float64Array };
  const isCentred = knnDist === "cosine" && gram === points.gram;
  return distancesFromGram(isCentred ? centeredGram(gram, points.count) : gram, points.count, knnDist);
}
