/**
 * The path of a training by itself: its shape from inner products, and the losses between its snapshots and of their
 * averages. The functions analyzePath and embedPredictions put them together and store the results. Prediction space places
 * networks of any shape in one picture.
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

// Prediction space

export { type EmbedPredictionsOptions, embedPredictions } from "../analysis/embed-predictions.js";
export { type IntensivePca, intensivePca, intensivePcaTransform } from "../embedding/intensive-pca.js";
export { geodesicPoint, ignorance, predictionDistances, truth } from "../embedding/prediction-distance.js";
