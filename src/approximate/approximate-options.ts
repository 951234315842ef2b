import { InvalidOptionError } from "../errors.js";
import { checkSeed } from "../math/random.js";
import type { ApproximationSettings } from "../surface/approximation.js";

/** How exact an approximate surface is to be, and what it may cost. */
export interface ApproximateOptions {
  /**
   * The error aimed at on 95 % of the points, as a share of the range of the loss. Default 0.01: a hundredth of
   * it is hardly seen in a contour map. Where it is not reached, the surface says which error was.
   */
  readonly tolerance?: number;
  /**
   * Most sample evaluations, as a share of those of the exact surface; fewer are spent where the tolerance is
   * reached before. A small grid may take more than a small share: some twelve points are always exact.
   * Default 0.1.
   */
  readonly budget?: number;
  /**
   * Samples in the fixed subsample. Default 4·√N, none below 256 samples or where the evaluator cannot evaluate
   * single samples: all evaluations are then exact, at fewer points. 0 asks for that.
   */
  readonly subsample?: number;
  /** Seed of the subsample and of the points drawn at random. Default 0. */
  readonly seed?: number;
}

/** Below this a subsample is as large as a quarter of the set. */
const LEAST_SAMPLES = 256;

/**
 * Checks options and fills in the defaults.
 *
 * @param samples - samples of the evaluation set.
 * @param isDivisible - whether single samples can be evaluated.
 * @throws {@link InvalidOptionError} if a value cannot be used.
 */
export function resolveApproximateOptions(
  options: ApproximateOptions,
  samples: number,
  isDivisible: boolean,
): ApproximationSettings {
  const { tolerance, budget } = checkApproximateOptions(options);
  const usual = isDivisible && samples >= LEAST_SAMPLES ? Math.round(4 * Math.sqrt(samples)) : 0;
  const subsample = options.subsample ?? usual;
  if (!Number.isInteger(subsample) || subsample < 0 || subsample > samples || subsample === 1) {
    throw new InvalidOptionError("subsample", `0, or from 2 to ${samples} samples`, String(subsample));
  }
  if (subsample > 0 && !isDivisible) {
    throw new InvalidOptionError("subsample", "0 with an evaluator of whole sets", String(subsample));
  }
  // All samples are no part of them.
  return {
    tolerance,
    budget,
    subsample: subsample === samples ? 0 : subsample,
    seed: checkSeed(options.seed ?? 0),
  };
}

/**
 * Checks what can be checked before the data are there.
 *
 * @param other - a limit for exact surfaces, which goes with no approximate one.
 * @throws {@link InvalidOptionError} if a value cannot be used.
 */
export function checkApproximateOptions(
  options: ApproximateOptions,
  other?: object,
): {
  readonly tolerance: number;
  readonly budget: number;
} {
  const { tolerance = 0.01, budget = 0.1, seed = 0 } = options;
  checkSeed(seed);
  if (other !== undefined) {
    throw new InvalidOptionError("approximate", "no other budget beside its own", "both");
  }
  if (!(Number.isFinite(tolerance) && tolerance > 0)) {
    throw new InvalidOptionError("tolerance", "a finite share of the loss range above 0", String(tolerance));
  }
  if (!(budget > 0 && budget <= 1)) {
    throw new InvalidOptionError("budget", "a share above 0 and at most 1", String(budget));
  }
  return { tolerance, budget };
}
