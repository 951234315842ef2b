/**
 * The building blocks of planes and lines: directions, grids, surfaces, sharpness.
 * The functions analyzePlane and analyzeLine of the main door put them together and store the results.
 *
 * @module tfjs-landscape/surface
 */

// Weights of a model

export { assignWeights, readWeights } from "../model/bound-weights.js";
export type { Parameter, ParameterLayout } from "../model/layout.js";
export { layoutOfModel } from "../model/layout-of-model.js";

// Directions

export { rowSourceOfRuns } from "../analysis/row-source.js";
export { betweenModels, customDirections } from "../directions/between-models.js";
export type { Directions } from "../directions/directions.js";
export { type NormalizeOptions, normalizeDirection } from "../directions/normalize.js";
export { type PcaDirections, type PcaOptions, pcaDirections } from "../directions/pca.js";
export { projectTrajectory, type Trajectory } from "../directions/project.js";
export {
  type RandomDirections,
  type RandomDirectionsOptions,
  randomDirections,
} from "../directions/random.js";
export { randomWalkBaseline } from "../directions/random-walk.js";

// Surfaces

export {
  type ApproximateSurfaceOptions,
  approximateSurface,
} from "../surface/approximate/approximate-surface.js";
export { coarseToFine, fillPartial } from "../surface/coarse-to-fine.js";
export { type EvaluateSurfaceOptions, evaluateSurface } from "../surface/evaluate-surface.js";
export { createGrid, parseGrid } from "../surface/grid.js";
export type { Grid, Surface } from "../surface/surface.js";

// Lines and sharpness

export { type EpsilonSharpness, epsilonSharpness } from "../surface/lines/epsilon-sharpness.js";
export { interpolateLine, randomLines } from "../surface/lines/evaluate-lines.js";
export {
  type LevelSetWidth,
  type LineSlice,
  levelSetWidth,
  meanLossRise,
} from "../surface/lines/level-set-width.js";
