export {
  LandscapeCallback,
  type LandscapeCallbackOptions,
  landscapeCallback,
} from "./landscape-callback.js";
export type { LearningRateSchedule } from "./learning-rate-schedule.js";
export {
  LearningRateScheduler,
  type LearningRateSchedulerOptions,
  learningRateScheduler,
} from "./learning-rate-scheduler.js";
export type { LivePageOptions } from "./live-page.js";
export type { CaptureSchedule } from "./schedule.js";
export {
  TrajectoryCallback,
  type TrajectoryCallbackOptions,
  trajectoryCallback,
} from "./trajectory-callback.js";
