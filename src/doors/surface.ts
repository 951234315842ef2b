/**
 * The building blocks of planes and lines: directions, grids, surfaces, sharpness.
 * The functions analyzePlane and analyzeLine of the main door put them together and store the results.
 *
 * @module tfjs-landscape/surface
 */

// Weights of a model

export { assignWeights, readWeights } from "../model/bound-weights.js";
export { layoutOfModel } from "../model/layout-of-model.js";
export type { Parameter, ParameterLayout } from "../model/layout.js";

// Directions

export { rowSourceOfRuns } from "../analysis/row-source.js";
export { betweenModels, customDirections } from "../directions/between-models.js";
export type { Directions } from "../directions/directions.js";
export { normalizeDirection, type NormalizeOptions } from "../directions/normalize.js";
export { pcaDirections, type PcaDirections, type PcaOptions } from "../directions/pca.js";
export { projectTrajectory, type Trajectory } from "../directions/project.js";
export { randomWalkBaseline } from "../directions/random-walk.js";
export { randomDirections, type RandomDirections, type RandomDirectionsOptions } from "../directions/random.js";

// Surfaces

export { approximateSurface, type ApproximateSurfaceOptions } from "../surface/approximate/approximate-surface.js";
export { coarseToFine, fillPartial } from "../surface/coarse-to-fine.js";
export { evaluateSurface, type EvaluateSurfaceOptions } from "../surface/evaluate-surface.js";
export { createGrid, parseRange } from "../surface/grid.js";
export type { Grid, Surface } from "../surface/surface.js";

// Lines and sharpness

export { epsilonSharpness, type EpsilonSharpness } from "../surface/lines/epsilon-sharpness.js";
export { interpolateLine, randomLines } from "../surface/lines/evaluate-lines.js";
export { levelSetWidth, meanLossRise, type LevelSetWidth, type LineSlice } from "../surface/lines/level-set-width.js";
