/**
 * One class for each kind of failure. All extend LandscapeError, which the main door exports, and
 * have a literal `code`.
 *
 * @module tfjs-landscape/errors
 */

// Errors

export { BackendError, EvaluationError, FormatError, InvalidDataError, InvalidOptionError, LayoutError, MissingDependencyError, RunStateError, type LandscapeErrorOptions } from "../base/errors.js";
