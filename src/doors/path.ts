/**
 * The path of a training by itself: its shape from inner products, and the losses between its snapshots and of their
 * averages. The function analyzePath puts them together, stores the results and draws them.
 *
 * @module tfjs-landscape/path
 */

// The path of a run

export { type AnalyzePathOptions, analyzePath, type PathAnalysis } from "../analysis/path-stage.js";
export { readPathProfile, writePathProfile } from "../between/path-profile-file.js";
export {
  createPathFigure,
  createPathLossFigure,
  type PathFigureInput,
  type PathLossFigureInput,
} from "../figure/make/create-path-figures.js";
export { readPathStatistics, writePathStatistics } from "../store/kinds/path-file.js";

// Shape

export {
  type ColumnGroup,
  type LayerPath,
  layerColumns,
  type PathStatistics,
  type PathStatisticsOptions,
  pathStatistics,
  walkMeanMap,
} from "../directions/path-statistics.js";

// Losses between snapshots, and averages

export {
  evaluatePathProfile,
  type PathAverage,
  type PathProfile,
  type PathProfileOptions,
  type ProfileFacts,
  type ProfileSource,
  pathAverages,
  profileFacts,
} from "../between/path-profile.js";
