import * as tf from "@tensorflow/tfjs";
import {
  betweenBatches,
  changedWeightsError,
  forwardPass,
  holdWeights,
  withModel,
} from "../loss/evaluate-at.js";
import type { Batch, SampleSource } from "../loss/evaluation-data.js";
import { type LossPlan, perSample, scoreSamples } from "../loss/loss-plan.js";
import type { BoundWeights } from "../model/bound-weights.js";
import type { RecordedLoss } from "./second-order.js";

/** What a loss over θ is computed from. */
export interface LossParts {
  readonly model: tf.LayersModel;
  readonly plan: LossPlan;
  readonly weights: BoundWeights;
  readonly source: SampleSource;
  /** The trained weights. */
  readonly moved: readonly MovedWeight[];
}

/** A trained weight, and its place in θ. */
export interface MovedWeight {
  readonly variable: tf.Variable;
  readonly offset: number;
  readonly size: number;
}

export function movedWeights({ layout, variables }: BoundWeights): MovedWeight[] {
  return layout.parameters.flatMap(({ trainable, offset, size }, i) =>
    trainable && size > 0 ? [{ variable: variables[i] as tf.Variable, offset, size }] : [],
  );
}

/**
 * Sets the weights to θ and shows the parts whose sum is the loss, one after another: that of each batch, then the
 * penalties (without a batch). The model has its own weights again afterwards, also after a throw.
 */
export function eachLoss(
  { model, plan, weights, source }: LossParts,
  theta: Float32Array,
  signal: AbortSignal | undefined,
  visit: (loss: () => RecordedLoss, batch: Batch | null) => Promise<void>,
): Promise<void> {
  return withModel(model, async () => {
    const held = holdWeights(model);
    let changed: readonly string[] = [];
    try {
      weights.assign(theta);
      held.mark();
      await source.forEachBatch(async (batch) => {
        await betweenBatches(signal);
        await visit(() => batchLoss(model, plan, batch, source.samples), batch);
      });
      if (plan.includeRegularization && hasPenalties(model)) await visit(() => penalty(model), null);
    } finally {
      changed = held.restore();
    }
    if (changed.length > 0) throw changedWeightsError(model.name, changed);
  });
}

/** A batch's part of the mean loss. */
export function batchLoss(
  model: tf.LayersModel,
  plan: LossPlan,
  batch: Batch,
  samples: number,
): RecordedLoss {
  const { xs, ys } = batch;
  if (plan.lossFunction !== null) {
    const single = (tensors: readonly tf.Tensor[]) =>
      tensors.length === 1 ? (tensors[0] as tf.Tensor) : [...tensors];
    const values = perSample(plan.lossFunction(model, single(xs), single(ys)), batch.samples, "mean");
    return { loss: shareOf(values, batch, samples), outputs: [] };
  }
  const outputs = forwardPass(model, plan.activations)(xs);
  const { losses } = scoreSamples(plan.scores, outputs, ys, batch.samples, batch.ws);
  const loss = losses.map((values) => shareOf(values, batch, samples)).reduce((a, b) => tf.add(a, b));
  return { loss, outputs };
}

/** Σ over the batch, over all samples of the set. */
function shareOf(values: tf.Tensor, batch: Batch, samples: number): tf.Tensor {
  return values.rank === 0 ? tf.mul(values, batch.samples / samples) : tf.div(tf.sum(values), samples);
}

function hasPenalties(model: tf.LayersModel): boolean {
  let count = 0;
  tf.tidy(() => {
    count = model.calculateLosses().length;
  });
  return count > 0;
}

function penalty(model: tf.LayersModel): RecordedLoss {
  const loss = model.calculateLosses().reduce<tf.Tensor>((a, b) => tf.add(a, b), tf.scalar(0));
  return { loss, outputs: [] };
}

/** Adds tensors by weight into a vector over θ. */
export async function addInto(
  sum: Float64Array,
  moved: readonly MovedWeight[],
  tensors: readonly (tf.Tensor | null)[],
): Promise<void> {
  const values = await Promise.all(tensors.map((tensor) => tensor?.data() ?? null));
  values.forEach((own, i) => {
    if (own === null) return;
    const { offset } = moved[i] as MovedWeight;
    for (let k = 0; k < own.length; k++) sum[offset + k] += own[k];
  });
}
