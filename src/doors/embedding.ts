/**
 * Methods that place points in two or three dimensions, and numbers that say how far to trust
 * the result. The function embedRuns of the main door applies them to runs.
 *
 * @module tfjs-landscape/embedding
 */

// Points and the algebra that methods need

export { type RunPoints, readRunPoints } from "../analysis/run-points.js";
export { createLinearAlgebra } from "../backend/linear-algebra/create-linear-algebra.js";
export {
  type DistanceSource,
  distancesFromGram,
  distancesFromMatrix,
  distancesFromRows,
} from "../embedding/distance-source.js";
export type { LinearAlgebra } from "../math/linear-algebra.js";

// PHATE

export {
  type PhateResult,
  type PhateStability,
  type PhateStabilityOptions,
  phate,
  phateStability,
  phateTransform,
} from "../embedding/phate/phate.js";
export type { PhateInput, PhateOptions } from "../embedding/phate/phate-options.js";

// Other methods

export {
  classicMds,
  embedDistances,
  type ScalingOptions,
  type ScalingResult,
} from "../embedding/mds/embed-distances.js";
export { type PcaEmbedding, pcaEmbedding } from "../embedding/principal-scores.js";
export { type TsneOptions, tsneEmbedding } from "../embedding/tsne-embedding.js";
export { type UmapOptions, umapEmbedding } from "../embedding/umap-embedding.js";

// Quality

export { type ProcrustesResult, procrustes } from "../embedding/mds/procrustes.js";
export { type PathContinuityOptions, pathContinuity } from "../embedding/quality/path-continuity.js";
export { type TrustworthinessOptions, trustworthiness } from "../embedding/quality/trustworthiness.js";

// Topology

export {
  bettiCurve,
  type PersistenceDiagram,
  type PersistencePair,
  persistenceDiagram,
  persistenceNull,
  sublevelPersistence,
  totalPersistence,
} from "../embedding/quality/persistence.js";
export { neighbourGraph } from "../embedding/quality/trustworthiness.js";
