import type * as tf from "@tensorflow/tfjs";
import { InvalidOptionError, LayoutError, messageOf } from "../base/errors.js";
import type { BoundWeights } from "./bound-weights.js";

/** What an optimizer keeps between updates, in the order of θ. */
export interface OptimizerState {
  /** Updates that the optimizer has done; unlike a run's iterations they begin anew with each optimizer. */
  readonly iterations: number;
  /**
   * Numbers by their name: "m" and "v" for Adam, "momentum", "rms", "mg" (mean gradient), "accumulator",
   * "accum_grad" and "accum_var". Each of length parameterCount, 0 for weights that have none; empty before the first
   * update.
   */
  readonly slots: Readonly<Record<string, Float32Array>>;
  /** Names of the weights that have them. */
  readonly weights: readonly string[];
}

/** How many numbers each class of TF.js keeps for one weight. */
const SLOTS: Readonly<Record<string, (config: Readonly<Record<string, unknown>>) => number>> = {
  SGD: () => 0,
  Momentum: () => 1,
  Adagrad: () => 1,
  Adam: () => 2,
  Adadelta: () => 2,
  RMSProp: ({ centered }) => (centered === true ? 3 : 2),
};

/** Returns how many numbers an optimizer keeps for one weight; 2 for a class that is not known. */
export function stateSlots(optimizer: tf.Optimizer): number {
  const of = SLOTS[optimizer.getClassName()];
  return of === undefined ? 2 : of(optimizer.getConfig() as Readonly<Record<string, unknown>>);
}

/**
 * Checks that an optimizer gives its state away. TF.js's Adamax throws instead.
 *
 * @throws {@link InvalidOptionError} if there is none, or it does not.
 */
export async function checkOptimizerState(optimizer: tf.Optimizer | null): Promise<void> {
  if (optimizer === null) {
    throw new InvalidOptionError("optimizerState", "an optimizer whose state can be recorded", "none");
  }
  try {
    releaseCounter(await optimizer.getWeights());
  } catch (cause) {
    const reason = messageOf(cause);
    const got = `${optimizer.getClassName()}: ${reason}`;
    const hint = "record without optimizerState";
    throw new InvalidOptionError("optimizerState", "an optimizer that gives its state away", got, {
      cause,
      hint,
    });
  }
}

type NamedWeights = Awaited<ReturnType<tf.Optimizer["getWeights"]>>;

/** Frees the count of updates, a tensor made for the call; the others are the optimizer's own. */
function releaseCounter([counter]: NamedWeights): number {
  if (counter === undefined) return 0;
  const [iterations = 0] = counter.tensor.dataSync();
  counter.tensor.dispose();
  return iterations;
}

/**
 * Reads an optimizer's state as it is now, in the order of θ. State of weights that the layout leaves out is left out.
 *
 * Gives way once before the values are read: the caller must see to it that no update happens meanwhile.
 *
 * @throws {@link LayoutError} if the state is of weights of another shape.
 */
export async function readOptimizerState(
  optimizer: tf.Optimizer,
  { layout, variables }: BoundWeights,
): Promise<OptimizerState> {
  const [counter, ...kept] = await optimizer.getWeights();
  const iterations = releaseCounter(counter === undefined ? [] : [counter]);
  const places = new Map(variables.map(({ name }, i) => [name, i]));
  const slots: Record<string, Float32Array> = {};
  const weights = new Set<string>();
  for (const { name, tensor } of kept) {
    const cut = name.lastIndexOf("/");
    const [owner, slot] = [name.slice(0, cut), name.slice(cut + 1)];
    const parameter = layout.parameters[places.get(owner) ?? -1];
    if (parameter === undefined) continue;
    if (tensor.size !== parameter.size) {
      const where = `optimizer: ${name}`;
      throw new LayoutError(where, `${parameter.size} numbers, as the weight has`, String(tensor.size));
    }
    slots[slot] ??= new Float32Array(layout.parameterCount);
    slots[slot].set(tensor.dataSync(), parameter.offset);
    weights.add(parameter.name);
  }
  return { iterations, slots, weights: [...weights] };
}
