// Errors and warnings

export type { ApproximateOptions } from "./approximate/approximate-options.js";
export { type ApproximateSurfaceOptions, approximateSurface } from "./approximate/approximate-surface.js";
// Approximate surfaces
export type { ApproximatedPoint } from "./approximate/approximated-point.js";
// Backend
export {
  type BackendChoice,
  type BackendInfo,
  type BackendName,
  describeBackend,
} from "./backend/backend-info.js";
export { currentBackend } from "./backend/current-backend.js";
export { explainKernelError } from "./backend/explain-kernel-error.js";
export { createLinearAlgebra } from "./backend/linear-algebra/create-linear-algebra.js";
export { type SelectBackendOptions, selectBackend } from "./backend/select-backend.js";
// Capture (the callbacks are in "tfjs-landscape/callbacks")
export { createTrajectoryRecorder, type TrajectoryRecorderOptions } from "./capture/create-recorder.js";
export type { CapturedWeights, RecorderPosition, TrajectoryRecorder } from "./capture/recorder.js";
export type { CaptureOptions } from "./capture/recorder-options.js";
export type { CaptureSchedule, ScheduleRule } from "./capture/schedule.js";
export type { FitParameters } from "./capture/training-facts.js";
// Slices: lines, planes between models, weights, sharpness
export { type BetweenModelsOptions, betweenModels } from "./directions/between-models.js";
// Directions and trajectories
export type { ColumnRange, ColumnSelectionOptions } from "./directions/column-selection.js";
export { type CustomDirectionsOptions, customDirections } from "./directions/custom.js";
export type { GramPrecision } from "./directions/difference-gram.js";
export type { Directions, RowSource } from "./directions/directions.js";
export {
  type IneffectiveOptions,
  type IneffectivePlane,
  ineffectiveDirections,
} from "./directions/ineffective.js";
export { memoryRowSource } from "./directions/memory-rows.js";
export { type Normalization, type NormalizeOptions, normalizeDirection } from "./directions/normalize.js";
export { type PcaDirections, pcaDirections } from "./directions/pca.js";
export type { PcaCenter, PcaOptions } from "./directions/pca-options.js";
export {
  type RandomDirections,
  type RandomDirectionsOptions,
  randomDirections,
} from "./directions/random.js";
export { type RandomWalkOptions, randomWalkBaseline } from "./directions/random-walk.js";
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
// Loss and surface
export { createEngineEvaluator } from "./engine/create-engine-evaluator.js";
export type { EngineEvaluator } from "./engine/engine-evaluator.js";
export type { EngineChoice, EngineEvaluatorOptions } from "./engine/engine-options.js";
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
} from "./errors.js";
// Export and live view
export type {
  ExportFormat,
  ExportOptions,
} from "./export/export-options.js";
export { type ExportedFile, type ExportResult, exportRun } from "./export/export-run.js";
export type { TableKind } from "./export/export-table.js";
export type { PathAnimationOptions } from "./export/path-animation.js";
export { type RenderGifOptions, renderGif } from "./export/render-gif.js";
// Jumps
export { type JumpStudy, jumpAndRetrain } from "./jump/jump-and-retrain.js";
export type { JumpData, JumpOptions } from "./jump/jump-options.js";
export type { Jump, JumpRun } from "./jump/jump-run.js";
export type { RetrainOptimizerName } from "./jump/retrain-optimizer.js";
export type { LiveFeedOptions } from "./live/live-feed.js";
export { type LiveView, type LiveViewOptions, startLiveView } from "./live/start-live-view.js";
export type { LinearAlgebra, SymmetricEigen } from "./math/linear-algebra.js";
export { createLossEvaluator } from "./model/create-loss-evaluator.js";
export {
  createRecalibrator,
  type ModelRecalibrator,
  type RecalibratorOptions,
} from "./model/create-recalibrator.js";
export type {
  BatchDataset,
  BatchIterator,
  EvaluationData,
  NamedTensors,
  TensorData,
} from "./model/evaluation-data.js";
export {
  type FunctionEvaluatorOptions,
  functionEvaluator,
  type LossOfTheta,
} from "./model/function-evaluator.js";
export type {
  EngineInfo,
  EngineRequest,
  LossEvaluator,
  LossMode,
  LossValue,
} from "./model/loss-evaluator.js";
export type { BatchLossFunction, LossEvaluatorOptions } from "./model/loss-evaluator-options.js";
export { modelFromManifest } from "./model/model-from-manifest.js";
export type { PlaneLoss, PlaneVectors } from "./model/plane-loss.js";
export type { SampleAccess, SampleEvaluator, SampleValues } from "./model/sample-evaluator.js";
// Parameters
export { type BoundWeights, bindModel, bindVariables } from "./params/bound-weights.js";
export type { LayoutOptions, ParameterDescription } from "./params/build-layout.js";
export type { Parameter, ParameterLayout, ParameterRole } from "./params/layout.js";
export { layoutOfModel } from "./params/layout-of-model.js";
export { layoutOfVariables, type VariableCollection } from "./params/layout-of-variables.js";
export { assertSameLayout, type MatchLayoutOptions, matchLayout } from "./params/match-layout.js";
export { assignVariables, assignWeights, readVariables, readWeights } from "./params/model-weights.js";
// The whole way
export type { AnalysisStep, AnalyzeOptions } from "./pipeline/analyze-options.js";
export { analyzePlane } from "./pipeline/analyze-plane.js";
export { type AnalysisTools, analyzeRuns, type RunsAnalysis } from "./pipeline/analyze-runs.js";
export type { ComparedResults } from "./pipeline/compare-figures.js";
export type { CompareRunsOptions, CompareStep, OpenEvaluator } from "./pipeline/compare-options.js";
export type { RunPlane } from "./pipeline/compare-planes.js";
export { compareRuns, type RunsComparison } from "./pipeline/compare-runs.js";
export { embed } from "./pipeline/embed.js";
export type { EmbedOptions, EmbedStep } from "./pipeline/embed-options.js";
export {
  type InterpolateModelsOptions,
  interpolateModels,
  type SliceRandomLinesOptions,
  sliceRandomLines,
} from "./pipeline/line-stage.js";
export { type ModelPoint, modelPoint, openModelPoint } from "./pipeline/model-point.js";
export type { PlaneStage } from "./pipeline/pca-stage.js";
export type { PlanePointsOptions, SlicePlane } from "./pipeline/plane-points.js";
export { type EvaluatedPlane, type EvaluatePlaneOptions, evaluatePlane } from "./pipeline/plane-stage.js";
export { readAnalysis } from "./pipeline/read-analysis.js";
export { readStoredFigures, type StoredFigures } from "./pipeline/read-stored-figures.js";
export { type RunRowSource, rowSourceOfRuns } from "./pipeline/row-source.js";
export { type RunPoints, type RunPointsOptions, rawGram, readRunPoints } from "./pipeline/run-points.js";
export type { SliceOptions } from "./pipeline/slice-options.js";
export {
  type AnalyzeWeightsOptions,
  analyzeWeights,
  type WeightsAnalysis,
} from "./pipeline/weights-stage.js";
export {
  type NamedFigure,
  type ReportFormat,
  type WriteReportOptions,
  writeReport,
} from "./pipeline/write-report.js";
export { type AnyFigure, figureOption, figureSize } from "./report/any-figure.js";
export type { ChartAxis, ChartFigure, ChartMark, ChartPanel, ChartSeries } from "./report/chart-figure.js";
export { chartOption, chartSize } from "./report/chart-option.js";
export type { AccuracyForm } from "./report/chart-parts.js";
// Figures and reports
export { type ContourScale, type ContourScaleOptions, createContourScale } from "./report/contour-scale.js";
export type { Interpolation } from "./report/contours.js";
export {
  type ComparedLinesOptions,
  createComparedLinesFigure,
  type RunLines,
} from "./report/create-compared-lines-figure.js";
export {
  type ComparedFacts,
  type ComparisonTableInput,
  createComparisonTable,
  type SetScores,
} from "./report/create-comparison-table.js";
export { createEmbeddingFigure, type EmbeddingFigureOptions } from "./report/create-embedding-figure.js";
export { createLineFigure, type LineFigureOptions } from "./report/create-line-figure.js";
export { createMapsFigure, type MapsFigureInput } from "./report/create-maps-figure.js";
export {
  createPlanesFigure,
  type PlaneInput,
  type PlanesFigureInput,
} from "./report/create-planes-figure.js";
export { createProgressFigure } from "./report/create-progress-figure.js";
export { createTopologyFigure } from "./report/create-topology-figure.js";
export {
  createTrainingFigure,
  type RunCurves,
  type TrainingFigureOptions,
} from "./report/create-training-figure.js";
export { createTrajectoryFigure, type TrajectoryFigureInput } from "./report/create-trajectory-figure.js";
export {
  createAngleFigure,
  createHistogramFigure,
  createNormsFigure,
  type RunAngles,
  type RunNorms,
} from "./report/create-weights-figures.js";
export type {
  ColorScale,
  EmbeddingColor,
  EmbeddingFigure,
  EmbeddingPath,
  EmbeddingPoint,
} from "./report/embedding-figure.js";
export type { EmbeddingLayoutOptions } from "./report/embedding-layout.js";
export { type EmbeddingOptionOptions, embeddingOption, embeddingSize } from "./report/embedding-option.js";
export type { EmbeddingView } from "./report/embedding-scene.js";
export type {
  FigureAxis,
  FigurePath,
  FigurePoint,
  FigureSurface,
  Progress,
  Setting,
  TrajectoryFigure,
} from "./report/figure.js";
export type { FigureAxesInput } from "./report/figure-axis.js";
export type { FigurePathInput } from "./report/figure-path.js";
export type { JsonNumber } from "./report/json-number.js";
export type { MapMark, MapPanel, MapRun, MapsFigure } from "./report/maps-figure.js";
export { mapsOption, mapsSize } from "./report/maps-option.js";
export type { ThemeName } from "./report/palette.js";
export { type ReportData, renderHtml } from "./report/render-html.js";
export { type RenderPngOptions, renderPng } from "./report/render-png.js";
export { type PictureSize, renderSvg } from "./report/render-svg.js";
export { runSettings } from "./report/run-settings.js";
export { DEFAULT_VIEW, type SceneView } from "./report/scene-view.js";
export type { SurfaceLayoutOptions } from "./report/surface-layout.js";
export { type SurfaceOptionOptions, surfaceOption, surfaceSize } from "./report/surface-option.js";
export { tableCsv } from "./report/table-csv.js";
export type { TableCell, TableColumn, TableFigure, TableGroup, TableRow } from "./report/table-figure.js";
export { tableOption, tableSize } from "./report/table-option.js";
export type { TrajectoryLayoutOptions } from "./report/trajectory-layout.js";
export {
  type TrajectoryOptionOptions,
  trajectoryOption,
  trajectorySize,
} from "./report/trajectory-option.js";
export { withScaleKind } from "./report/with-scale-kind.js";
export {
  type EpsilonSharpness,
  type EpsilonSharpnessOptions,
  epsilonSharpness,
} from "./slices/epsilon-sharpness.js";
export type { LineOptions, LinePoint } from "./slices/evaluate-lines.js";
export { evaluateOnSets, type SetSurface, surfaceDifference } from "./slices/evaluate-sets.js";
export { type InterpolateLineOptions, interpolateLine } from "./slices/interpolate-line.js";
export { type LevelSetWidth, levelSetWidth } from "./slices/level-set-width.js";
export { commonRise, type LevelSetWidths, levelSetWidths } from "./slices/level-set-widths.js";
export type { EvaluationSet, LineCurve, LineMark, LineSlice } from "./slices/line-slice.js";
export { type MeanLossRise, meanLossRise } from "./slices/mean-loss-rise.js";
export { type RandomLinesOptions, randomLines } from "./slices/random-lines.js";
export { type SeedBand, type SeedBandOptions, seedBand } from "./slices/seed-band.js";
// Run directories and stored results
export { readDirections, writeDirections } from "./store/directions-file.js";
export { readEmbedding, writeEmbedding } from "./store/embedding-file.js";
export { readHistograms, writeHistograms } from "./store/histograms-file.js";
export { readLineSlice, writeLineSlice } from "./store/line-file.js";
export type { RunDescription, RunManifest, RunResume } from "./store/manifest.js";
export { openRun } from "./store/open-run.js";
export { type JsonValue, type Provenance, provenanceDigest } from "./store/provenance.js";
export type { Run, Snapshot, SnapshotInfo } from "./store/run.js";
export {
  createRunWriter,
  type ManifestPatch,
  type RunWriter,
  type RunWriterOptions,
} from "./store/run-writer.js";
export type { ThetaDtype } from "./store/snapshot-schema.js";
export { readStepAngles, writeStepAngles } from "./store/step-angles-file.js";
export { readSurface, writeSurface } from "./store/surface-file.js";
export { type InterruptedSurface, readInterruptedSurface } from "./store/surface-journal.js";
export { readTrajectory, writeTrajectory } from "./store/trajectory-file.js";
export { readWeightStatistics, writeWeightStatistics } from "./store/weights-file.js";
export type { SnapshotTarget } from "./store/write-snapshot-file.js";
export type { Approximation, ApproximationSettings } from "./surface/approximation.js";
export type { AxisRange } from "./surface/axis.js";
export {
  type BatchNormPolicyName,
  type BatchNormPolicyOptions,
  createBatchNormPolicy,
  type Recalibrator,
} from "./surface/batch-norm-policy.js";
export type { SurfaceBudget } from "./surface/budget.js";
export { coarseToFine } from "./surface/coarse-to-fine.js";
export { type EvaluateSurfaceOptions, evaluateLine, evaluateSurface } from "./surface/evaluate-surface.js";
export { CENTER_INDEX, type EvaluatedPoint } from "./surface/evaluated-point.js";
export { fillPartial } from "./surface/fill-partial.js";
export { createGrid, type GridOptions } from "./surface/grid.js";
export { type Mixture, type MixtureForm, mixtureMap } from "./surface/mixture.js";
export type { PointOrder } from "./surface/point-order.js";
export type { PointPolicy } from "./surface/point-policy.js";
export type { OnPointProgress } from "./surface/point-progress.js";
export { type GridRange, parseRange } from "./surface/range.js";
export type { SliceMap, SlicePoints } from "./surface/slice-map.js";
export type { Grid, PartialSurface, Surface } from "./surface/surface.js";
export { evaluateFidelity, type FidelityOptions } from "./trajectory/fidelity.js";
export { type ProjectOptions, projectTrajectory } from "./trajectory/project.js";
export { type StepAngles, stepAngles } from "./trajectory/step-angles.js";
export { type SampledSurface, surfaceGradient } from "./trajectory/surface-gradient.js";
export type { Trajectory } from "./trajectory/trajectory.js";
export type { LandscapeWarning } from "./warning.js";
export { type SolutionDistances, solutionDistances } from "./weights/solution-distances.js";
export {
  type WeightHistogram,
  type WeightHistogramOptions,
  type WeightHistograms,
  weightHistograms,
} from "./weights/weight-histogram.js";
export {
  type FilterNorms,
  type LayerNorms,
  type ThetaSource,
  type WeightStatistics,
  type WeightStatisticsOptions,
  weightStatistics,
} from "./weights/weight-statistics.js";
// Worker processes
export {
  createWorkerEvaluator,
  type WorkerEvaluator,
  type WorkerEvaluatorOptions,
} from "./workers/create-worker-evaluator.js";
