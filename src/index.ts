/**
 * The main door: everything that a program needs to record a training run, to analyse it and to draw it.
 * Building blocks have doors of their own: tfjs-landscape/callbacks, /surface, /embedding, /figures, /files, /errors.
 *
 * @module tfjs-landscape
 */

// Recording a training run (the callbacks are at tfjs-landscape/callbacks)

export type { BackendChoice } from "./backend/current-backend.js";
export { selectBackend } from "./backend/select-backend.js";
export { createTrajectoryRecorder } from "./capture/create-recorder.js";
export { type CaptureOptions, TrajectoryRecorder } from "./capture/recorder.js";

// Runs and models

export { type ModelPoint, openModelPoint } from "./analysis/model-point.js";
export { openRun } from "./store/run/open-run.js";
export type { Run, Snapshot } from "./store/run/run.js";

// The loss of a model

export { createLossEvaluator } from "./loss/create-loss-evaluator.js";
export type { EvaluationData } from "./loss/evaluation-data.js";
export { functionEvaluator } from "./loss/local-evaluator.js";
export type { LossEvaluator, LossValue } from "./loss/loss-evaluator.js";
export type { EngineChoice, LossEvaluatorOptions } from "./loss/loss-options.js";
export type { BatchNormPolicyName } from "./loss/slice-loss.js";
export { createVariablesEvaluator, type VariablesLoss } from "./loss/variables-evaluator.js";
export type { EvaluationSet } from "./surface/lines/level-set-width.js";

// Planes

export { type AnalyzePlaneOptions, analyzePlane, type PlaneAnalysis } from "./analysis/analyze-plane.js";
export type { PlaneSpec } from "./analysis/plane-spec.js";

// Lines

export {
  type AnalyzeLineOptions,
  analyzeLine,
  type LineAnalysis,
  type LineSpec,
} from "./analysis/analyze-line.js";

// Curvature

export { analyzeCurvature, type CurvatureAnalysis } from "./analysis/analyze-curvature.js";
export type { AnalyzeCurvatureOptions } from "./analysis/curvature-parts.js";

// Weights

export {
  type AnalyzeWeightsOptions,
  analyzeWeights,
  type WeightsAnalysis,
} from "./analysis/weights-stage.js";

// Several runs

export type { CompareRunsOptions } from "./analysis/compare/compare-options.js";
export { compareRuns, type RunsComparison } from "./analysis/compare/compare-runs.js";
export { embedRuns } from "./analysis/embed.js";
export type { EmbedOptions } from "./analysis/embed-options.js";
export type { RunsEmbedding } from "./embedding/runs-embedding.js";

// Jumps away from a solution

export { type JumpStudy, jumpAndRetrain } from "./training/jump-and-retrain.js";
export type { JumpOptions, JumpRun } from "./training/jump-options.js";

// Figures and files of a run

export { exportRun } from "./analysis/export/export-run.js";
export { readFigures, type StoredFigures } from "./analysis/read-figures.js";
export { type NamedFigure, writeReport } from "./analysis/write-report.js";
export type { Figure } from "./figure/figure.js";
export { type LiveView, startLiveView } from "./live/start-live-view.js";

// Errors and warnings (the classes of errors are at tfjs-landscape/errors)

export { LandscapeError, type LandscapeErrorCode } from "./base/errors.js";
export type { LandscapeWarning } from "./base/warning.js";
