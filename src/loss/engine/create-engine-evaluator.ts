import type * as tf from "@tensorflow/tfjs";
import { EvaluationError } from "../../base/errors.js";
import type { LandscapeWarning } from "../../base/warning.js";
import { layoutOfModel } from "../../model/layout-of-model.js";
import { undefinedValue } from "../evaluate-at.js";
import { type EvaluationData, isBatchDataset } from "../evaluation-data.js";
import type { EngineEvaluator } from "../loss-evaluator.js";
import { type EngineEvaluatorOptions, type EvaluationRequest, resolveEvaluation } from "../loss-options.js";
import { type LossPlan, planLoss } from "../loss-plan.js";
import { type ModelEvaluator, openModelEvaluator } from "../model-evaluator.js";
import { portsOf } from "../model-ports.js";
import { openSamples } from "../model-samples.js";
import { describeWeights } from "../sample-weights.js";
import { chooseEngine, mayUseOwnOps, passedOver } from "./choose-engine.js";
import { createFiniteness } from "./finiteness.js";
import { createFusedEngine } from "./fused/fused-engine.js";
import { graphLossEvaluator } from "./graph-evaluator.js";
import {
  cutColumns,
  type DataSet,
  type GraphEngine,
  hasNonFinite,
  readColumns,
  takeRows,
} from "./graph-program.js";
import { type Guards, guardEvaluator, type OwnOps } from "./guarded-evaluator.js";
import { type ModelPlan, planModel } from "./plan/plan-model.js";

/**
 * Creates what computes a model's exact loss and metrics at any θ with the fastest engine that is installed
 * and knows the model: a TensorFlow graph (native backend), ONNX Runtime, or the model's own ops.
 *
 * Losses and metrics are those of `createModelEvaluator`, to 1e-5 relative. A graph engine is used only
 * if it agrees with the model's own ops on the first samples at the model's present weights; one that is
 * passed over is named in `warnings`. The evaluation set is read back from the TF.js backend once.
 *
 * @throws as `createModelEvaluator` does.
 * @throws {@link MissingDependencyError} if the engine asked for is not installed.
 * @throws {@link BackendError} if the engine asked for needs another backend.
 * @throws {@link EvaluationError} if the engine asked for does not know the model, or computes something else.
 * @example
 * const evaluator = await createEngineEvaluator(model, { xs, ys }, { loss: "logits" });
 * const { loss } = await evaluator.evaluate(theta);
 */
export async function createEngineEvaluator(
  model: tf.LayersModel,
  data: EvaluationData,
  options: EngineEvaluatorOptions = {},
): Promise<EngineEvaluator> {
  const asked = resolveEvaluation(options);
  const evaluator = await createEvaluator(model, data, asked);
  const weights = describeWeights(model.outputNames, asked.classWeight, hasSampleWeight(data));
  return { ...evaluator, request: asked.request, ...(weights === null ? {} : { weights }) };
}

async function createEvaluator(
  model: tf.LayersModel,
  data: EvaluationData,
  asked: EvaluationRequest,
): Promise<EngineEvaluator> {
  const loss = planLoss(model, asked);
  const layout = asked.layout ?? layoutOfModel(model);
  const isWeighted = loss.classWeights !== null || hasSampleWeight(data);
  const plan = planModel(model, loss, layout, isWeighted);
  const noValue = undefinedValue(loss);
  /** What no engine can audit is audited by looking at the kernels of the model's own ops. */
  const audited = async (opened: Promise<OwnOpsEvaluator>): Promise<EngineEvaluator> => {
    const evaluator = await opened;
    return guardEvaluator(evaluator, { noValue, ownOps: null, finiteness: evaluator.finiteness });
  };
  if (!plan.supported) {
    if (asked.engine === "tfjs") return audited(modelEvaluator(model, data, loss, asked, []));
    return audited(passOver(model, data, loss, asked, plan.reason));
  }
  // A data set is read once more by the model's own ops: too much for a look at its numbers.
  if (asked.engine === "tfjs" && isBatchDataset(data)) {
    return audited(modelEvaluator(model, data, loss, asked, []));
  }
  const set = await readData(model, data, asked, plan);
  if (set === null) return audited(passOver(model, data, loss, asked, "data too large to keep"));
  const guards = (engine: GraphEngine, batchSize: number, ownOps: OwnOps | null): Guards => ({
    noValue,
    ownOps,
    finiteness: (rows) =>
      createFiniteness({ plan, engine, batchSize, data: rows === null ? set : takeRows(set, rows) }),
  });
  const isKept = hasNonFinite(set);
  if (asked.engine === "tfjs" || isKept) {
    const evaluator =
      asked.engine === "tfjs"
        ? await modelEvaluator(model, data, loss, asked, [])
        : await passOver(model, data, loss, asked, "NaN or infinity in the data");
    return guardEvaluator(evaluator, guards(createFusedEngine(), evaluator.engine.batchSize, null));
  }
  const choice = await chooseEngine(model, data, { plan, loss, layout, set, asked });
  const { evaluator, ownOps, measured, warnings } = choice;
  if (evaluator === null) {
    const slow = await modelEvaluator(model, data, loss, asked, warnings, measured);
    return guardEvaluator(slow, guards(createFusedEngine(), slow.engine.batchSize, null));
  }
  const graph = graphLossEvaluator({ model, loss, layout, set, ...choice, evaluator });
  return guardEvaluator(graph, guards(evaluator.engine, choice.batchSize, ownOps));
}

function hasSampleWeight(data: EvaluationData): boolean {
  const given = typeof data === "object" && data !== null && !isBatchDataset(data);
  return given && data.sampleWeight !== undefined && data.sampleWeight !== null;
}

/** Evaluates with the model's own ops where no graph can be used. */
async function passOver(
  model: tf.LayersModel,
  data: EvaluationData,
  loss: LossPlan,
  asked: EvaluationRequest,
  reason: string,
): Promise<OwnOpsEvaluator> {
  const { engine, device } = asked;
  if (!mayUseOwnOps(asked)) {
    throw new EvaluationError(`device "${device}"`, "a model, loss and data that it can take", reason);
  }
  if (engine !== "auto") {
    throw new EvaluationError(`engine "${engine}"`, "a model, loss and data that it can take", reason, {
      hint: 'use engine: "auto" or "tfjs"',
    });
  }
  return modelEvaluator(model, data, loss, asked, [passedOver("graph engines", reason)]);
}

/** The model's own ops as an engine, with what audits them. */
type OwnOpsEvaluator = EngineEvaluator & Pick<ModelEvaluator, "finiteness">;

/** The model's own ops as an engine. */
async function modelEvaluator(
  model: tf.LayersModel,
  data: EvaluationData,
  loss: LossPlan,
  asked: EvaluationRequest,
  warnings: readonly LandscapeWarning[],
  measured: Readonly<Record<string, number>> = {},
): Promise<OwnOpsEvaluator> {
  const evaluator = await openModelEvaluator(model, data, loss, asked);
  return {
    ...evaluator,
    warnings: [...warnings, ...(evaluator.warnings ?? [])],
    measured,
    openPlane: async () => ({
      isCached: false,
      evaluate: (theta, _alpha, _beta, signal) => evaluator.evaluate(theta, signal),
      dispose() {},
    }),
  };
}

/** Reads the evaluation set into plain arrays; null if it is a stream that is not kept. */
async function readData(
  model: tf.LayersModel,
  data: EvaluationData,
  asked: EvaluationRequest,
  plan: ModelPlan,
): Promise<DataSet | null> {
  const source = await openSamples(portsOf(model), data, asked);
  try {
    if (source.targets === null) return null;
    const columns = await readColumns(source, plan);
    return { ...cutColumns(columns, plan.graph), digest: source.digest };
  } finally {
    source.dispose();
  }
}
