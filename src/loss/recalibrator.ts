import * as tf from "@tensorflow/tfjs";
import { wholeNumber } from "../base/check-option.js";
import { InvalidDataError, InvalidOptionError } from "../base/errors.js";
import { bindModel } from "../model/bound-weights.js";
import { matchLayout, type Parameter, type ParameterLayout } from "../model/layout.js";
import { layoutOfModel, owningLayers } from "../model/layout-of-model.js";
import { betweenBatches, changedWeightsError, forwardPass, holdWeights, withModel } from "./evaluate-at.js";
import type { EvaluationData, NonFiniteData } from "./evaluation-data.js";
import type { CalibrationFacts } from "./loss-evaluator.js";
import { portsOf } from "./model-ports.js";
import { openSamples } from "./model-samples.js";

/** Computes moving statistics anew. */
export interface Recalibrator extends CalibrationFacts {
  /** Writes the statistics that belong to the other weights of `theta` into it. */
  recalibrateInto(theta: Float32Array, signal?: AbortSignal): Promise<void>;
}

/** Options of `createRecalibrator`. */
export interface RecalibratorOptions {
  /** Order of the entries of θ. Default that of the model. */
  readonly layout?: ParameterLayout | undefined;
  /** Uses only the first so many samples of the calibration set. Default 1024. */
  readonly sampleLimit?: number | undefined;
  /** Samples per forward pass. Default all of them at once, which gives the statistics of the whole set. */
  readonly batchSize?: number | undefined;
  /** What the data are called, instead of a digest of their values. Default a sha-256. */
  readonly dataId?: string | undefined;
  /** Whether data with NaN or infinity are refused or kept. Default "refuse". */
  readonly nonFiniteData?: NonFiniteData | undefined;
}

/** A recalibrator that holds data on the backend. */
export interface ModelRecalibrator extends Recalibrator {
  /** Frees the calibration set. Idempotent. */
  dispose(): void;
}

/** Fields of TF.js's BatchNormalization, which exports no type. */
interface BatchNorm extends tf.layers.Layer {
  readonly axis: number;
  readonly movingMean: tf.LayerVariable;
  readonly movingVariance: tf.LayerVariable;
}

/** Statistics of one layer, summed over batches and weighted by their samples. */
interface Sums {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
  samples: number;
}

/**
 * Creates what computes batch norm's moving mean and variance anew at any θ: the mean and the biased variance
 * of each layer's inputs over a calibration set, every earlier batch norm using its own new ones. Dropout is
 * off. With several batches the statistics are the mean of those of the batches, as in the code published
 * with Garipov et al. 2018.
 *
 * The model's weights are put back bit for bit after each call, also when it fails.
 * Cost: one forward pass over the calibration set per point.
 *
 * @param data - the calibration set; its targets are not used.
 * @throws {@link InvalidDataError} if the data do not fit the model; {@link InvalidOptionError} if an option
 * cannot be used.
 * @example const recalibrator = await createRecalibrator(model, { xs, ys });
 */
export async function createRecalibrator(
  model: tf.LayersModel,
  data: EvaluationData,
  options: RecalibratorOptions = {},
): Promise<ModelRecalibrator> {
  const sampleLimit = wholeNumber("sampleLimit", options.sampleLimit ?? 1024);
  const batchSize = wholeNumber("batchSize", options.batchSize ?? sampleLimit);
  const weights = bindModel(model, options.layout ?? layoutOfModel(model));
  const places = statisticPlaces(model, weights.layout);
  const source = await openSamples(portsOf(model), data, {
    batchSize,
    sampleLimit,
    dataId: options.dataId,
    cacheBytes: 2 ** 29,
    nonFiniteData: options.nonFiniteData,
    signal: undefined,
  });
  const forward = forwardPass(model, []);
  let isDisposed = false;

  const recalibrateNow = async (theta: Float32Array, signal: AbortSignal | undefined): Promise<void> => {
    const held = holdWeights(model);
    const watch = watchBatchNorm(places.map(({ layer }) => layer));
    let changed: readonly string[] = [];
    try {
      weights.assign(theta);
      await source.forEachBatch(async ({ xs, samples }) => {
        signal?.throwIfAborted();
        tf.dispose(forward(xs));
        watch.endBatch(samples);
        await betweenBatches(signal);
      });
    } finally {
      watch.release();
      changed = held.restore();
    }
    if (changed.length > 0) throw changedWeightsError(model.name, changed);
    for (const { layer, mean, variance } of places) {
      const sums = watch.sums(layer);
      if (sums === undefined) continue;
      theta.set(
        sums.mean.map((value) => value / sums.samples),
        mean.offset,
      );
      theta.set(
        sums.variance.map((value) => value / sums.samples),
        variance.offset,
      );
    }
  };
  return {
    dataDigest: source.digest,
    samples: source.samples,
    async recalibrateInto(theta, signal) {
      if (isDisposed) throw new InvalidOptionError("Recalibrator", "one in use", "one that was disposed");
      if (theta.length !== weights.layout.parameterCount) {
        throw new InvalidDataError("theta", `${weights.layout.parameterCount} weights`, String(theta.length));
      }
      if (places.length > 0) await withModel(model, () => recalibrateNow(theta, signal));
    },
    dispose() {
      if (isDisposed) return;
      isDisposed = true;
      source.dispose();
    },
  };
}

/** Where the statistics of a batch normalization stand in θ. */
export interface StatisticPlace {
  readonly layer: BatchNorm;
  readonly mean: Parameter;
  readonly variance: Parameter;
}

/** Where the statistics of each batch normalization stand in θ. */
export function statisticPlaces(model: tf.LayersModel, layout: ParameterLayout): StatisticPlace[] {
  const own = layoutOfModel(model);
  const indices = matchLayout(layout, own, `model "${model.name}"`, { partial: true });
  const byName = new Map(
    layout.parameters.map((parameter, i) => [own.parameters[indices[i]].name, parameter] as const),
  );
  return owningLayers(model)
    .filter(({ type }) => type === "BatchNormalization")
    .flatMap(({ layer }) => {
      const norm = layer as BatchNorm;
      const mean = byName.get(norm.movingMean.name);
      const variance = byName.get(norm.movingVariance.name);
      return mean === undefined || variance === undefined ? [] : [{ layer: norm, mean, variance }];
    });
}

interface Watch {
  endBatch(samples: number): void;
  sums(layer: BatchNorm): Sums | undefined;
  /** Makes the layers what they were. */
  release(): void;
}

/**
 * Makes batch-norm layers normalize by the moments of what they are given, and keeps those moments. It is
 * done by standing in front of the layers' own `call` for the time of the pass: their training mode would
 * also switch dropout on, and blend old statistics in.
 */
function watchBatchNorm(layers: readonly BatchNorm[]): Watch {
  const seen = new Map<BatchNorm, { mean: tf.Tensor; variance: tf.Tensor }[]>();
  const totals = new Map<BatchNorm, Sums>();
  const originals = layers.map((layer) => ({ layer, own: Object.getOwnPropertyDescriptor(layer, "call") }));
  for (const layer of layers) {
    const call = layer.call.bind(layer);
    layer.call = (inputs, kwargs) =>
      tf.tidy(() => {
        const moments = momentsOf(layer, Array.isArray(inputs) ? inputs[0] : inputs);
        layer.movingMean.write(moments.mean);
        layer.movingVariance.write(moments.variance);
        seen.set(layer, [...(seen.get(layer) ?? []), moments]);
        return call(inputs, { ...kwargs, training: false });
      });
  }
  return {
    endBatch(samples) {
      for (const [layer, moments] of seen) {
        for (const { mean, variance } of moments) addInto(totals, layer, mean, variance, samples);
        tf.dispose(moments);
      }
      seen.clear();
    },
    sums: (layer) => totals.get(layer),
    release() {
      for (const moments of seen.values()) tf.dispose(moments);
      for (const { layer, own } of originals) {
        if (own === undefined) delete (layer as Partial<BatchNorm>).call;
        else Object.defineProperty(layer, "call", own);
      }
    },
  };
}

function momentsOf(layer: BatchNorm, input: tf.Tensor): { mean: tf.Tensor; variance: tf.Tensor } {
  const axis = layer.axis < 0 ? layer.axis + input.rank : layer.axis;
  const others = Array.from({ length: input.rank }, (_, i) => i).filter((i) => i !== axis);
  const { mean, variance } = tf.moments(input, others);
  return { mean: tf.keep(mean), variance: tf.keep(variance) };
}

function addInto(
  totals: Map<BatchNorm, Sums>,
  layer: BatchNorm,
  mean: tf.Tensor,
  variance: tf.Tensor,
  samples: number,
): void {
  const [means, variances] = [mean.dataSync(), variance.dataSync()];
  const sums = totals.get(layer) ?? {
    mean: new Float64Array(means.length),
    variance: new Float64Array(means.length),
    samples: 0,
  };
  for (let i = 0; i < means.length; i++) {
    sums.mean[i] += samples * means[i];
    sums.variance[i] += samples * variances[i];
  }
  sums.samples += samples;
  totals.set(layer, sums);
}
