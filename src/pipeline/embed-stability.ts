import { pairwiseDisparities } from "../embedding/pairwise-disparities.js";
import type { EmbeddingStability } from "../embedding/runs-embedding.js";
import type { LinearAlgebra } from "../math/linear-algebra.js";
import { embedCoordinates } from "./embed-coordinates.js";
import type { EmbedOptions } from "./embed-options.js";
import type { RunPoints } from "./run-points.js";

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
  const { method = "phate", components = 2, seed = 0, knn = 5 } = options;
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
  return { settings, ...pairwiseDisparities(embeddings, points.count, components) };
}
