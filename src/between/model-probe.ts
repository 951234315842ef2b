import * as tf from "@tensorflow/tfjs";
import { wholeNumber } from "../base/check-option.js";
import { EvaluationError, InvalidOptionError } from "../base/errors.js";
import {
  betweenBatches,
  changedWeightsError,
  type ForwardPass,
  forwardPass,
  holdWeights,
  withModel,
} from "../loss/evaluate-at.js";
import type { Batch, EvaluationData } from "../loss/evaluation-data.js";
import { portsOf } from "../loss/model-ports.js";
import { openSamples } from "../loss/model-samples.js";
import { bindModel } from "../model/bound-weights.js";
import type { ParameterLayout } from "../model/layout.js";
import { layoutOfModel } from "../model/layout-of-model.js";

/** Options of what looks inside a model on some samples. */
export interface ProbeOptions {
  /** Order of the entries of θ. Default that of the model. */
  readonly layout?: ParameterLayout | undefined;
  /** Uses only the first so many samples. Default 1024. */
  readonly sampleLimit?: number | undefined;
  /** Samples per forward pass. Default 128. */
  readonly batchSize?: number | undefined;
}

/** Runs a model at given weights on a calibration set, and shows what goes on inside. */
export interface ModelProbe {
  readonly layout: ParameterLayout;
  readonly samples: number;
  /** sha-256 (hex) of the calibration set. */
  readonly dataDigest: string;
  /**
   * Visits each batch. The model's weights are put back bit for bit afterwards, also when a visit fails.
   *
   * @param visit - gets the batch, and runs the model on it at a θ; tensors that it makes are its own to dispose.
   */
  forEachBatch(
    visit: (batch: Batch, runAt: (theta: Float32Array) => tf.Tensor[]) => void | Promise<void>,
    signal?: AbortSignal,
  ): Promise<void>;
  /** Frees the calibration set. Idempotent. */
  dispose(): void;
}

/**
 * Opens a probe of a model.
 *
 * @param data - the calibration set; its targets are not used.
 * @throws {@link InvalidDataError} if the data do not fit the model; {@link InvalidOptionError} for sizes below 1.
 */
export async function openProbe(
  model: tf.LayersModel,
  data: EvaluationData,
  options: ProbeOptions = {},
): Promise<ModelProbe> {
  const { sampleLimit = 1024, batchSize = 128 } = options;
  for (const [name, value] of Object.entries({ sampleLimit, batchSize })) wholeNumber(name, value);
  const weights = bindModel(model, options.layout ?? layoutOfModel(model));
  const source = await openSamples(portsOf(model), data, {
    batchSize: Math.min(batchSize, sampleLimit),
    sampleLimit,
    dataId: undefined,
    cacheBytes: 2 ** 29,
    signal: undefined,
  });
  const forward: ForwardPass = forwardPass(model, []);
  let isDisposed = false;
  return {
    layout: weights.layout,
    samples: source.samples,
    dataDigest: source.digest,
    forEachBatch: (visit, signal) =>
      withModel(model, async () => {
        if (isDisposed) throw new EvaluationError("probe", "one in use", "one that was disposed");
        const held = holdWeights(model);
        let changed: readonly string[] = [];
        try {
          await source.forEachBatch(async (batch) => {
            signal?.throwIfAborted();
            await visit(batch, (theta) => {
              weights.assign(theta);
              held.mark();
              return forward(batch.xs);
            });
            await betweenBatches(signal);
          });
        } finally {
          changed = held.restore();
        }
        if (changed.length > 0) throw changedWeightsError(model.name, changed);
      }),
    dispose() {
      if (isDisposed) return;
      isDisposed = true;
      source.dispose();
    },
  };
}

/** Stands in front of a layer's `call` for a while: its training mode and its weights stay as they are. */
export type CallWatch = (call: tf.layers.Layer["call"]) => tf.layers.Layer["call"];

/**
 * Puts watches in front of the `call` of layers; the answer takes them away again.
 *
 * @example const release = watchCalls(new Map([[layer, (call) => (x, kwargs) => call(x, kwargs)]]));
 */
export function watchCalls(watches: ReadonlyMap<tf.layers.Layer, CallWatch>): () => void {
  const originals = [...watches.keys()].map((layer) => ({
    layer,
    own: Object.getOwnPropertyDescriptor(layer, "call"),
  }));
  for (const [layer, watch] of watches) layer.call = watch(layer.call.bind(layer));
  return () => {
    for (const { layer, own } of originals) {
      if (own === undefined) delete (layer as Partial<tf.layers.Layer>).call;
      else Object.defineProperty(layer, "call", own);
    }
  };
}

/** How far the outputs of a model at two θ differ. */
export interface OutputDifference {
  /** Largest absolute difference of an output. */
  readonly largest: number;
  /** Largest absolute output at the first θ. */
  readonly scale: number;
}

/** Returns how far the outputs at two θ differ over a calibration set; NaN where an output is. */
export async function outputDifference(
  probe: ModelProbe,
  a: Float32Array,
  b: Float32Array,
  signal?: AbortSignal,
): Promise<OutputDifference> {
  let [largest, scale] = [0, 0];
  await probe.forEachBatch(async (_, runAt) => {
    const [ofA, ofB] = [runAt(a), runAt(b)];
    const found = tf.tidy(() =>
      tf.stack(ofA.flatMap((output, i) => [tf.max(tf.abs(tf.sub(output, ofB[i]))), tf.max(tf.abs(output))])),
    );
    const values = await found.data();
    tf.dispose([...ofA, ...ofB, found]);
    for (let i = 0; i < values.length; i += 2) {
      largest = Math.max(largest, values[i]);
      scale = Math.max(scale, values[i + 1]);
    }
  }, signal);
  return { largest, scale };
}
