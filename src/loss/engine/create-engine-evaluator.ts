import type * as tf from "@tensorflow/tfjs";
import { EvaluationError } from "../../base/errors.js";
import type { LandscapeWarning } from "../../base/warning.js";
import { layoutOfModel } from "../../model/layout-of-model.js";
import { undefinedValue } from "../evaluate-at.js";
import { type EvaluationData, isBatchDataset } from "../evaluation-data.js";
import type { EngineEvaluator } from "../loss-evaluator.js";
import {
  type EngineEvaluatorOptions,
  engineRequest,
  type ResolvedEngineOptions,
  type ResolvedModelLossOptions,
  resolveEngineOptions,
  resolveModelLossOptions,
  withEarlierChoice,
} from "../loss-options.js";
import { planLoss } from "../loss-plan.js";
import { createModelEvaluator, type ModelEvaluator } from "../model-evaluator.js";
import { portsOf } from "../model-ports.js";
import { openSamples } from "../model-samples.js";
import { describeWeights } from "../sample-weights.js";
import { chooseEngine, isElsewhere, passedOver } from "./choose-engine.js";
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
 * Losses and metrics are those of {@link createModelEvaluator}, to 1e-5 relative. A graph engine is used only
 * if it agrees with the model's own ops on the first samples at the model's present weights; one that is
 * passed over is named in `warnings`. The evaluation set is read back from the TF.js backend once.
 *
 * @throws as {@link createModelEvaluator} does.
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
  const evaluator = await createEvaluator(model, data, withEarlierChoice(options));
  const weights = describeWeights(model.outputNames, options.classWeight, hasSampleWeight(data));
  return { ...evaluator, request: engineRequest(options), ...(weights === null ? {} : { weights }) };
}

async function createEvaluator(
  model: tf.LayersModel,
  data: EvaluationData,
  options: EngineEvaluatorOptions,
): Promise<EngineEvaluator> {
  const own = resolveEngineOptions(options);
  const resolved = resolveModelLossOptions(options);
  const loss = planLoss(model, resolved);
  const layout = resolved.layout ?? layoutOfModel(model);
  const isWeighted = loss.classWeights !== null || hasSampleWeight(data);
  const plan = planModel(model, loss, layout, isWeighted);
  const noValue = undefinedValue(loss);
  /** What no engine can audit is audited by looking at the kernels of the model's own ops. */
  const audited = async (opened: Promise<OwnOpsEvaluator>): Promise<EngineEvaluator> => {
    const evaluator = await opened;
    return guardEvaluator(evaluator, { noValue, ownOps: null, finiteness: evaluator.finiteness });
  };
  if (!plan.supported) {
    if (own.engine === "tfjs") return audited(modelEvaluator(model, data, options, []));
    return audited(passOver(model, data, options, own, plan.reason));
  }
  // A data set is read once more by the model's own ops: too much for a look at its numbers.
  if (own.engine === "tfjs" && isBatchDataset(data)) {
    return audited(modelEvaluator(model, data, options, []));
  }
  const set = await readData(model, data, resolved, plan);
  if (set === null) return audited(passOver(model, data, options, own, "data too large to keep"));
  const guards = (engine: GraphEngine, batchSize: number, ownOps: OwnOps | null): Guards => ({
    noValue,
    ownOps,
    finiteness: (rows) =>
      createFiniteness({ plan, engine, batchSize, data: rows === null ? set : takeRows(set, rows) }),
  });
  const isKept = hasNonFinite(set);
  if (own.engine === "tfjs" || isKept) {
    const evaluator =
      own.engine === "tfjs"
        ? await modelEvaluator(model, data, options, [])
        : await passOver(model, data, options, own, "NaN or infinity in the data");
    return guardEvaluator(evaluator, guards(createFusedEngine(), evaluator.engine.batchSize, null));
  }
  const choice = await chooseEngine(model, data, { plan, loss, layout, set, options, own });
  const { evaluator, ownOps, measured, warnings } = choice;
  if (evaluator === null) {
    const slow = await modelEvaluator(model, data, options, warnings, measured);
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
  options: EngineEvaluatorOptions,
  { engine, device }: ResolvedEngineOptions,
  reason: string,
): Promise<OwnOpsEvaluator> {
  if (isElsewhere(device)) {
    throw new EvaluationError(`device "${device}"`, "a model, loss and data that it can take", reason);
  }
  if (engine !== "auto") {
    throw new EvaluationError(`engine "${engine}"`, "a model, loss and data that it can take", reason, {
      hint: 'use engine: "auto" or "tfjs"',
    });
  }
  return modelEvaluator(model, data, options, [passedOver("graph engines", reason)]);
}

/** The model's own ops as an engine, with what audits them. */
type OwnOpsEvaluator = EngineEvaluator & Pick<ModelEvaluator, "finiteness">;

/** The model's own ops as an engine. */
async function modelEvaluator(
  model: tf.LayersModel,
  data: EvaluationData,
  options: EngineEvaluatorOptions,
  warnings: readonly LandscapeWarning[],
  measured: Readonly<Record<string, number>> = {},
): Promise<OwnOpsEvaluator> {
  const evaluator = await createModelEvaluator(model, data, options);
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
  options: ResolvedModelLossOptions,
  plan: ModelPlan,
): Promise<DataSet | null> {
  const source = await openSamples(portsOf(model), data, options);
  try {
    if (source.targets === null) return null;
    const columns = await readColumns(source, plan);
    return { ...cutColumns(columns, plan.graph), digest: source.digest };
  } finally {
    source.dispose();
  }
}
