import { kernelToPoints } from "./alpha-decay-kernel.js";
import { affinitiesToClusters, rowNormalized } from "./landmarks.js";
import type { PhateResult } from "./phate.js";
import { distancesToMapped, type NewPoints } from "./point-map.js";
import { multiplySparseDense } from "./sparse-matrix.js";

/**
 * Returns coordinates (M, nComponents) of points outside a PHATE embedding: the mean of the embedded points
 * weighted by affinity to them.
 *
 * The bandwidth of a new point is its distance to the knn-th nearest embedded point. A new point is always
 * placed inside the convex hull of the others. Cost: O(M·N·D).
 *
 * @param points - in the form of the input embedded: rows, products with it, or distances to it.
 * @throws {@link InvalidDataError} if the form, a size or a number is wrong.
 * @see graphtools, `extend_to_data` and `interpolate`.
 */
export function phateTransform(result: PhateResult, points: NewPoints): Float64Array {
  const { knn, decay, thresh, knnMax } = result.options;
  const affinities = kernelToPoints(distancesToMapped(result.map, points), { knn, decay, thresh, knnMax });
  const transitions =
    result.landmarks === null
      ? rowNormalized(affinities)
      : affinitiesToClusters(affinities, result.landmarks.clusters);
  return multiplySparseDense(transitions, result.landmarkEmbedding, result.nComponents);
}
