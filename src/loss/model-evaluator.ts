import * as tf from "@tensorflow/tfjs";
import { currentBackend } from "../backend/current-backend.js";
import { tensorFlowThreads } from "../backend/native-package.js";
import { EvaluationError, InvalidDataError } from "../base/errors.js";
import type { LandscapeWarning } from "../base/warning.js";
import { bindModel } from "../model/bound-weights.js";
import { layoutOfModel } from "../model/layout-of-model.js";
import type { Finiteness } from "./engine/finiteness.js";
import {
  evaluateAt,
  forwardPass,
  functionLoss,
  isScoredAtOnce,
  undefinedValue,
  whileAssigned,
  withModel,
} from "./evaluate-at.js";
import type { Batch, EvaluationData, SampleSource, SampleSourceOptions } from "./evaluation-data.js";
import { type AuditedPass, createKernelAudit } from "./kernel-audit.js";
import { createSharedUse, type EngineEvaluator, type LossValue } from "./loss-evaluator.js";
import {
  type ModelLossOptions,
  type ResolvedModelLossOptions,
  resolveModelLossOptions,
} from "./loss-options.js";
import { evaluationDigest, type LossPlan, planLoss, scoreSamples } from "./loss-plan.js";
import { portsOf } from "./model-ports.js";
import { modelSamples, openRows, openSamples } from "./model-samples.js";
import { firstSamples } from "./resident-samples.js";
import { undefinedPoints } from "./undefined-points.js";

/** Samples that a model is probed on. */
const SAMPLES = 32;
/** A mean of halves differs from the mean of the whole by rounding; a sum by a factor of two. */
const TOLERANCE = 1e-3;

/**
 * Runs a model's own ops on the first samples, at its present weights, and looks for what makes its loss no function
 * of θ: outputs that differ when they are computed again, and a compiled loss that gives one number for a batch which
 * is no mean over its samples (a sum, a root of a mean).
 *
 * @param isScoredAtOnce - whether all samples are scored at once, so that such a number is that of the whole set.
 * @throws {@link EvaluationError} naming the output whose loss is no mean, where samples are scored in parts.
 */
export async function probeLoss(
  model: tf.LayersModel,
  plan: LossPlan,
  source: SampleSource,
  isScoredAtOnce: boolean,
): Promise<LandscapeWarning[]> {
  const batch = await firstBatch(source, model.inputs[0]?.shape[0] ?? SAMPLES);
  if (batch === null) return [];
  try {
    const forward = forwardPass(model, plan.activations);
    const [raws, again] = [forward(batch.xs), forward(batch.xs)];
    try {
      refuseUnweighable(plan, raws, batch);
      if (await differ(raws, again)) return [randomWarning(model)];
      if (!isScoredAtOnce) await refuseSums(model, plan, raws, batch);
      return [];
    } finally {
      tf.dispose([...raws, ...again]);
    }
  } finally {
    tf.dispose([...batch.xs, ...batch.ys, ...batch.ws]);
  }
}

async function firstBatch(source: SampleSource, most: number): Promise<Batch | null> {
  let first: Batch | null = null;
  const done = new Error("one batch is enough");
  await source
    .forEachBatch(async (batch) => {
      if (first !== null) return;
      first = firstSamples(batch, Math.min(most, batch.samples));
      // A stream would be read to its end.
      if (source.targets === null) throw done;
    })
    .catch((error: unknown) => {
      if (error !== done) throw error;
    });
  return first;
}

async function differ(a: readonly tf.Tensor[], b: readonly tf.Tensor[]): Promise<boolean> {
  for (const [i, tensor] of a.entries()) {
    const [values, others] = [await tensor.data(), await (b[i] as tf.Tensor).data()];
    if (values.some((value, k) => !Object.is(value, others[k]))) return true;
  }
  return false;
}

function randomWarning({ name }: tf.LayersModel): LandscapeWarning {
  const message =
    `model "${name}" gives other outputs each time it is evaluated at the same weights (a layer that samples, or ` +
    "dropout that stays on): its loss is no function of the weights, and a surface of it is rough by chance";
  return { code: "random-loss", message };
}

/** A loss that gives one number for a batch, or a function of the user's own, cannot be weighted sample by sample. */
function refuseUnweighable(plan: LossPlan, raws: readonly tf.Tensor[], { ys, ws, samples }: Batch): void {
  if (ws.length === 0) return;
  if (plan.lossFunction !== null) {
    throw new EvaluationError("lossFunction", "no weights beside it", "classWeight or sampleWeight", {
      hint: "weigh in the function itself",
    });
  }
  tf.tidy(() => {
    scoreSamples(plan.scores, raws, ys, samples, ws);
  });
}

async function refuseSums(
  model: tf.LayersModel,
  plan: LossPlan,
  raws: readonly tf.Tensor[],
  { ys, samples }: Batch,
): Promise<void> {
  const half = samples >> 1;
  if (half === 0) return;
  const scored = (from: number, count: number) =>
    tf.tidy(() => {
      const cut = (tensor: tf.Tensor) => tensor.slice(from, count);
      return scoreSamples(plan.scores, raws.map(cut), ys.map(cut), count).losses.map((loss) => tf.keep(loss));
    });
  const parts = [scored(0, samples), scored(0, half), scored(half, samples - half)];
  try {
    for (const [output, loss] of (parts[0] as tf.Tensor[]).entries()) {
      if (loss.rank > 0) continue;
      const values = await Promise.all(
        parts.map(async (part) => (await (part[output] as tf.Tensor).data())[0]),
      );
      const [whole, first, second] = values as [number, number, number];
      const mean = (half * first + (samples - half) * second) / samples;
      const slack = TOLERANCE * Math.max(Math.abs(whole), Math.abs(mean));
      if (!Number.isFinite(whole) || !Number.isFinite(mean) || Math.abs(whole - mean) <= slack) continue;
      const got = `${whole} for ${samples} samples whose halves give ${first} and ${second}`;
      throw new EvaluationError(
        `loss of output "${model.outputNames[output]}"`,
        "one value per sample, or the mean over a batch",
        got,
        {
          hint: "return one value per sample, or give the data as tensors, so that all samples are scored at once",
        },
      );
    }
  } finally {
    tf.dispose(parts);
  }
}

/** The model's own ops, and what tells where their values are none. */
export interface ModelEvaluator extends EngineEvaluator {
  /** Tells where there is no loss, of some of the samples (null: of all). */
  readonly finiteness: (rows: Int32Array | null) => Finiteness;
}

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
): Promise<ModelEvaluator> {
  const resolved = resolveModelLossOptions(options);
  return openModelEvaluator(model, data, planLoss(model, resolved), resolved);
}

/** {@link createModelEvaluator} for what is settled. */
export async function openModelEvaluator(
  model: tf.LayersModel,
  data: EvaluationData,
  plan: LossPlan,
  { layout, ...how }: SampleSourceOptions & Pick<ResolvedModelLossOptions, "layout">,
): Promise<ModelEvaluator> {
  const backend = currentBackend().name;
  const threads = backend === "native" ? tensorFlowThreads() : 0;
  const weights = bindModel(model, layout ?? layoutOfModel(model));
  const isUndefined = undefinedPoints(model, weights.layout);
  const ports = portsOf(model);
  const source = await openSamples(ports, data, how);
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

  const forward = forwardPass(model, plan.activations);
  const { lossFunction } = plan;
  const auditedPass = (rows: Int32Array | null): AuditedPass => ({
    largest: source.largest,
    parameters: weights.layout.parameters,
    open: async (signal) => (rows === null ? source : openRows(ports, source, rows, signal)),
    at: (theta, task) =>
      withModel(model, () =>
        whileAssigned(
          model,
          () => weights.assign(theta),
          () => task(weights.variables),
        ),
      ),
    run: (batch) =>
      lossFunction === null ? forward(batch.xs) : [functionLoss(model, lossFunction, batch).values],
    close: (own) => {
      if (rows !== null) own.dispose();
    },
  });

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
    finiteness: (rows) => createKernelAudit(`model "${model.name}"`, auditedPass(rows)),
    evaluate: (theta, signal) => use.run(() => withModel(model, () => evaluateNow(theta, signal))),
    dispose: use.close,
  };
}
