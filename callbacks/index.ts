/**
 * Callbacks for `model.fit` and `model.fitDataset`.
 *
 * @module tfjs-landscape/callbacks
 */

// Callbacks for `model.fit`

export type { LiveStabilityOptions } from "../src/analysis/live-stability.js";
export type { CaptureSchedule } from "../src/capture/schedule.js";
export {
  LandscapeCallback,
  type LandscapeCallbackOptions,
  landscapeCallback,
} from "./landscape-callback.js";
export {
  type LearningRateSchedule,
  LearningRateScheduler,
  type LearningRateSchedulerOptions,
  learningRateScheduler,
} from "./learning-rate-scheduler.js";
export type { LivePageOptions } from "./live-page.js";
export {
  TrajectoryCallback,
  type TrajectoryCallbackOptions,
  trajectoryCallback,
} from "./trajectory-callback.js";
