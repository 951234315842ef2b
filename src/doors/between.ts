/**
 * What lies between two solutions: barriers, matching of units, REPAIR, curves of low loss.
 * The function analyzeConnection puts them together, stores the results and draws them; connectModels only computes.
 *
 * @module tfjs-landscape/between
 */

// Two models

export { alignedRuns } from "../analysis/aligned-runs.js";
export {
  type AnalyzeConnectionOptions,
  analyzeConnection,
  type ConnectionAnalysis,
} from "../analysis/connect.js";
export { analyzeSolutionTree, type SolutionTree } from "../analysis/connect-tree.js";
export { type Connection, type ConnectOptions, connectModels } from "../between/connection.js";
export { readConnection, writeConnection } from "../between/connection-file.js";
export { createConnectionFigure } from "../figure/make/create-connection-figure.js";

// Curves

export type { CurveRequest } from "../analysis/curve-stage.js";
export { autoNeb } from "../between/auto-neb.js";
export { type Curve, curvePath } from "../between/curve.js";
export { type CurveObjective, openCurveObjective } from "../between/curve-objective.js";
export { type TrainCurveOptions, trainCurve } from "../between/train-curve.js";

// Units

export { type Alignment, alignModels } from "../between/align-models.js";
export {
  inversePermutation,
  type Permutation,
  permuteWeights,
  randomPermutation,
} from "../between/permutation.js";
export {
  type PermutationGroups,
  permutationGroups,
} from "../between/permutation-groups.js";

// Paths and barriers

export { type Barrier, barrierOf, barriersOf } from "../between/barrier.js";
export {
  type Instability,
  instabilityAnalysis,
} from "../between/instability.js";
export {
  evaluatePath,
  evaluateRepairedLine,
  linePath,
  type PathLosses,
} from "../between/path-losses.js";
export { createRepairer, mixMoments, type Repairer } from "../between/repair.js";
