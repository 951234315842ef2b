import * as tf from "@tensorflow/tfjs";
import { InvalidOptionError } from "../base/errors.js";
import { describeOptimizer, disposeOptimizer } from "../model/describe-training.js";
import type { RunManifest } from "../model/manifest.js";

/** An optimizer of TensorFlow.js by the name of its factory in `tf.train`. */
export type RetrainOptimizerName =
  | "sgd"
  | "momentum"
  | "rmsprop"
  | "adam"
  | "adamax"
  | "adagrad"
  | "adadelta";

/** Class and settings of an optimizer, of which each jump gets a new one. */
export type OptimizerDescription = NonNullable<RunManifest["optimizer"]>;

const FACTORIES: Readonly<Record<RetrainOptimizerName, (rate: number, momentum: number) => tf.Optimizer>> = {
  sgd: (rate) => tf.train.sgd(rate),
  momentum: (rate, momentum) => tf.train.momentum(rate, momentum),
  rmsprop: (rate, momentum) => tf.train.rmsprop(rate, 0.9, momentum),
  adam: (rate) => tf.train.adam(rate),
  adamax: (rate) => tf.train.adamax(rate),
  adagrad: (rate) => tf.train.adagrad(rate),
  adadelta: (rate) => tf.train.adadelta(rate),
};

/** Every {@link RetrainOptimizerName}, in the order of the help text. */
export const RETRAIN_OPTIMIZERS = Object.keys(FACTORIES) as readonly RetrainOptimizerName[];

/** What `describeRetrainOptimizer` is asked for. */
export interface RetrainOptimizerRequest {
  readonly optimizer?: RetrainOptimizerName | tf.Optimizer;
  readonly learningRate?: number;
  readonly momentum?: number;
}

/**
 * Returns class and settings of the optimizer asked for: "momentum" with rate 0.001 and momentum 0.9 unless
 * told otherwise. An optimizer that is given is only read.
 *
 * @throws {@link InvalidOptionError} for an unknown name, or settings that are none or do not apply.
 */
export function describeRetrainOptimizer(request: RetrainOptimizerRequest): OptimizerDescription {
  const { optimizer = "momentum", learningRate, momentum } = request;
  if (typeof optimizer !== "string") return describeGiven(optimizer, request);
  if (!RETRAIN_OPTIMIZERS.includes(optimizer)) {
    const expected = `one of ${RETRAIN_OPTIMIZERS.join(", ")}, or an optimizer of tf.train`;
    throw new InvalidOptionError("optimizer", expected, JSON.stringify(optimizer));
  }
  const rate = learningRate ?? 0.001;
  if (!(Number.isFinite(rate) && rate > 0)) {
    throw new InvalidOptionError("learningRate", "a number above 0", String(rate));
  }
  if (momentum !== undefined && optimizer !== "momentum" && optimizer !== "rmsprop") {
    const hint = 'use optimizer "momentum" for SGD with momentum';
    throw new InvalidOptionError("momentum", `none with optimizer "${optimizer}"`, String(momentum), {
      hint,
    });
  }
  const share = momentum ?? (optimizer === "momentum" ? 0.9 : 0);
  if (!(share >= 0 && share < 1)) {
    throw new InvalidOptionError("momentum", "a number from 0 up to but not including 1", String(share));
  }
  const made = FACTORIES[optimizer](rate, share);
  try {
    return describeOptimizer(made) as OptimizerDescription;
  } finally {
    disposeOptimizer(made);
  }
}

function describeGiven(
  optimizer: tf.Optimizer,
  { learningRate, momentum }: RetrainOptimizerRequest,
): OptimizerDescription {
  // TF.js's `instanceof` looks at methods, so that an optimizer of another copy of it passes too.
  if (!(optimizer instanceof tf.Optimizer)) {
    throw new InvalidOptionError("optimizer", "a name or an optimizer of tf.train", typeof optimizer);
  }
  for (const [name, value] of Object.entries({ learningRate, momentum })) {
    if (value === undefined) continue;
    const hint = "set it where the optimizer is made";
    throw new InvalidOptionError(name, "none beside an optimizer object", String(value), { hint });
  }
  return describeOptimizer(optimizer) as OptimizerDescription;
}
