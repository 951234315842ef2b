/**
 * What lies between two solutions: barriers, matching of units, REPAIR.
 * The function analyzeConnection puts them together, stores the results and draws them; connectModels only computes.
 *
 * @module tfjs-landscape/between
 */

// Two models

export {
  type AnalyzeConnectionOptions,
  analyzeConnection,
  type ConnectionAnalysis,
} from "../analysis/connect.js";
export { type Connection, type ConnectOptions, connectModels } from "../between/connection.js";
export { readConnection, writeConnection } from "../between/connection-file.js";
export {
  type ConnectionFigureOptions,
  createConnectionFigure,
} from "../figure/make/create-connection-figure.js";

// Units

export { type AlignMethod, type Alignment, type AlignOptions, alignModels } from "../between/align-models.js";
export {
  inversePermutation,
  type Permutation,
  permuteWeights,
  randomPermutation,
} from "../between/permutation.js";
export {
  type PermutationGroup,
  type PermutationGroups,
  permutationGroups,
} from "../between/permutation-groups.js";

// Paths and barriers

export { type Barrier, barrierOf, barriersOf, type PathBarrier } from "../between/barrier.js";
export {
  type Fork,
  type Instability,
  type InstabilityOptions,
  instabilityAnalysis,
} from "../between/instability.js";
export {
  evaluatePath,
  evaluateRepairedLine,
  linePath,
  type PathLosses,
  type PathOptions,
  type PathPolicy,
} from "../between/path-losses.js";
export { createRepairer, mixMoments, type Repairer, type UnitMoments } from "../between/repair.js";
