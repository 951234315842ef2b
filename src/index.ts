// Errors and warnings

// The whole way
export type { AnalysisStep, AnalyzeOptions } from "./analysis/analyze-options.js";
export { type AnalysisTools, analyzePlane, analyzeRuns, type RunsAnalysis } from "./analysis/analyze-runs.js";
export type { ComparedResults } from "./analysis/compare/compare-figures.js";
export type { CompareRunsOptions, CompareStep, OpenEvaluator } from "./analysis/compare/compare-options.js";
export type { RunPlane } from "./analysis/compare/compare-planes.js";
export { compareRuns, type RunsComparison } from "./analysis/compare/compare-runs.js";
export { embed } from "./analysis/embed.js";
export type { EmbedOptions, EmbedStep } from "./analysis/embed-options.js";
// Export and live view
export type {
  ExportFormat,
  ExportOptions,
} from "./analysis/export/export-run.js";
export { type ExportedFile, type ExportResult, exportRun } from "./analysis/export/export-run.js";
export {
  type InterpolateModelsOptions,
  interpolateModels,
  type SliceRandomLinesOptions,
  sliceRandomLines,
} from "./analysis/line-stage.js";
export { type ModelPoint, modelPoint, openModelPoint } from "./analysis/model-point.js";
export type { PlaneStage } from "./analysis/pca-stage.js";
export type { PlanePointsOptions, SlicePlane } from "./analysis/plane-points.js";
export { type EvaluatedPlane, type EvaluatePlaneOptions, evaluatePlane } from "./analysis/plane-stage.js";
export { readAnalysis } from "./analysis/read-analysis.js";
export { readStoredFigures, type StoredFigures } from "./analysis/read-stored-figures.js";
export { type RunRowSource, rowSourceOfRuns } from "./analysis/row-source.js";
export { type RunPoints, type RunPointsOptions, rawGram, readRunPoints } from "./analysis/run-points.js";
export type { SliceOptions } from "./analysis/slice-options.js";
export {
  type AnalyzeWeightsOptions,
  analyzeWeights,
  type WeightsAnalysis,
} from "./analysis/weights-stage.js";
export {
  type NamedFigure,
  type ReportFormat,
  type WriteReportOptions,
  writeReport,
} from "./analysis/write-report.js";
// Backend
export {
  type BackendChoice,
  type BackendInfo,
  type BackendName,
  currentBackend,
  describeBackend,
} from "./backend/current-backend.js";
export { explainKernelError } from "./backend/explain-kernel-error.js";
export { createLinearAlgebra } from "./backend/linear-algebra/create-linear-algebra.js";
export { type SelectBackendOptions, selectBackend } from "./backend/select-backend.js";
export {
  BackendError,
  EvaluationError,
  FormatError,
  InvalidDataError,
  InvalidOptionError,
  LandscapeError,
  type LandscapeErrorCode,
  type LandscapeErrorOptions,
  LayoutError,
  MissingDependencyError,
  RunStateError,
} from "./base/errors.js";
export type { JsonNumber } from "./base/json.js";
export { type JsonValue, type Provenance, provenanceDigest } from "./base/provenance.js";
export type { LandscapeWarning } from "./base/warning.js";
// Capture (the callbacks are in "tfjs-landscape/callbacks")
export { createTrajectoryRecorder, type TrajectoryRecorderOptions } from "./capture/create-recorder.js";
export type {
  CapturedWeights,
  CaptureOptions,
  RecorderPosition,
  TrajectoryRecorder,
} from "./capture/recorder.js";
export type { CaptureSchedule, ScheduleRule } from "./capture/schedule.js";
// Slices: lines, planes between models, weights, sharpness
export {
  type BetweenModelsOptions,
  betweenModels,
  type CustomDirectionsOptions,
  customDirections,
  type IneffectiveOptions,
  type IneffectivePlane,
  ineffectiveDirections,
} from "./directions/between-models.js";
// Directions and trajectories
export type { ColumnRange, ColumnSelectionOptions } from "./directions/column-selection.js";
export type { Directions, RowSource } from "./directions/directions.js";
export { memoryRowSource } from "./directions/directions.js";
export { type Mixture, type MixtureForm, mixtureMap } from "./directions/mixture.js";
export { type Normalization, type NormalizeOptions, normalizeDirection } from "./directions/normalize.js";
export type { PcaCentering, PcaOptions } from "./directions/pca.js";
export { type PcaDirections, pcaDirections } from "./directions/pca.js";
export type { Trajectory } from "./directions/project.js";
export { type ProjectOptions, projectTrajectory } from "./directions/project.js";
export {
  type RandomDirections,
  type RandomDirectionsOptions,
  randomDirections,
} from "./directions/random.js";
export { type RandomWalkOptions, randomWalkBaseline } from "./directions/random-walk.js";
export type { GramPrecision } from "./directions/row-products.js";
export type { SliceMap, SlicePoints } from "./directions/slice-map.js";
export { type SolutionDistances, solutionDistances } from "./directions/solution-distances.js";
export {
  type WeightHistogram,
  type WeightHistogramOptions,
  type WeightHistograms,
  weightHistograms,
} from "./directions/weight-histogram.js";
export {
  type FilterNorms,
  type LayerNorms,
  type ThetaSource,
  type WeightStatistics,
  type WeightStatisticsOptions,
  weightStatistics,
} from "./directions/weight-statistics.js";
// Embeddings
export {
  alphaDecayKernel,
  bettiCurve,
  type ClassicMdsOptions,
  type ConnectedComponents,
  centeredGram,
  centerRows,
  classicMds,
  connectedComponents,
  type DiffusionPowerOptions,
  type DistanceMetric,
  type DistanceSource,
  denseFromSparse,
  diffusionOperator,
  diffusionPotential,
  diffusionPower,
  distanceMatrix,
  distancesFromGram,
  distancesFromMatrix,
  distancesFromRows,
  type EmbeddingMethod,
  type EmbeddingQuality,
  type EmbeddingStability,
  type EmbeddingTopology,
  type EmbeddingValue,
  embedDistances,
  type GramMeans,
  type Graph,
  type KernelOptions,
  kernelToPoints,
  kneePoint,
  type LandmarkOperator,
  type LandmarkOptions,
  landmarkOperator,
  type MdsResult,
  type NewPoints,
  type NonmetricMdsOptions,
  nearestNeighbours,
  neighbourGraph,
  nonmetricMds,
  operatorEntropy,
  type PairwiseDisparities,
  type PathContinuity,
  type PathContinuityOptions,
  type PcaEmbedding,
  type PersistenceDiagram,
  type PersistenceNull,
  type PersistenceNullOptions,
  type PersistenceOptions,
  type PersistencePair,
  type PhateInput,
  type PhateOptions,
  type PhateResult,
  type PhateStability,
  type PhateStabilityOptions,
  type PhateStage,
  type PointMap,
  type PointRows,
  type PrincipalScores,
  type ProcrustesResult,
  pairwiseDisparities,
  pathContinuity,
  pcaEmbedding,
  persistenceDiagram,
  persistenceNull,
  phate,
  phateStability,
  phateTransform,
  pointGram,
  procrustes,
  type ResolvedPhateOptions,
  type RowDistanceOptions,
  type RunsEmbedding,
  rowDistances,
  type ScalingOptions,
  type ScalingResult,
  type SgdMdsOptions,
  type SmacofOptions,
  type SparseMatrix,
  scoresFromGram,
  scoresFromRows,
  sgdMds,
  smacof,
  sparseFromDense,
  stressOf,
  sublevelPersistence,
  symmetricDiffusionOperator,
  symmetrizeKernel,
  type TrustworthinessOptions,
  type TsneOptions,
  totalPersistence,
  trustworthiness,
  tsneEmbedding,
  type UmapOptions,
  umapEmbedding,
  vonNeumannEntropy,
} from "./embedding/index.js";
// Figures and reports
export {
  type ContourScale,
  type ContourScaleOptions,
  createContourScale,
} from "./figure/draw/contour-scale.js";
export type { DrawOptions, SceneView } from "./figure/draw/figure-frame.js";
export { figureOption, figureSize } from "./figure/draw/figure-option.js";
export type { ThemeName } from "./figure/draw/palette.js";
export { tableCsv } from "./figure/draw/table-panel.js";
export type {
  ColorScale,
  CurvesAxis,
  CurvesPanel,
  Figure,
  FigureAxis,
  FigureText,
  Interpolation,
  MapMark,
  MapPanel,
  Panel,
  Path,
  Progress,
  RunData,
  ScatterPanel,
  Series,
  Setting,
  SnapshotColumn,
  TableCell,
  TableColumn,
  TableGroup,
  TablePanel,
  TableRow,
  UprightMark,
} from "./figure/figure.js";
export { type RenderGifOptions, renderGif } from "./figure/files/encode-gif.js";
export type { TableKind } from "./figure/files/export-table.js";
export type { PathAnimationOptions } from "./figure/files/path-animation.js";
export { type ReportData, renderHtml } from "./figure/files/render-html.js";
export { type RenderPngOptions, renderPng } from "./figure/files/render-png.js";
export { type PictureSize, renderSvg } from "./figure/files/render-svg.js";
export type { AccuracyForm } from "./figure/make/chart-parts.js";
export {
  type ComparedLinesOptions,
  createComparedLinesFigure,
  type RunLines,
} from "./figure/make/create-compared-lines-figure.js";
export {
  type ComparedFacts,
  type ComparisonTableInput,
  createComparisonTable,
  type SetScores,
} from "./figure/make/create-comparison-table.js";
export {
  createEmbeddingFigure,
  type EmbeddingColor,
  type EmbeddingFigureOptions,
} from "./figure/make/create-embedding-figure.js";
export { createLineFigure, type LineFigureOptions } from "./figure/make/create-line-figure.js";
export { createMapsFigure, type MapsFigureInput } from "./figure/make/create-maps-figure.js";
export {
  createPlanesFigure,
  type PlaneInput,
  type PlanesFigureInput,
} from "./figure/make/create-planes-figure.js";
export { createTopologyFigure } from "./figure/make/create-topology-figure.js";
export {
  createTrainingFigure,
  type RunCurves,
  type TrainingFigureOptions,
} from "./figure/make/create-training-figure.js";
export {
  createTrajectoryFigure,
  type FigureAxesInput,
  type TrajectoryFigureInput,
} from "./figure/make/create-trajectory-figure.js";
export {
  createAngleFigure,
  createHistogramFigure,
  createNormsFigure,
  type RunAngles,
  type RunNorms,
} from "./figure/make/create-weights-figures.js";
export type { FigurePathInput } from "./figure/make/run-data.js";
export { runSettings } from "./figure/make/run-settings.js";
export { withScale } from "./figure/make/with-scale.js";
export { inSpace } from "./figure/space/surface-panel.js";
export type { LiveFeedOptions } from "./live/live-feed.js";
export { type LiveView, type LiveViewOptions, startLiveView } from "./live/start-live-view.js";
export type { BatchNormPolicyName } from "./loss/batch-norm-policy.js";
export {
  type CalibrationOptions,
  createLossEvaluator,
  type LossEvaluatorOptions,
} from "./loss/create-loss-evaluator.js";
// Loss and surface
export type { EngineChoice } from "./loss/engine/engine-options.js";
export type {
  BatchDataset,
  BatchIterator,
  EvaluationData,
  NamedTensors,
  TensorData,
} from "./loss/evaluation-data.js";
export {
  type FunctionEvaluatorOptions,
  functionEvaluator,
  type LossOfTheta,
} from "./loss/function-evaluator.js";
export type {
  CalibrationFacts,
  EngineInfo,
  EngineRequest,
  EvaluatorFacts,
  LossEvaluator,
  LossMode,
  LossValue,
  OtherDataOptions,
  PointEvaluation,
  SampleEvaluator,
  SampleValues,
  SliceEvaluation,
  SliceLoss,
  ThetaEvaluation,
} from "./loss/loss-evaluator.js";
export type { BatchLossFunction } from "./loss/loss-evaluator-options.js";
export { openSlice } from "./loss/slice-loss.js";
export type { LinearAlgebra, SymmetricEigen } from "./math/linear-algebra.js";
// Parameters
export {
  assignVariables,
  assignWeights,
  type BoundWeights,
  bindModel,
  bindVariables,
  readVariables,
  readWeights,
} from "./model/bound-weights.js";
export type { FitParameters } from "./model/describe-training.js";
export type {
  LayoutOptions,
  Parameter,
  ParameterDescription,
  ParameterLayout,
  ParameterRole,
} from "./model/layout.js";
export { layoutOfModel, layoutOfVariables, type VariableCollection } from "./model/layout-of-model.js";
export type { RunDescription, RunManifest, RunResume } from "./model/manifest.js";
export { assertSameLayout, type MatchLayoutOptions, matchLayout } from "./model/match-layout.js";
export { modelFromManifest } from "./model/model-from-manifest.js";
// Run directories and stored results
export { readDirections, writeDirections } from "./store/kinds/directions-file.js";
export { readEmbedding, writeEmbedding } from "./store/kinds/embedding-file.js";
export { readLineSlice, writeLineSlice } from "./store/kinds/line-file.js";
export { readSurface, writeSurface } from "./store/kinds/surface-file.js";
export { type InterruptedSurface, readInterruptedSurface } from "./store/kinds/surface-journal.js";
export { readTrajectory, writeTrajectory } from "./store/kinds/trajectory-file.js";
export {
  readHistograms,
  readStepAngles,
  readWeightStatistics,
  writeHistograms,
  writeStepAngles,
  writeWeightStatistics,
} from "./store/kinds/weights-file.js";
export type { SnapshotTarget } from "./store/run/encode-snapshot.js";
export { openRun } from "./store/run/open-run.js";
export type { Run, Snapshot, SnapshotInfo } from "./store/run/run.js";
export {
  createRunWriter,
  type ManifestPatch,
  type RunWriter,
  type RunWriterOptions,
} from "./store/run/run-writer.js";
export type { ThetaDtype } from "./store/run/snapshot-schema.js";
export type { ApproximateOptions } from "./surface/approximate/approximate-surface.js";
export {
  type ApproximateSurfaceOptions,
  approximateSurface,
} from "./surface/approximate/approximate-surface.js";
// Approximate surfaces
export type { ApproximatedPoint } from "./surface/approximate/point-evaluator.js";
export { coarseToFine, fillPartial } from "./surface/coarse-to-fine.js";
export type { OnPointProgress, SurfaceBudget } from "./surface/evaluate-points.js";
export { type EvaluateSurfaceOptions, evaluateLine, evaluateSurface } from "./surface/evaluate-surface.js";
export { evaluateFidelity, type FidelityOptions } from "./surface/fidelity.js";
export type { AxisRange, PointOrder } from "./surface/grid.js";
export { createGrid, type GridOptions, type GridRange, parseRange } from "./surface/grid.js";
export {
  type EpsilonSharpness,
  type EpsilonSharpnessOptions,
  epsilonSharpness,
} from "./surface/lines/epsilon-sharpness.js";
export type { LineOptions, LinePoint } from "./surface/lines/evaluate-lines.js";
export {
  type InterpolateLineOptions,
  interpolateLine,
  type RandomLinesOptions,
  randomLines,
} from "./surface/lines/evaluate-lines.js";
export { evaluateOnSets, type SetSurface, surfaceDifference } from "./surface/lines/evaluate-sets.js";
export type { EvaluationSet, LineCurve, LineMark, LineSlice } from "./surface/lines/level-set-width.js";
export {
  commonRise,
  type LevelSetWidth,
  type LevelSetWidths,
  levelSetWidth,
  levelSetWidths,
  type MeanLossRise,
  meanLossRise,
  type SeedBand,
  type SeedBandOptions,
  seedBand,
} from "./surface/lines/level-set-width.js";
export { type SampledSurface, type StepAngles, stepAngles, surfaceGradient } from "./surface/step-angles.js";
export type {
  Approximation,
  ApproximationSettings,
  Grid,
  PartialSurface,
  Surface,
} from "./surface/surface.js";
export { CENTER_INDEX, type EvaluatedPoint } from "./surface/surface.js";
// Jumps
export { type JumpStudy, jumpAndRetrain } from "./training/jump-and-retrain.js";
export type { Jump, JumpData, JumpOptions, JumpRun } from "./training/jump-options.js";
export type { RetrainOptimizerName } from "./training/retrain-optimizer.js";
