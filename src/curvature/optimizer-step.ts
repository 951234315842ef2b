import { InvalidOptionError } from "../base/errors.js";
import type { JsonValue } from "../base/provenance.js";
import { customDirections } from "../directions/between-models.js";
import type { Directions } from "../directions/directions.js";
import type { OptimizerState } from "../model/optimizer-state.js";
import { adamScale, type OptimizerSettings } from "./stability.js";

/** An optimizer as run.json describes it. */
export interface DescribedOptimizer {
  readonly className: string;
  readonly config: JsonValue;
}

/** Something that is not defined, and why. */
export interface NotDefined {
  readonly reason: string;
}

/** A vector over θ, or why there is none. */
export type VectorOrReason = Float64Array | NotDefined;

const NO_STATE: NotDefined = {
  reason: "the optimizer's state was not recorded (optimizerState: true when training)",
};
const NO_UPDATE: NotDefined = { reason: "the optimizer has done no update yet" };

/** A number of an optimizer's configuration. */
function numberOf({ className, config }: DescribedOptimizer, name: string, standard?: number): number {
  const value = (config as Readonly<Record<string, unknown>> | null)?.[name] ?? standard;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new InvalidOptionError(`optimizer: ${className}: ${name}`, "a finite number", JSON.stringify(value));
}

function isSet({ config }: DescribedOptimizer, name: string): boolean {
  return (config as Readonly<Record<string, unknown>> | null)?.[name] === true;
}

/**
 * Returns the settings that decide when an optimizer becomes unstable, or why it has no threshold.
 *
 * @param learningRate - the rate in force.
 * @throws {@link InvalidOptionError} if a setting is no number.
 */
export function settingsOf(
  optimizer: DescribedOptimizer,
  learningRate: number,
): OptimizerSettings | NotDefined {
  const { className } = optimizer;
  if (!(learningRate > 0)) return { reason: `a learning rate of ${learningRate} has no threshold` };
  switch (className) {
    case "SGD":
      return { name: "sgd", learningRate };
    case "Momentum": {
      const momentum = numberOf(optimizer, "momentum");
      return { name: "momentum", learningRate, momentum, useNesterov: isSet(optimizer, "useNesterov") };
    }
    case "Adam":
      return { name: "adam", learningRate, beta1: numberOf(optimizer, "beta1", 0.9) };
    case "RMSProp":
      return { name: "rmsprop", learningRate, momentum: numberOf(optimizer, "momentum", 0) };
    case "Adagrad":
      return { reason: "Adagrad has no threshold: its scale of each weight grows for ever" };
    case "Adadelta":
      return { reason: "Adadelta has no threshold: its scale follows its own updates" };
    case "Adamax":
      return { reason: "Adamax has no threshold: its scale follows the largest gradient" };
    default:
      return { reason: `${className} is not an optimizer of TensorFlow.js: its threshold is not known` };
  }
}

/** A slot that all trained weights must have. */
function slotOf(
  state: OptimizerState | null,
  name: string,
  trained: readonly string[],
): Float32Array | NotDefined {
  if (state === null) return NO_STATE;
  const slot = state.slots[name];
  if (slot === undefined)
    return state.iterations === 0 ? NO_UPDATE : { reason: `its state has no "${name}"` };
  const without = trained.find((weight) => !state.weights.includes(weight));
  return without === undefined ? slot : { reason: `the optimizer has no state of ${without}` };
}

const isMissing = (found: VectorOrReason | Float32Array): found is NotDefined => "reason" in found;

/**
 * Returns an adaptive optimizer's own scale P of each weight (parameterCount), in TensorFlow.js's form: Adam
 * (1−β₁ᵗ)·(√(v/(1−β₂ᵗ)) + ε) after t updates; RMSProp √(v + ε), centred √(v − m̄² − ε), where TensorFlow.js takes ε away.
 * Or why it is not defined.
 *
 * @param trained - names of the weights that are trained.
 * @throws {@link InvalidOptionError} if a setting is no number.
 */
export function optimizerScale(
  optimizer: DescribedOptimizer,
  state: OptimizerState | null,
  trained: readonly string[],
): VectorOrReason {
  if (optimizer.className === "Adam") {
    const v = slotOf(state, "v", trained);
    if (isMissing(v)) return v;
    const { iterations } = state as OptimizerState;
    if (iterations < 1) return NO_UPDATE;
    return adamScale(Float64Array.from(v), iterations, {
      beta1: numberOf(optimizer, "beta1", 0.9),
      beta2: numberOf(optimizer, "beta2", 0.999),
      epsilon: numberOf(optimizer, "epsilon", 1e-7),
    });
  }
  if (optimizer.className !== "RMSProp")
    return { reason: `${optimizer.className} has no scale of each weight` };
  const v = slotOf(state, "rms", trained);
  if (isMissing(v)) return v;
  const epsilon = numberOf(optimizer, "epsilon", 1e-7);
  if (!isSet(optimizer, "centered")) return Float64Array.from(v, (value) => Math.sqrt(value + epsilon));
  const mean = slotOf(state, "mg", trained);
  if (isMissing(mean)) return mean;
  return Float64Array.from(v, (value, i) => Math.sqrt(value - (mean[i] as number) ** 2 - epsilon));
}

/**
 * Returns the update that an optimizer would do next for a rate of 1 (parameterCount), if it met this gradient: θ would
 * become θ + η·u. In TensorFlow.js's form of each optimizer; or why it is not known.
 *
 * @param gradient - g over θ (parameterCount).
 * @param learningRate - η, which RMSProp's stored momentum holds.
 * @throws {@link InvalidOptionError} if a setting is no number.
 */
export function optimizerUpdate(
  optimizer: DescribedOptimizer,
  state: OptimizerState | null,
  gradient: Float64Array,
  learningRate: number,
): VectorOrReason {
  const { className } = optimizer;
  if (className === "SGD") return gradient.map((g) => -g);
  if (!GIVES_STATE.has(className)) {
    return { reason: `${className} does not give its state away: its update is not known` };
  }
  if (state === null) return NO_STATE;
  // Before the first update nothing is held, whatever the class: Adagrad begins with a number of its own.
  const start = className === "Adagrad" ? numberOf(optimizer, "initialAccumulatorValue", 0.1) : 0;
  const slot = (name: string): ((i: number) => number) => {
    const values = state.slots[name];
    return values === undefined ? () => start : (i) => values[i] as number;
  };
  switch (className) {
    case "Momentum": {
      const beta = numberOf(optimizer, "momentum");
      const m = slot("momentum");
      const isNesterov = isSet(optimizer, "useNesterov");
      return gradient.map((g, i) => {
        const next = beta * m(i) + g;
        return isNesterov ? -(g + beta * next) : -next;
      });
    }
    case "Adam": {
      const beta1 = numberOf(optimizer, "beta1", 0.9);
      const beta2 = numberOf(optimizer, "beta2", 0.999);
      const epsilon = numberOf(optimizer, "epsilon", 1e-7);
      const [m, v] = [slot("m"), slot("v")];
      const t = state.iterations + 1;
      const [first, second] = [1 - beta1 ** t, 1 - beta2 ** t];
      return gradient.map((g, i) => {
        const mean = (beta1 * m(i) + (1 - beta1) * g) / first;
        return -mean / (Math.sqrt((beta2 * v(i) + (1 - beta2) * g * g) / second) + epsilon);
      });
    }
    case "RMSProp": {
      const decay = numberOf(optimizer, "decay", 0.9);
      const momentum = numberOf(optimizer, "momentum", 0);
      const epsilon = numberOf(optimizer, "epsilon", 1e-7);
      const [rms, moved, mg] = [slot("rms"), slot("momentum"), slot("mg")];
      const isCentered = isSet(optimizer, "centered");
      return gradient.map((g, i) => {
        const square = decay * rms(i) + (1 - decay) * g * g;
        const mean = isCentered ? decay * mg(i) + (1 - decay) * g : 0;
        const scale = Math.sqrt(isCentered ? square - mean * mean - epsilon : square + epsilon);
        return -((momentum * moved(i)) / learningRate + g / scale);
      });
    }
    case "Adagrad": {
      const accumulator = slot("accumulator");
      return gradient.map((g, i) => -g / Math.sqrt(accumulator(i) + g * g + 1e-7));
    }
    default: {
      // Adadelta, whose update takes the mean of squares before this gradient.
      const epsilon = numberOf(optimizer, "epsilon", 1e-7);
      const [squares, updates] = [slot("accum_grad"), slot("accum_var")];
      return gradient.map((g, i) => -g * (Math.sqrt(updates(i) + epsilon) / Math.sqrt(squares(i) + epsilon)));
    }
  }
}

/** Optimizers whose update is known from their state. */
const GIVES_STATE: ReadonlySet<string> = new Set(["Momentum", "Adam", "RMSProp", "Adagrad", "Adadelta"]);

/**
 * Returns the directions in which an optimizer's memory points, through θ: momentum, or Adam's mean gradient m and m/√v.
 * Give them to `analyzePlane` as `{ kind: "custom", directions }`; momentum alone is the direction of a line.
 *
 * @param theta - θ (parameterCount), of the snapshot whose state it is.
 * @throws {@link InvalidOptionError} if the optimizer holds neither.
 * @example const directions = momentDirections(await run.readTheta(12), await readOptimizerState(run, 12));
 */
export function momentDirections(theta: Float32Array, state: OptimizerState | null): Directions {
  const { m, v, momentum } = state?.slots ?? {};
  const first = m ?? momentum;
  if (first === undefined || !first.some((value) => value !== 0)) {
    throw new InvalidOptionError("state", "an optimizer's state with moments or momentum", "none");
  }
  if (m === undefined || v === undefined) return customDirections(theta, [first], { labels: ["momentum"] });
  const scaled = m.map((value, i) => {
    const size = Math.sqrt(v[i] as number);
    return size > 0 ? value / size : 0;
  });
  return customDirections(theta, [m, scaled], { labels: ["m", "m/√v"] });
}
