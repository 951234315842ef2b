import * as tf from "@tensorflow/tfjs";

/**
 * Makes an optimizer add `decay`·w to the gradient of every weight w that it updates: the L2 form of weight
 * decay, as `weight_decay` of PyTorch's SGD and Adam. The optimizer's own rule then works on the sum.
 *
 * @param variables - The weights, by which the gradients are known.
 */
export function addWeightDecay(
  optimizer: tf.Optimizer,
  variables: readonly tf.Variable[],
  decay: number,
): void {
  if (decay === 0) return;
  const byName = new Map(variables.map((variable) => [variable.name, variable]));
  const apply = optimizer.applyGradients.bind(optimizer);
  optimizer.applyGradients = (gradients) => {
    const listed = Array.isArray(gradients)
      ? gradients
      : Object.entries(gradients).map(([name, tensor]) => ({ name, tensor }));
    const decayed = listed.map(({ name, tensor }) => {
      // A weight that the loss does not depend on has no gradient, and optimizers leave it as it is.
      if (tensor === undefined || tensor === null) return { name, tensor };
      const variable = byName.get(name);
      const sum = (): tf.Tensor =>
        variable === undefined ? tensor.clone() : tensor.add(variable.mul(decay));
      return { name, tensor: tf.tidy(sum) };
    });
    try {
      apply(decayed);
    } finally {
      tf.dispose(decayed.map(({ tensor }) => tensor));
    }
  };
}
