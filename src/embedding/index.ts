export {
  alphaDecayKernel,
  type KernelOptions,
  kernelToPoints,
  symmetrizeKernel,
} from "./alpha-decay-kernel.js";
export { type ClassicMdsOptions, classicMds } from "./classic-mds.js";
export { type ConnectedComponents, connectedComponents } from "./connected-components.js";
export { diffusionOperator, symmetricDiffusionOperator } from "./diffusion-operator.js";
export { type DiffusionPowerOptions, diffusionPotential, diffusionPower } from "./diffusion-potential.js";
export {
  centerRows,
  type DistanceMetric,
  type DistanceSource,
  distanceMatrix,
  distancesFromGram,
  distancesFromMatrix,
  distancesFromRows,
  type PointRows,
} from "./distance-source.js";
export { embedDistances, type ScalingOptions, type ScalingResult } from "./embed-distances.js";
export { kneePoint } from "./knee-point.js";
export { type LandmarkOperator, type LandmarkOptions, landmarkOperator } from "./landmarks.js";
export { nearestNeighbours } from "./nearest-neighbours.js";
export { type Graph, neighbourGraph } from "./neighbour-graph.js";
export { type NonmetricMdsOptions, nonmetricMds } from "./nonmetric-mds.js";
export { type PairwiseDisparities, pairwiseDisparities } from "./pairwise-disparities.js";
export {
  type PathContinuity,
  type PathContinuityOptions,
  pathContinuity,
} from "./path-continuity.js";
export { type PcaEmbedding, pcaEmbedding } from "./pca-embedding.js";
export {
  type PersistenceOptions,
  type PersistencePair,
  sublevelPersistence,
} from "./persistence.js";
export {
  bettiCurve,
  type PersistenceDiagram,
  persistenceDiagram,
  totalPersistence,
} from "./persistence-diagram.js";
export { type PersistenceNull, type PersistenceNullOptions, persistenceNull } from "./persistence-null.js";
export { type PhateResult, phate } from "./phate.js";
export type { PhateInput } from "./phate-input.js";
export type { PhateOptions, PhateStage, ResolvedPhateOptions } from "./phate-options.js";
export { type PhateStability, type PhateStabilityOptions, phateStability } from "./phate-stability.js";
export { phateTransform } from "./phate-transform.js";
export { centeredGram, type GramMeans, pointGram } from "./point-gram.js";
export type { NewPoints, PointMap } from "./point-map.js";
export { type PrincipalScores, scoresFromGram, scoresFromRows } from "./principal-scores.js";
export { type ProcrustesResult, procrustes } from "./procrustes.js";
export { type RowDistanceOptions, rowDistances } from "./row-distances.js";
export type {
  EmbeddingMethod,
  EmbeddingQuality,
  EmbeddingStability,
  EmbeddingTopology,
  EmbeddingValue,
  RunsEmbedding,
} from "./runs-embedding.js";
export { type SgdMdsOptions, sgdMds } from "./sgd-mds.js";
export { type SmacofOptions, smacof } from "./smacof.js";
export { denseFromSparse, type SparseMatrix, sparseFromDense } from "./sparse-matrix.js";
export { type MdsResult, stressOf } from "./stress.js";
export { type TrustworthinessOptions, trustworthiness } from "./trustworthiness.js";
export { type TsneOptions, tsneEmbedding } from "./tsne-embedding.js";
export { type UmapOptions, umapEmbedding } from "./umap-embedding.js";
export { operatorEntropy, vonNeumannEntropy } from "./von-neumann-entropy.js";
