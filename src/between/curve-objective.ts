import * as tf from "@tensorflow/tfjs";
import { EvaluationError } from "../base/errors.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { EvaluationData } from "../loss/evaluation-data.js";
import { portsOf } from "../loss/model-ports.js";
import { createUniform } from "../math/random.js";
import { bindModel } from "../model/bound-weights.js";
import type { ParameterLayout } from "../model/layout.js";
import { copyModel, createDropoutSeeder, disposeCopy, randomLayerWarnings } from "../training/copy-model.js";
import { checkedCount } from "../training/jump-options.js";
import { disposeSets, readSet, readSource } from "../training/jump-source.js";
import { update } from "../training/jump-trainer.js";
import { describeRetrainOptimizer } from "../training/retrain-optimizer.js";
import type { CurveOptimizer } from "./descent.js";
import { shuffled } from "./permutation.js";

/** A loss with its gradient, on one batch after another: what curves are trained on. */
export interface CurveObjective {
  readonly parameterCount: number;
  /** The batches of an epoch, in an order that follows from seed and epoch alone. */
  batches(epoch: number): readonly Int32Array[];
  /**
   * Writes the gradient of the loss on a batch into `out` (parameterCount), 0 where a weight is not trained.
   *
   * @returns the loss.
   */
  gradientInto(out: Float32Array, theta: Float32Array, batch: Int32Array): Promise<number>;
}

/** The objective of a model and its training set. */
export interface ModelObjective extends CurveObjective {
  /** A copy of the model, whose weights may be set: recorders read them. */
  readonly model: tf.LayersModel;
  /** Weights that training moves (parameterCount). */
  readonly isTrained: Uint8Array;
  readonly samples: number;
  readonly warnings: readonly LandscapeWarning[];
  /** Sets the weights of the copy. */
  assign(theta: Float32Array): void;
  /** Frees samples and copy. Idempotent. */
  dispose(): void;
}

/** Options of {@link openCurveObjective}. */
export interface CurveObjectiveOptions {
  /** Order of θ. Default that of the model. */
  readonly layout?: ParameterLayout | undefined;
  /** Samples per gradient. Default 128. */
  readonly batchSize?: number | undefined;
  /** Seed of the order of samples and of dropout. Default 0. */
  readonly seed?: number | undefined;
  /** What moves the curve, for the description of its runs. Default SGD. */
  readonly optimizer?: { readonly optimizer: CurveOptimizer; readonly learningRate: number } | undefined;
}

/**
 * Opens the compiled loss of a model as an objective: with penalties, dropout, and the statistics of the batch in batch
 * normalization, as `model.fit` has them. The gradient is what an optimizer of a copy of the model is given; the model
 * itself is not touched.
 *
 * @param data - the training set; all of it is kept on the backend.
 * @throws {@link EvaluationError} if the model has no compiled loss or cannot be copied; {@link InvalidDataError} if the
 * data do not fit it.
 * @example const objective = await openCurveObjective(model, { xs, ys }, { batchSize: 128 });
 */
export async function openCurveObjective(
  model: tf.LayersModel,
  data: EvaluationData,
  options: CurveObjectiveOptions = {},
): Promise<ModelObjective> {
  const { seed = 0 } = options;
  const batchSize = checkedCount("batchSize", options.batchSize ?? 128);
  const source = await readSource(model);
  const set = await readSet("train", portsOf(model), data, undefined);
  let copy: tf.LayersModel;
  try {
    const optimizer = describeRetrainOptimizer(options.optimizer ?? { optimizer: "sgd" });
    copy = await copyModel(source, optimizer, { loss: model.loss, metrics: [] });
  } catch (error) {
    disposeSets([set]);
    throw error;
  }
  const weights = bindModel(copy, options.layout ?? source.layout);
  const { parameters, parameterCount } = weights.layout;
  const places = new Map(weights.variables.map(({ name }, i) => [name, parameters[i]]));
  const trained = copy.trainableWeights.map((weight) => weight.read() as tf.Variable);
  const isTrained = new Uint8Array(parameterCount);
  for (const { name } of trained) {
    const place = places.get(name);
    if (place !== undefined) isTrained.fill(1, place.offset, place.offset + place.size);
  }
  let caught: { readonly name: string; readonly tensor: tf.Tensor }[] = [];
  copy.optimizer.applyGradients = (gradients) => {
    const listed = Array.isArray(gradients)
      ? gradients
      : Object.entries(gradients).map(([name, tensor]) => ({ name, tensor }));
    // A weight that the loss does not depend on has none.
    caught = listed.flatMap(({ name, tensor }) =>
      tensor === null || tensor === undefined ? [] : [{ name, tensor: tf.keep(tensor.clone()) }],
    );
  };
  let reseed: { readonly epoch: number; readonly next: () => void } | undefined;
  let epochNow = 0;
  let isDisposed = false;
  return {
    parameterCount,
    model: copy,
    isTrained,
    samples: set.batch.samples,
    warnings: randomLayerWarnings(model),
    batches(epoch) {
      epochNow = epoch;
      const order = shuffled(set.batch.samples, createUniform(seed, "curve", "batches", epoch));
      const count = Math.ceil(order.length / batchSize);
      return Array.from({ length: count }, (_, i) => order.slice(i * batchSize, (i + 1) * batchSize));
    },
    async gradientInto(out, theta, batch) {
      if (isDisposed) throw new EvaluationError("curve", "an objective in use", "one that was disposed");
      if (reseed?.epoch !== epochNow) {
        reseed = { epoch: epochNow, next: createDropoutSeeder(copy, seed + epochNow) };
      }
      reseed.next();
      weights.assign(theta);
      let loss: number;
      try {
        loss = await update(copy, set.batch, batch);
        out.fill(0);
        const values = await Promise.all(caught.map(({ tensor }) => tensor.data()));
        for (const [i, { name }] of caught.entries()) {
          const place = places.get(name);
          if (place !== undefined) out.set(values[i] as Float32Array, place.offset);
        }
      } finally {
        tf.dispose(caught.map(({ tensor }) => tensor));
        caught = [];
      }
      return loss;
    },
    assign: (theta) => weights.assign(theta),
    dispose() {
      if (isDisposed) return;
      isDisposed = true;
      disposeSets([set]);
      disposeCopy(copy);
    },
  };
}
