import { setImmediate } from "node:timers/promises";
import type * as tf from "@tensorflow/tfjs";
import type { LandscapeWarning } from "../base/warning.js";
import type { EvaluationData } from "../loss/evaluation-data.js";
import { portsOf } from "../loss/model-ports.js";
import { assignWeights, readWeights } from "../model/bound-weights.js";
import type { ParameterLayout } from "../model/layout.js";
import { copyModel, createDropoutSeeder, disposeCopy, randomLayerWarnings } from "./copy-model.js";
import { checkedCount } from "./jump-options.js";
import { disposeSets, readSet, readSource } from "./jump-source.js";
import { createBatchOrder, update } from "./jump-trainer.js";
import { describeRetrainOptimizer, type RetrainOptimizerRequest } from "./retrain-optimizer.js";

/** Options of `openContinuation`. */
export interface ContinuationOptions extends RetrainOptimizerRequest {
  /** Samples per update. Default 32, as in `model.fit`. */
  readonly batchSize?: number;
}

/** Continues a training from any θ, in an order of the samples that follows from a seed. */
export interface Continuation {
  readonly layout: ParameterLayout;
  readonly warnings: readonly LandscapeWarning[];
  /** Returns the weights after so many epochs from `theta`; the optimizer is at its start. */
  train(
    theta: Float32Array,
    how: { readonly epochs: number; readonly seed: number; readonly signal?: AbortSignal | undefined },
  ): Promise<Float32Array>;
  /** Frees the samples. Idempotent. */
  dispose(): void;
}

/**
 * Opens what continues the training of a model's architecture on the compiled loss. Each training has a copy of the
 * model; the model itself is not trained.
 *
 * @throws {@link EvaluationError} if the model cannot be copied; {@link InvalidDataError} if the data do not fit it;
 * {@link InvalidOptionError} for an optimizer that cannot be used.
 */
export async function openContinuation(
  model: tf.LayersModel,
  data: EvaluationData,
  options: ContinuationOptions = {},
): Promise<Continuation> {
  const batchSize = checkedCount("batchSize", options.batchSize ?? 32);
  const optimizer = describeRetrainOptimizer(options);
  const source = await readSource(model);
  const set = await readSet("train", portsOf(model), data, undefined);
  let isDisposed = false;
  return {
    layout: source.layout,
    warnings: randomLayerWarnings(model),
    async train(theta, { epochs, seed, signal }) {
      const copy = await copyModel(source, optimizer, { loss: model.loss, metrics: model.metrics });
      try {
        assignWeights(copy, source.layout, theta);
        const nextOrder = createBatchOrder(set.batch.samples, batchSize, seed);
        const reseed = createDropoutSeeder(copy, seed);
        for (let epoch = 0; epoch < epochs; epoch++) {
          for (const rows of nextOrder()) {
            signal?.throwIfAborted();
            reseed();
            await update(copy, set.batch, rows);
          }
          await setImmediate();
        }
        return await readWeights(copy, source.layout);
      } finally {
        disposeCopy(copy);
      }
    },
    dispose() {
      if (isDisposed) return;
      isDisposed = true;
      disposeSets([set]);
    },
  };
}
