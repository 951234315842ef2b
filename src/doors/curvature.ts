/**
 * Exact second derivatives of a model's loss: Hessian-vector products on any backend, eigenpairs, trace, spectral
 * density, and curvature over a distance.
 *
 * @module tfjs-landscape/curvature
 */

// Products at a point

export {
  type Curvature,
  type CurvatureOptions,
  type CurvaturePoint,
  createCurvature,
} from "../curvature/create-curvature.js";
export {
  type HessianOperator,
  type HessianOperatorOptions,
  hessianOperator,
  type SymmetricOperator,
  type WeightBlock,
  weightBlocks,
} from "../curvature/symmetric-operator.js";

// What a matrix is like, from its products

export { type EigenpairOptions, type Eigenpairs, topEigenpairs } from "../curvature/lanczos.js";
export {
  type DensityOptions,
  type SpectralDensity,
  spectralDensity,
} from "../curvature/spectral-density.js";
export { estimateTrace, type TraceEstimate, type TraceOptions } from "../curvature/trace.js";

// Planes and lines

export {
  hessianDirections,
  type ProjectedHessian,
  projectedHessian,
} from "../curvature/plane-curvature.js";

// What analyzeCurvature finds

export type { CurvatureSummary } from "../curvature/curvature-file.js";

// Stability of an optimizer

export {
  type AnalyzeStabilityOptions,
  analyzeStability,
  type StabilityAnalysis,
} from "../analysis/analyze-stability.js";
export {
  adamScale,
  type CriticalSharpness,
  type CriticalSharpnessOptions,
  criticalSharpness,
  type OptimizerSettings,
  preconditionedOperator,
  type StabilityThreshold,
  stabilityThreshold,
} from "../curvature/stability.js";
export type { StabilityPath } from "../store/kinds/stability-file.js";

// From losses alone

export {
  type CurvatureAtScale,
  type CurvatureAtScaleOptions,
  curvatureAtScale,
  type RadiusCurves,
  radiusCurves,
} from "../curvature/curvature-at-scale.js";
