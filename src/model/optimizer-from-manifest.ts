import * as tf from "@tensorflow/tfjs";
import { EvaluationError } from "../errors.js";
import type { RunManifest } from "../store/manifest.js";

/** What an optimizer class of TF.js can do and its type does not say. */
interface OptimizerClass {
  readonly className: string;
  fromConfig(cls: unknown, config: unknown): tf.Optimizer;
}

const OPTIMIZERS: readonly unknown[] = [
  tf.SGDOptimizer,
  tf.MomentumOptimizer,
  tf.RMSPropOptimizer,
  tf.AdamOptimizer,
  tf.AdadeltaOptimizer,
  tf.AdamaxOptimizer,
  tf.AdagradOptimizer,
];

/**
 * Makes the optimizer that a manifest describes, in its initial state; plain SGD where it describes none
 * (a loss does not depend on it).
 *
 * @throws {@link EvaluationError} if the class is not TF.js's own.
 */
export function optimizerFromManifest(optimizer: RunManifest["optimizer"]): tf.Optimizer {
  if (optimizer === null) return tf.train.sgd(0);
  const known = (OPTIMIZERS as readonly OptimizerClass[]).find(
    ({ className }) => className === optimizer.className,
  );
  if (known !== undefined) return known.fromConfig(known, optimizer.config);
  throw new EvaluationError("run.json: optimizer", "one of TensorFlow.js's own", optimizer.className, {
    hint: "export a function loadModel() from the data module that returns the compiled model",
  });
}

/** Frees an optimizer's tensors, also those that TF.js's own `dispose` forgets (Momentum's rate). */
export function disposeOptimizer(optimizer: tf.Optimizer): void {
  optimizer.dispose();
  for (const field of Object.values(optimizer)) if (field instanceof tf.Tensor) field.dispose();
}
