import type * as tf from "@tensorflow/tfjs";
import { InvalidOptionError, LandscapeError } from "../base/errors.js";
import type { ParameterLayout } from "../model/layout.js";
import { layoutOfModel } from "../model/layout-of-model.js";
import { createEngineEvaluator } from "./engine/create-engine-evaluator.js";
import { createFastRecalibrator } from "./engine/graph-recalibrator.js";
import type { EvaluationData } from "./evaluation-data.js";
import { localEvaluator } from "./local-evaluator.js";
import type { EngineInfo, LossEvaluator, OtherDataOptions } from "./loss-evaluator.js";
import { type LossEvaluatorOptions, resolveModelLossOptions } from "./loss-options.js";
import { planLoss } from "./loss-plan.js";
import type { ModelRecalibrator } from "./recalibrator.js";
import { hasStatistics } from "./slice-loss.js";
import { undefinedVariances } from "./undefined-points.js";
import { createWorkerEvaluator } from "./workers/create-worker-evaluator.js";

/**
 * Creates what computes a model's exact loss and metrics at any θ: the sample-weighted mean over the whole
 * evaluation set, in evaluation mode (no dropout, moving batch statistics), without regularization unless
 * asked for. The loss of several outputs is the sum of theirs, as TF.js trains on (it has no loss weights).
 *
 * The engine is the fastest that is installed and knows the model: a TensorFlow graph (native backend), ONNX
 * Runtime, or the model's own ops. It is used only if it agrees with the model's own ops, to 1e-5 relative;
 * `facts.warnings` names one that was rejected. With `workers`, other processes evaluate several points at a time;
 * values are bit-identical for any number of them, and to those of this process with the same engine, batch size
 * and threads. A worker that dies is replaced and its points are done again.
 *
 * The model's weights are put back bit for bit after every evaluation, also when it fails; the model must not be
 * trained while one runs. Where a weight is NaN, or a moving variance has no root, loss and metrics are NaN.
 *
 * Cost: one forward pass over the data per evaluation; memory for the data once in each process.
 *
 * @param data - tensors `{ xs, ys }` (one, lists, or records by name), which stay the caller's, or a
 * `tf.data.Dataset` of batches.
 * @throws {@link InvalidDataError} if the data do not fit the model.
 * @throws {@link EvaluationError} if the model has no loss, or none in the loss mode asked for; if the engine asked
 * for does not know the model; naming what cannot be handed to a process (a loss, metric or layer of your own
 * without `setup`), or if workers do not start.
 * @throws {@link InvalidOptionError} if an option cannot be used.
 * @throws {@link MissingDependencyError} if the engine asked for is not installed.
 * @throws {@link BackendError} if the engine asked for needs another backend.
 * @example
 * const evaluator = await createLossEvaluator(model, { xs, ys }, { loss: "logits" });
 * const { loss } = await evaluator.evaluate(theta);
 */
export async function createLossEvaluator(
  model: tf.LayersModel,
  data: EvaluationData,
  options: LossEvaluatorOptions = {},
): Promise<LossEvaluator> {
  if (options.workers !== undefined || options.runner !== undefined) {
    return createWorkerEvaluator(model, data, options);
  }
  for (const name of ["setup", "dataExport"] as const) {
    if (options[name] === undefined) continue;
    throw new InvalidOptionError(name, "none without `workers`", JSON.stringify(options[name]));
  }
  return createHere(model, data, options);
}

/** What a calibration set is shared by. */
interface SharedRecalibrator {
  readonly recalibrator: ModelRecalibrator | null;
  /** Counts one more user. */
  share(): SharedRecalibrator;
  release(): void;
}

async function createHere(
  model: tf.LayersModel,
  data: EvaluationData,
  options: LossEvaluatorOptions,
  given?: SharedRecalibrator,
): Promise<LossEvaluator> {
  const layout = options.layout ?? layoutOfModel(model);
  const engine = await createEngineEvaluator(model, data, options);
  try {
    const shared =
      given?.share() ?? shareable(await openCalibration(model, data, layout, options, engine.engine));
    const withData = (other: EvaluationData, how: OtherDataOptions = {}): Promise<LossEvaluator> => {
      const { dataId, reuse, signal } = how;
      const open = (choice: OtherDataOptions["reuse"]) =>
        createHere(model, other, { ...options, dataId, reuse: choice, signal }, shared);
      return open(reuse ?? engine.engine).catch((error: unknown) => {
        // The engine that serves for these data may refuse others: they get a choice of their own.
        const isAsked = options.engine !== undefined || options.device !== undefined;
        if (reuse !== undefined || isAsked || !(error instanceof LandscapeError)) throw error;
        return open(undefined);
      });
    };
    return localEvaluator({
      engine,
      layout,
      undefinedAt: undefinedVariances(model, layout),
      recalibrator: shared.recalibrator,
      withData,
      release: shared.release,
    });
  } catch (error) {
    engine.dispose();
    throw error;
  }
}

async function openCalibration(
  model: tf.LayersModel,
  data: EvaluationData,
  layout: ParameterLayout,
  options: LossEvaluatorOptions,
  engine: EngineInfo,
): Promise<ModelRecalibrator | null> {
  const { calibration, dataId, nonFiniteData, sampleLimit = Number.POSITIVE_INFINITY } = options;
  if (calibration === null || (calibration === undefined && !hasStatistics(layout))) return null;
  const { data: own, sampleLimit: most = 1024, batchSize } = calibration ?? {};
  const loss = planLoss(model, resolveModelLossOptions(options));
  return own === undefined || own === data
    ? createFastRecalibrator(model, data, engine, loss, {
        layout,
        batchSize,
        dataId,
        nonFiniteData,
        sampleLimit: Math.min(most, sampleLimit),
      })
    : createFastRecalibrator(model, own, engine, loss, {
        layout,
        batchSize,
        nonFiniteData,
        sampleLimit: most,
      });
}

function shareable(recalibrator: ModelRecalibrator | null): SharedRecalibrator {
  let users = 1;
  const shared: SharedRecalibrator = {
    recalibrator,
    share() {
      users++;
      return shared;
    },
    release() {
      users--;
      if (users === 0) recalibrator?.dispose();
    },
  };
  return shared;
}
