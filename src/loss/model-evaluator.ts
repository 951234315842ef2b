import type * as tf from "@tensorflow/tfjs";
import { currentBackend } from "../backend/current-backend.js";
import { tensorFlowThreads } from "../backend/native-package.js";
import { EvaluationError, InvalidDataError } from "../base/errors.js";
import { bindModel } from "../model/bound-weights.js";
import { layoutOfModel } from "../model/layout-of-model.js";
import type { EngineEvaluator } from "./engine-evaluator.js";
import { createSharedUse, evaluateAt, undefinedValue, withModel } from "./evaluate-at.js";
import type { EvaluationData } from "./evaluation-data.js";
import { isScoredAtOnce } from "./evaluation-run.js";
import type { LossValue } from "./loss-evaluator.js";
import { planLoss } from "./loss-plan.js";
import { probeLoss } from "./loss-probe.js";
import { evaluationDigest } from "./model-digest.js";
import { type ModelLossOptions, resolveModelLossOptions } from "./model-loss-options.js";
import { portsOf } from "./model-ports.js";
import { modelSamples, openSamples } from "./model-samples.js";
import { undefinedPoints } from "./undefined-points.js";

/**
 * Creates what computes a model's loss and metrics with the model's own ops: the reference for all engines.
 *
 * Every evaluation puts θ into the model's own variables and the model's weights back afterwards, bit for
 * bit, also when it fails or is aborted; evaluations on one model wait for each other. The model must not be
 * trained while an evaluation runs. Per-sample losses are read back and summed in float64. Values in the data
 * are taken as they are: NaN among them makes the loss NaN. Where a weight is NaN, or a moving variance
 * negative, loss and metrics are NaN.
 *
 * Cost: one forward pass over the data per evaluation; memory for one copy of the data on the backend.
 *
 * @param data - tensors `{ xs, ys }` (one, lists, or records by name), which stay the caller's, or a
 * `tf.data.Dataset` of batches.
 * @throws {@link InvalidDataError} if the data do not fit the model.
 * @throws {@link EvaluationError} if the model has no loss, or none in the loss mode asked for.
 * @throws {@link InvalidOptionError} if an option cannot be used.
 */
export async function createModelEvaluator(
  model: tf.LayersModel,
  data: EvaluationData,
  options: ModelLossOptions = {},
): Promise<EngineEvaluator> {
  const backend = currentBackend().name;
  const threads = backend === "native" ? tensorFlowThreads() : 0;
  const resolved = resolveModelLossOptions(options);
  const plan = planLoss(model, resolved);
  const weights = bindModel(model, resolved.layout ?? layoutOfModel(model));
  const isUndefined = undefinedPoints(model, weights.layout);
  const ports = portsOf(model);
  const source = await openSamples(ports, data, resolved);
  const use = createSharedUse(() => source.dispose());
  const warnings = await withModel(model, () =>
    probeLoss(model, plan, source, isScoredAtOnce(model, source)),
  ).catch((error: unknown) => {
    source.dispose();
    throw error;
  });

  const evaluateNow = async (theta: Float32Array, signal: AbortSignal | undefined): Promise<LossValue> => {
    signal?.throwIfAborted();
    if (use.isClosed()) throw new EvaluationError("LossEvaluator", "one in use", "one that was disposed");
    if (theta.length !== weights.layout.parameterCount) {
      const expected = `${weights.layout.parameterCount} weights`;
      throw new InvalidDataError("theta", expected, String(theta.length));
    }
    if (isUndefined(theta)) return undefinedValue(plan);
    return evaluateAt(model, plan, source, () => weights.assign(theta), signal);
  };

  return {
    engine: { name: "tfjs", backend, batchSize: source.batchSize, threads },
    lossMode: plan.mode,
    parameterCount: weights.layout.parameterCount,
    metricNames: plan.scores.metrics.map(({ name }) => name),
    samples: source.samples,
    dataDigest: source.digest,
    modelDigest: evaluationDigest(model, weights.layout, plan),
    warnings,
    perSample: modelSamples({ model, plan, ports, source, weights, isUndefined }),
    evaluate: (theta, signal) => use.run(() => withModel(model, () => evaluateNow(theta, signal))),
    dispose: use.close,
  };
}
