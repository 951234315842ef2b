import { wholeNumber } from "../base/check-option.js";
import { InvalidOptionError } from "../base/errors.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { Stoppable } from "../base/work.js";
import type { LossEvaluator } from "../loss/loss-evaluator.js";
import type { SymmetricOperator } from "./symmetric-operator.js";

/** An optimizer of TensorFlow.js, by the settings that decide when it becomes unstable. */
export type OptimizerSettings =
  | { readonly name: "sgd"; readonly learningRate: number }
  | {
      readonly name: "momentum";
      readonly learningRate: number;
      readonly momentum: number;
      readonly useNesterov?: boolean | undefined;
    }
  | { readonly name: "adam"; readonly learningRate: number; readonly beta1?: number | undefined }
  | { readonly name: "rmsprop"; readonly learningRate: number; readonly momentum?: number | undefined };

/** Up to which curvature an optimizer is stable on a quadratic. */
export interface StabilityThreshold {
  /** The largest eigenvalue at which it does not diverge. */
  readonly value: number;
  /** Whose eigenvalue: the Hessian's, or that of P^-½·H·P^-½ with the optimizer's own scale P of each weight. */
  readonly matrix: "hessian" | "preconditioned";
}

/**
 * Returns the edge of stability of an optimizer, in TensorFlow.js's form of it: SGD 2/η; momentum (2+2β)/η; Nesterov
 * (2+2β)/((1+2β)·η); Adam (2+2β₁)/((1−β₁)·η); RMSProp (2+2μ)/η. Adam's and RMSProp's are those of the preconditioned
 * Hessian.
 *
 * Adagrad, Adadelta and Adamax have none: their scale of each weight never settles, or follows the largest gradient.
 *
 * @throws {@link InvalidOptionError} for another optimizer, or numbers that cannot be.
 * @see Cohen et al. 2021, Gradient descent on neural networks typically occurs at the edge of stability; Cohen et al.
 * 2022, Adaptive gradient methods at the edge of stability.
 * @example stabilityThreshold({ name: "adam", learningRate: 1e-3 }).value; // 38,000
 */
export function stabilityThreshold(optimizer: OptimizerSettings): StabilityThreshold {
  const { name, learningRate } = optimizer;
  if (!(learningRate > 0 && Number.isFinite(learningRate))) {
    throw new InvalidOptionError("learningRate", "a finite number above 0", String(learningRate));
  }
  const share = (option: string, value: number): number => {
    if (value >= 0 && value < 1) return value;
    throw new InvalidOptionError(option, "a number from 0 on, below 1", String(value));
  };
  switch (name) {
    case "sgd":
      return { value: 2 / learningRate, matrix: "hessian" };
    case "momentum": {
      const beta = share("momentum", optimizer.momentum);
      const inner = optimizer.useNesterov === true ? 1 + 2 * beta : 1;
      return { value: (2 + 2 * beta) / (inner * learningRate), matrix: "hessian" };
    }
    case "adam": {
      const beta = share("beta1", optimizer.beta1 ?? 0.9);
      return { value: (2 + 2 * beta) / ((1 - beta) * learningRate), matrix: "preconditioned" };
    }
    case "rmsprop": {
      const mu = share("momentum", optimizer.momentum ?? 0);
      return { value: (2 + 2 * mu) / learningRate, matrix: "preconditioned" };
    }
    default: {
      const hint = "Adagrad, Adadelta and Adamax have no threshold: their scale of each weight never settles";
      throw new InvalidOptionError(
        "optimizer",
        '"sgd", "momentum", "adam" or "rmsprop"',
        JSON.stringify(name),
        {
          hint,
        },
      );
    }
  }
}

/**
 * Returns Adam's scale of each weight, P = (1−β₁ᵗ)·(√(v/(1−β₂ᵗ)) + ε).
 *
 * @param v - the second moments over the operator's entries.
 * @param updates - t, updates done; at 0 it is not defined.
 * @throws {@link InvalidOptionError} if no update was done, or a moment is negative.
 * @example const scale = adamScale(v, 500); const operator = preconditionedOperator(hessian, scale);
 */
export function adamScale(
  v: Float64Array,
  updates: number,
  { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7 }: { beta1?: number; beta2?: number; epsilon?: number } = {},
): Float64Array {
  wholeNumber("updates", updates);
  if (v.some((value) => !(value >= 0))) {
    throw new InvalidOptionError(
      "v",
      "second moments of at least 0",
      String(v.find((value) => !(value >= 0))),
    );
  }
  const [first, second] = [1 - beta1 ** updates, 1 - beta2 ** updates];
  return v.map((value) => first * (Math.sqrt(value / second) + epsilon));
}

/**
 * Returns P^-½·A·P^-½ for a diagonal P: what decides whether an adaptive optimizer is stable.
 *
 * @param scale - the diagonal of P (n), above 0.
 * @throws {@link InvalidOptionError} if it has another length, or an entry that is not above 0.
 * @example const { values } = await topEigenpairs(preconditionedOperator(hessian, scale), { count: 1 });
 */
export function preconditionedOperator(operator: SymmetricOperator, scale: Float64Array): SymmetricOperator {
  if (scale.length !== operator.size) {
    throw new InvalidOptionError("scale", `${operator.size} numbers`, String(scale.length));
  }
  const bad = scale.find((value) => !(value > 0 && Number.isFinite(value)));
  if (bad !== undefined) throw new InvalidOptionError("scale", "finite numbers above 0", String(bad));
  const factors = scale.map((value) => 1 / Math.sqrt(value));
  const times = (vector: Float64Array) => vector.map((value, i) => value * factors[i]);
  return {
    size: operator.size,
    apply: async (vector, signal) => times(await operator.apply(times(vector), signal)),
  };
}

/** Options of {@link criticalSharpness}. */
export interface CriticalSharpnessOptions extends Stoppable {
  /** First rate that is tried, such as the learning rate. Default 0.01. */
  readonly start?: number | undefined;
  /** L(θ), where it is known. Default it is computed. */
  readonly loss?: number | undefined;
  /** How fast the loss falls at first, gᵀu below 0, where it is known: saves losses. Default it is not. */
  readonly slope?: number | undefined;
  /** Losses at most. Default 40. */
  readonly evaluations?: number | undefined;
}

/** The curvature that an update meets. */
export interface CriticalSharpness {
  /** 2/η_c; NaN where η_c was not found, with a warning that bounds it. */
  readonly sharpness: number;
  /** η_c, the smallest rate found that raises the loss, to 1 %; NaN where it was not found. */
  readonly rate: number;
  /** Where η_c lies: a rate that does not raise the loss and one that does; 0 and infinity where there is none. */
  readonly between: readonly [low: number, high: number];
  readonly evaluations: number;
  /**
   * "critical-sharpness-open": the losses were used up; "critical-sharpness-rounding": float32 cannot tell;
   * "critical-sharpness-loss": the loss at θ is not finite.
   */
  readonly warnings: readonly LandscapeWarning[];
}

/** How well η_c is known, as a share of it. */
const RATE_TOLERANCE = 1e-2;

/**
 * Estimates 2/η_c, where η_c is the smallest rate along an update that raises the loss: L(θ + η·u) > L(θ).
 *
 * From losses alone, so on the fast engines; commonly 5 or 6 of them, 3 or 4 where loss and slope at θ are known. On a quadratic along u = −g it equals
 * gᵀHg/‖g‖² exactly. Stands against 2/η for every optimizer, along its actual update. A loss that is not finite counts as
 * raised. A dip beyond a first rise is not looked for. Where `evaluations` are used up before η_c is known to 1 %, it is
 * NaN, and a warning says between which rates it lies.
 *
 * @param update - u (parameterCount): the step for a rate of 1; −gradient for plain SGD.
 * @throws {@link InvalidOptionError} if the update does not move, or an option cannot be used.
 * @see Kalra 2026, arXiv 2601.16979.
 * @example const { sharpness } = await criticalSharpness(evaluator, theta, update, { start: learningRate });
 */
export async function criticalSharpness(
  evaluator: LossEvaluator,
  theta: Float32Array,
  update: Float32Array,
  options: CriticalSharpnessOptions = {},
): Promise<CriticalSharpness> {
  const { start = 0.01, evaluations = 40, slope, signal } = options;
  if (
    update.length !== theta.length ||
    !update.some((value) => value !== 0) ||
    !update.every(Number.isFinite)
  ) {
    throw new InvalidOptionError(
      "update",
      `${theta.length} finite numbers, not all zero`,
      `${update.length} numbers`,
    );
  }
  if (!(start > 0 && Number.isFinite(start))) {
    throw new InvalidOptionError("start", "a finite number above 0", String(start));
  }
  if (slope !== undefined && !(slope < 0)) {
    throw new InvalidOptionError("slope", "a number below 0", String(slope));
  }
  wholeNumber("evaluations", evaluations, 4);
  const moved = new Float32Array(theta.length);
  let done = 0;
  const lossAt = async (rate: number): Promise<number> => {
    for (let i = 0; i < theta.length; i++) moved[i] = theta[i] + rate * update[i];
    done++;
    return (await evaluator.evaluate(moved, { signal })).loss;
  };
  const base = options.loss ?? (await lossAt(0));
  if (!Number.isFinite(base)) return undefinedAt(base, done);
  // Rise per rate: linear in the rate on a quadratic, so that two of them give its root.
  const riseAt = async (rate: number): Promise<number> => {
    const rise = ((await lossAt(rate)) - base) / rate;
    return Number.isFinite(rise) ? rise : Number.POSITIVE_INFINITY;
  };
  const isOver = () => done >= evaluations;
  const known = slope === undefined ? null : { rate: 0, rise: slope };
  const { low, high } = await bracket(riseAt, start, known, isOver);
  if (low === null || high === null) {
    const warnings = high === null ? [] : roundingWarning(base, high);
    return unknown([low?.rate ?? 0, high?.rate ?? Number.POSITIVE_INFINITY], done, warnings);
  }
  const { rate, between } = await refine(riseAt, low, high, isOver);
  if (rate === null) return unknown(between, done, []);
  // Close below η_c the loss has fallen by little, whatever rounding does: half-way it has fallen most.
  const expected = low.rate === 0 ? { rate: rate / 2, rise: low.rise / 2 } : low;
  const isSmall = roundingWarning(base, expected).length > 0;
  const deepest = isSmall ? { rate: rate / 2, rise: await riseAt(rate / 2) } : expected;
  return {
    sharpness: 2 / rate,
    rate,
    between,
    evaluations: done,
    warnings: roundingWarning(base, deepest),
  };
}

type RiseAt = (rate: number) => Promise<number>;

/** Halves or doubles a rate until one lowers the loss and the next raises it. */
async function bracket(
  riseAt: RiseAt,
  start: number,
  known: Rate | null,
  isOver: () => boolean,
): Promise<{ readonly low: Rate | null; readonly high: Rate | null }> {
  let low = known;
  let high: Rate | null = null;
  for (let rate = start; !isOver() && (low === null || high === null); ) {
    const found = { rate, rise: await riseAt(rate) };
    if (found.rise > 0) high = found;
    else low = found;
    rate *= found.rise > 0 ? 0.5 : 2;
  }
  return { low, high };
}

/** Narrows a bracket by linear interpolation of the rise per rate; the rate is null where losses were used up before. */
async function refine(
  riseAt: RiseAt,
  first: Rate,
  last: Rate,
  isOver: () => boolean,
): Promise<{ readonly rate: number | null; readonly between: readonly [number, number] }> {
  let [low, high] = [first, last];
  let inRow = 0;
  while (high.rate - low.rate > RATE_TOLERANCE * high.rate) {
    if (isOver()) return { rate: null, between: [low.rate, high.rate] };
    // Where one end stays, the line through both leads nowhere: half-way is taken in between.
    const isStuck = Math.abs(inRow) >= 2 || !Number.isFinite(high.rise);
    const share = isStuck ? 0.5 : low.rise / (low.rise - high.rise);
    const rate: number = low.rate + Math.max(0.02, Math.min(0.98, share)) * (high.rate - low.rate);
    const found: Rate = { rate, rise: await riseAt(rate) };
    // The flatter side counts: a slope that is known at θ may be far steeper than the loss is here.
    const steepness = Math.min(steepnessOf(low, found), steepnessOf(found, high));
    if (Math.abs(found.rise) < (RATE_TOLERANCE / 2) * rate * steepness) {
      return { rate, between: found.rise > 0 ? [low.rate, rate] : [rate, high.rate] };
    }
    const side = found.rise > 0 ? 1 : -1;
    inRow = isStuck || side * inRow < 0 ? side : inRow + side;
    if (found.rise > 0) high = found;
    else low = found;
  }
  return { rate: high.rate, between: [low.rate, high.rate] };
}

/** How fast the rise per rate grows between two rates; infinite where a loss is not finite. */
function steepnessOf(from: Rate, to: Rate): number {
  return Number.isFinite(to.rise) ? (to.rise - from.rise) / (to.rate - from.rate) : Number.POSITIVE_INFINITY;
}

interface Rate {
  readonly rate: number;
  readonly rise: number;
}

/** η_c is not known: only between which rates it lies, or why rounding hides it. */
function unknown(
  between: readonly [low: number, high: number],
  evaluations: number,
  warnings: readonly LandscapeWarning[],
): CriticalSharpness {
  const [low, high] = between;
  const where =
    high === Number.POSITIVE_INFINITY
      ? `no rate up to ${low.toPrecision(3)} raises the loss: critical sharpness is below ${(2 / low).toPrecision(3)}`
      : low === 0
        ? `every rate down to ${high.toPrecision(3)} raises the loss: critical sharpness is above ${(2 / high).toPrecision(3)}`
        : `the smallest rate that raises the loss lies between ${low.toPrecision(3)} and ${high.toPrecision(3)}: critical sharpness is from ${(2 / high).toPrecision(3)} to ${(2 / low).toPrecision(3)}`;
  const message = `critical sharpness: after ${evaluations} losses, ${where}`;
  const open = { code: "critical-sharpness-open", message };
  return {
    sharpness: Number.NaN,
    rate: Number.NaN,
    between,
    evaluations,
    warnings: warnings.length > 0 ? warnings : [open],
  };
}

/** No rate raises a loss that is no number. */
function undefinedAt(loss: number, evaluations: number): CriticalSharpness {
  const message = `critical sharpness: the loss at the weights is ${loss}, and no rate raises it`;
  const warnings = [{ code: "critical-sharpness-loss", message }];
  return {
    sharpness: Number.NaN,
    rate: Number.NaN,
    between: [0, Number.POSITIVE_INFINITY],
    evaluations,
    warnings,
  };
}

/** Where the fall of the loss before η_c is no larger than its rounding, η_c is chance. */
function roundingWarning(base: number, { rate, rise }: Rate): LandscapeWarning[] {
  const rounding = 2 ** -22 * Math.abs(base);
  const change = Math.abs(rise * rate);
  if (change > 10 * rounding) return [];
  const message =
    `critical sharpness: the loss changes by ${change.toPrecision(2)} along the update, and rounding of float32 may ` +
    `amount to ${rounding.toPrecision(2)}: the rate that raises it is not known`;
  return [{ code: "critical-sharpness-rounding", message }];
}
