import type { LinearAlgebra } from "../math/linear-algebra.js";
import type { Run } from "../store/run.js";
import { type AnalyzeOptions, resolveAnalyzeOptions } from "./analyze-options.js";
import { atLeastOneRun } from "./at-least-one-run.js";
import { type PlaneStage, pcaStage } from "./pca-stage.js";
import { resultFiles } from "./result-files.js";

/**
 * Computes, or reads where it is up to date, only the PCA plane of one or more runs and the paths on it:
 * the part of {@link analyzeRuns} that needs no data and no model.
 *
 * @throws as {@link analyzeRuns}.
 */
export async function analyzePlane(
  runs: readonly Run[],
  linearAlgebra: LinearAlgebra,
  options: AnalyzeOptions = {},
): Promise<PlaneStage> {
  const resolved = resolveAnalyzeOptions(options);
  return pcaStage(atLeastOneRun(runs), linearAlgebra, resultFiles(runs, options.directory), resolved);
}
