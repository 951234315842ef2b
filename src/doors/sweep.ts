/**
 * Sweeps: one training for each combination of settings, in processes, and their comparison.
 *
 * @module tfjs-landscape/sweep
 */

// Trainings

export { runSweep, type SweepOptions, type SweepRun, type SweepStudy } from "../training/run-sweep.js";
export {
  defineSweep,
  type SettingValue,
  type Sweep,
  type SweepFigures,
  type SweepSettings,
  type SweepTask,
  type SweepValues,
} from "../training/sweep-module.js";

// Their comparison

export {
  type CreateSweepFigures,
  type OwnFigures,
  type SweepFiguresTask,
  type SweepReport,
  sweepReport,
} from "../analysis/sweep-report.js";
export {
  createSweepFigure,
  createSweepTable,
  type SweepFigureOptions,
} from "../figure/make/create-sweep-figures.js";
