/**
 * Methods that place points in two or three dimensions, and numbers that say how far to trust
 * the result. The function embedRuns of the main door applies them to runs.
 *
 * @module tfjs-landscape/embedding
 */

// Points and the algebra that methods need

export { readRunPoints, type RunPoints } from "../analysis/run-points.js";
export { createLinearAlgebra } from "../backend/linear-algebra/create-linear-algebra.js";
export { distancesFromGram, distancesFromMatrix, distancesFromRows, type DistanceSource } from "../embedding/distance-source.js";
export type { LinearAlgebra } from "../math/linear-algebra.js";

// PHATE

export type { PhateInput } from "../embedding/phate-input.js";
export type { PhateOptions } from "../embedding/phate/phate-options.js";
export { phate, phateStability, phateTransform, type PhateResult, type PhateStability, type PhateStabilityOptions } from "../embedding/phate/phate.js";

// Other methods

export { classicMds } from "../embedding/mds/classic-mds.js";
export { embedDistances, type ScalingOptions, type ScalingResult } from "../embedding/mds/embed-distances.js";
export { pcaEmbedding, type PcaEmbedding } from "../embedding/principal-scores.js";
export { tsneEmbedding, type TsneOptions } from "../embedding/tsne-embedding.js";
export { type UmapOptions, umapEmbedding } from "../embedding/umap-embedding.js";

// Quality

export { procrustes, type ProcrustesResult } from "../embedding/mds/procrustes.js";
export { pathContinuity, type PathContinuityOptions } from "../embedding/quality/path-continuity.js";
export { trustworthiness, type TrustworthinessOptions } from "../embedding/quality/trustworthiness.js";

// Topology

export { bettiCurve, persistenceDiagram, persistenceNull, sublevelPersistence, totalPersistence, type PersistenceDiagram, type PersistencePair } from "../embedding/quality/persistence.js";
export { neighbourGraph } from "../embedding/quality/trustworthiness.js";
