import * as tf from "@tensorflow/tfjs";
import type { LearningRateSchedule } from "tfjs-landscape/callbacks";
import { seededUniform } from "../data/seeded-uniform.js";

/**
 * The schedule of Li et al.: the rate divided by 10 at 50, 75 and 91.7 % of the epochs (150, 225 and 275 of 300).
 *
 * @param epochs - Epochs of the whole training.
 * @param initial - Learning rate at the start.
 */
export function paperSchedule(epochs: number, initial: number): LearningRateSchedule {
  const drops = [1 / 2, 3 / 4, 11 / 12].map((share) => Math.round(share * epochs));
  const rates = drops.map((at, index) => ({ at, rate: initial / 10 ** (index + 1) }));
  // In short trainings two drops can fall on one epoch: the later one counts.
  return { kind: "piecewise", initial, rates: rates.filter(({ at }, i) => at !== rates[i + 1]?.at) };
}

/** Half a cosine from the initial rate to 0 over all epochs (Loshchilov and Hutter 2017, without restarts). */
export function cosineSchedule(epochs: number, initial: number): LearningRateSchedule {
  return { kind: "cosine", over: epochs, initial };
}

/**
 * A rate that grows in equal steps over the first epochs, to `initial` at epoch `over`, and then follows a cosine to 0
 * at the last one (Goyal et al. 2017 for the warm-up).
 *
 * @param over - Epochs of the warm-up, fewer than `epochs`.
 */
export function warmUpSchedule(epochs: number, initial: number, over: number): LearningRateSchedule {
  if (!(over > 0 && over < epochs)) throw new Error(`over: expected 1 to ${epochs - 1} epochs, got ${over}`);
  return (epoch) => {
    if (epoch < over) return (initial * (epoch + 1)) / (over + 1);
    return (initial * (1 + Math.cos((Math.PI * (epoch - over)) / (epochs - over)))) / 2;
  };
}

/** SGD as Li et al. train with it: Nesterov momentum 0.9. */
export function nesterov(learningRate: number, momentum = 0.9): tf.Optimizer {
  return tf.train.momentum(learningRate, momentum, true);
}

/**
 * Adam with decoupled weight decay: after Adam's step each decayed weight loses the share `learningRate · weightDecay`
 * of the value that it had before the step.
 *
 * Biases and the γ and β of normalizations (rank 1) are not decayed. The decay is no part of the loss, so a loss surface
 * of such a run is that of the loss alone.
 *
 * @see Loshchilov and Hutter 2019, "Decoupled weight decay regularization", algorithm 2.
 */
export class AdamW extends tf.AdamOptimizer {
  static override readonly className = "AdamW";
  readonly weightDecay: number;

  constructor(learningRate: number, weightDecay: number, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8) {
    super(learningRate, beta1, beta2, epsilon);
    if (!(weightDecay >= 0)) throw new Error(`weightDecay: expected 0 or more, got ${weightDecay}`);
    this.weightDecay = weightDecay;
  }

  override applyGradients(gradients: Parameters<tf.AdamOptimizer["applyGradients"]>[0]): void {
    const names = Array.isArray(gradients) ? gradients.map(({ name }) => name) : Object.keys(gradients);
    const keep = 1 - this.learningRate * this.weightDecay;
    for (const name of names) {
      const variable = tf.engine().registeredVariables[name];
      if (variable === undefined || variable.rank < 2) continue;
      tf.tidy(() => variable.assign(variable.mul(keep)));
    }
    super.applyGradients(gradients);
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), weightDecay: this.weightDecay };
  }

  static override fromConfig<T extends tf.serialization.Serializable>(
    cls: tf.serialization.SerializableConstructor<T>,
    config: tf.serialization.ConfigDict,
  ): T {
    const { learningRate, weightDecay, beta1, beta2, epsilon } = config;
    return new cls(learningRate, weightDecay, beta1, beta2, epsilon);
  }
}
tf.serialization.registerClass(AdamW);

/**
 * Runs a training in which everything random follows from one seed: the order of `fit`, dropout, and initial weights
 * without a seed of their own draw from Math.random, which stands on a seeded generator until the training is done.
 *
 * Equal programs then give equal snapshots, bit for bit on the WebAssembly backend. Nothing else of the process should
 * draw random numbers meanwhile.
 *
 * @returns What `train` returns; Math.random is restored also where it throws.
 */
export async function withSeed<T>(seed: number, train: () => Promise<T>): Promise<T> {
  const original = Math.random;
  Math.random = seededUniform(seed);
  try {
    return await train();
  } finally {
    Math.random = original;
  }
}
