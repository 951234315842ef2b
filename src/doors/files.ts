/**
 * Reading and writing the files of a run directory. docs/format.md describes each of them.
 *
 * @module tfjs-landscape/files
 */

// Runs

export { readOptimizerState } from "../capture/optimizer-state-file.js";
export { momentDirections } from "../curvature/optimizer-step.js";
export type { RunManifest } from "../model/manifest.js";
export type { OptimizerState } from "../model/optimizer-state.js";
export type { SnapshotInfo } from "../store/run/run.js";
export { createRunWriter, type RunWriter, type RunWriterOptions } from "../store/run/run-writer.js";

// Stored results

export type { WeightHistograms, WeightStatistics } from "../directions/weight-statistics.js";
export { readDirections, writeDirections } from "../store/kinds/directions-file.js";
export { readEmbedding, writeEmbedding } from "../store/kinds/embedding-file.js";
export { readLineSlice, writeLineSlice } from "../store/kinds/line-file.js";
export { readSurface, writeSurface } from "../store/kinds/surface-file.js";
export { type InterruptedSurface, readInterruptedSurface } from "../store/kinds/surface-journal.js";
export { readTrajectory, writeTrajectory } from "../store/kinds/trajectory-file.js";
export {
  readHistograms,
  readStepAngles,
  readWeightStatistics,
  writeHistograms,
  writeStepAngles,
  writeWeightStatistics,
} from "../store/kinds/weights-file.js";
export type { StepAngles } from "../surface/step-angles.js";

// What a result was made from

export type { JsonNumber } from "../base/json.js";
export { type JsonValue, type Provenance, provenanceDigest } from "../base/provenance.js";

// Movies, and figures for notebooks

export { type NotebookOptions, notebookHtml } from "../figure/files/notebook.js";
export { type RenderMp4Options, renderMp4, renderWebp } from "../figure/files/render-movie.js";
