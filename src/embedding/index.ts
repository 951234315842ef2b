export {
  centerRows,
  type DistanceMetric,
  type DistanceSource,
  distanceMatrix,
  distancesFromGram,
  distancesFromMatrix,
  distancesFromRows,
  type PointRows,
  type RowDistanceOptions,
  rowDistances,
} from "./distance-source.js";
export { type ClassicMdsOptions, classicMds } from "./mds/classic-mds.js";
export { embedDistances, type ScalingOptions, type ScalingResult } from "./mds/embed-distances.js";
export { type NonmetricMdsOptions, nonmetricMds } from "./mds/nonmetric-mds.js";
export {
  type PairwiseDisparities,
  type ProcrustesResult,
  pairwiseDisparities,
  procrustes,
} from "./mds/procrustes.js";
export { type SgdMdsOptions, sgdMds } from "./mds/sgd-mds.js";
export { type SmacofOptions, smacof } from "./mds/smacof.js";
export { type MdsResult, stressOf } from "./mds/stress.js";
export {
  alphaDecayKernel,
  type KernelOptions,
  kernelToPoints,
  symmetrizeKernel,
} from "./phate/alpha-decay-kernel.js";
export {
  type DiffusionPowerOptions,
  diffusionPotential,
  diffusionPower,
  kneePoint,
  operatorEntropy,
  vonNeumannEntropy,
} from "./phate/diffusion-potential.js";
export { type LandmarkOperator, type LandmarkOptions, landmarkOperator } from "./phate/landmarks.js";
export {
  type PhateResult,
  type PhateStability,
  type PhateStabilityOptions,
  phate,
  phateStability,
  phateTransform,
} from "./phate/phate.js";
export type { PhateOptions, PhateStage, ResolvedPhateOptions } from "./phate/phate-options.js";
export type { NewPoints, PointMap } from "./phate/point-map.js";
export {
  type ConnectedComponents,
  connectedComponents,
  denseFromSparse,
  diffusionOperator,
  type SparseMatrix,
  sparseFromDense,
  symmetricDiffusionOperator,
} from "./phate/sparse-matrix.js";
export type { PhateInput } from "./phate-input.js";
export { centeredGram, type GramMeans, pointGram } from "./point-gram.js";
export {
  type PcaEmbedding,
  type PrincipalScores,
  pcaEmbedding,
  scoresFromGram,
  scoresFromRows,
} from "./principal-scores.js";
export {
  type PathContinuity,
  type PathContinuityOptions,
  pathContinuity,
} from "./quality/path-continuity.js";
export {
  bettiCurve,
  type PersistenceDiagram,
  type PersistenceNull,
  type PersistenceNullOptions,
  type PersistenceOptions,
  type PersistencePair,
  persistenceDiagram,
  persistenceNull,
  sublevelPersistence,
  totalPersistence,
} from "./quality/persistence.js";
export {
  type Graph,
  nearestNeighbours,
  neighbourGraph,
  type TrustworthinessOptions,
  trustworthiness,
} from "./quality/trustworthiness.js";
export type {
  EmbeddingMethod,
  EmbeddingQuality,
  EmbeddingStability,
  EmbeddingTopology,
  EmbeddingValue,
  RunsEmbedding,
} from "./runs-embedding.js";
export { type TsneOptions, tsneEmbedding } from "./tsne-embedding.js";
export { type UmapOptions, umapEmbedding } from "./umap-embedding.js";
