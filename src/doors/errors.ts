/**
 * One class for each kind of failure. All extend LandscapeError, which the main door exports, and
 * have a literal `code`.
 *
 * @module tfjs-landscape/errors
 */

// Errors

export {
  BackendError,
  EvaluationError,
  FormatError,
  InvalidDataError,
  InvalidOptionError,
  type LandscapeErrorOptions,
  LayoutError,
  MissingDependencyError,
  RunStateError,
} from "../base/errors.js";
