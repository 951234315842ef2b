import * as tf from "@tensorflow/tfjs";
import type { FinalActivation } from "./final-activation.js";

/** Runs a model on a batch and returns its raw outputs, in the model's order. */
export type ForwardPass = (xs: readonly tf.Tensor[]) => tf.Tensor[];

/**
 * Returns the forward pass of a model in evaluation mode (no dropout, moving batch statistics), with
 * final activations taken away.
 */
export function forwardPass(
  model: tf.LayersModel,
  activations: readonly (FinalActivation | null)[],
): ForwardPass {
  const apply = (xs: readonly tf.Tensor[]): tf.Tensor[] => {
    const input = xs.length === 1 ? (xs[0] as tf.Tensor) : [...xs];
    const output = model.apply(input, { training: false }) as tf.Tensor | tf.Tensor[];
    return Array.isArray(output) ? output : [output];
  };
  const run = activations.reduce<ForwardPass>(
    (inner, activation) => (activation === null ? inner : (xs) => activation.without(() => inner(xs))),
    apply,
  );
  return (xs) => tf.tidy(() => run(xs));
}
