import { setImmediate } from "node:timers/promises";
import * as tf from "@tensorflow/tfjs";
import { wholeNumber } from "../base/check-option.js";
import { EvaluationError, InvalidDataError, InvalidOptionError } from "../base/errors.js";
import type { Stoppable } from "../base/work.js";
import { bindModel } from "../model/bound-weights.js";
import type { ParameterLayout } from "../model/layout.js";
import { betweenBatches, changedWeightsError, forwardPass, holdWeights, withModel } from "./evaluate-at.js";
import { classesOf, type EvaluationData, isBatchDataset } from "./evaluation-data.js";
import { compiledLosses, describeShape, portsOf } from "./model-ports.js";
import { openSamples } from "./model-samples.js";
import { finalActivation } from "./output-loss.js";

/** What a classifier predicts on a probe set at several θ. */
export interface Predictions {
  readonly samples: number;
  readonly classes: number;
  /** Class of each sample. */
  readonly labels: Int32Array;
  /** sha-256 (hex) of the probe set. */
  readonly dataDigest: string;
  /** Logarithms of the probabilities at each θ: samples × classes, row-major. */
  readonly logProbabilities: readonly Float32Array[];
}

/** A probe set as a model takes it. */
export interface PredictionProbe {
  readonly samples: number;
  readonly classes: number;
  readonly labels: Int32Array;
  readonly dataDigest: string;
  /** Computes the logarithms of the probabilities at each of N θ; the model's own weights are put back. */
  predict(
    count: number,
    readTheta: (position: number) => Promise<Float32Array>,
    onProgress?: (done: number, total: number) => void,
  ): Promise<Float32Array[]>;
  dispose(): void;
}

/** Options of {@link openPredictionProbe}. */
export interface PredictionProbeOptions extends Stoppable {
  /** Order of the entries of θ. */
  readonly layout: ParameterLayout;
  /** First samples of the data that count. Default 1000. */
  readonly probe?: number | undefined;
}

/** Bytes of log-probabilities that one run may take. */
const MOST_BYTES = 2 ** 31;

/**
 * Opens a probe set for a classifier: a model of one output that ends in a softmax, or gives the logits of a softmax
 * loss. Log-probabilities are those of the logits, so that nothing is clipped.
 *
 * Images that the model takes in another shape of the same size (a row of pixels) are reshaped.
 *
 * @throws {@link EvaluationError} for a model of several outputs or another final activation;
 * {@link InvalidDataError} if the data do not fit it.
 */
export async function openPredictionProbe(
  model: tf.LayersModel,
  data: EvaluationData,
  { layout, probe = 1000, signal }: PredictionProbeOptions,
): Promise<PredictionProbe> {
  wholeNumber("probe", probe);
  const { activation, classes } = outputOf(model);
  const weights = bindModel(model, layout);
  const fitted = fittedTo(model, data);
  const source = await openSamples(portsOf(model), fitted.data, {
    batchSize: Math.min(probe, 256),
    sampleLimit: probe,
    dataId: undefined,
    cacheBytes: 2 ** 29,
    signal,
  }).finally(() => fitted.dispose());
  const forward = forwardPass(model, [activation]);
  const { samples } = source;
  const predictAt = async (theta: Float32Array): Promise<Float32Array> => {
    const held = holdWeights(model);
    let changed: readonly string[] = [];
    const out = new Float32Array(samples * classes);
    try {
      weights.assign(theta);
      held.mark();
      let at = 0;
      await source.forEachBatch(async ({ xs }) => {
        const logs = tf.tidy(() => tf.logSoftmax(forward(xs)[0] as tf.Tensor2D));
        const values = await logs.data();
        logs.dispose();
        out.set(values as Float32Array, at);
        at += values.length;
        await betweenBatches(signal);
      });
    } finally {
      changed = held.restore();
    }
    if (changed.length > 0) throw changedWeightsError(model.name, changed);
    return out;
  };
  return {
    samples,
    classes,
    labels: await labelsOf(source, classes),
    dataDigest: source.digest,
    async predict(count, readTheta, onProgress) {
      const bytes = 4 * count * samples * classes;
      if (bytes > MOST_BYTES) {
        const got = `${(bytes / 2 ** 30).toFixed(1)} GiB (${count} snapshots, ${samples} samples, ${classes} classes)`;
        throw new InvalidOptionError("probe", "at most 2 GiB of predictions", got, {
          hint: "take fewer samples",
        });
      }
      const found: Float32Array[] = [];
      for (let i = 0; i < count; i++) {
        signal?.throwIfAborted();
        const theta = await readTheta(i);
        const out = await withModel(model, () => predictAt(theta));
        const bad = out.findIndex((value) => Number.isNaN(value));
        if (bad >= 0) {
          const where = `predictions of snapshot ${i}, sample ${Math.floor(bad / classes)}`;
          throw new InvalidDataError(where, "probabilities", "NaN", {
            hint: "leave out the snapshots after training diverged",
          });
        }
        found.push(out);
        onProgress?.(i + 1, count);
        await setImmediate();
      }
      return found;
    },
    dispose: () => source.dispose(),
  };
}

/** The softmax to be taken away, or null where the outputs are logits. */
function outputOf(model: tf.LayersModel) {
  const where = `model "${model.name}"`;
  const [output] = model.outputs;
  if (model.outputs.length !== 1) {
    throw new EvaluationError(where, "one output, a softmax over classes", `${model.outputs.length} outputs`);
  }
  const { shape } = output;
  const classes = shape.at(-1) ?? 0;
  if (shape.length !== 2 || classes < 2) {
    throw new EvaluationError(
      where,
      "probabilities of at least 2 classes for each sample",
      describeShape(shape),
    );
  }
  const activation = finalActivation(model, output);
  if (activation?.kind === "softmax") return { activation, classes };
  const loss = compiledLosses(model)?.[0]?.name;
  if (activation === null && loss === "softmaxCrossEntropy") return { activation, classes };
  const got = activation === null ? "no final softmax" : `a final ${activation.kind}`;
  throw new EvaluationError(where, "a classifier that ends in a softmax", got);
}

/** Returns the data with inputs in the model's shape, where only that differs. */
export function fittedTo(
  model: tf.LayersModel,
  data: EvaluationData,
): { readonly data: EvaluationData; dispose(): void } {
  const same = { data, dispose: () => {} };
  if (typeof data !== "object" || data === null || isBatchDataset(data)) return same;
  const { xs } = data;
  if (!(xs instanceof tf.Tensor) || model.inputs.length !== 1) return same;
  const wanted = model.inputs[0].shape.slice(1);
  const given = xs.shape.slice(1);
  const sizeOf = (shape: readonly (number | null)[]) =>
    shape.reduce<number>((a, b) => a * (b ?? Number.NaN), 1);
  const isSame =
    wanted.length === given.length && wanted.every((length, i) => length === null || length === given[i]);
  if (isSame || sizeOf(wanted) !== sizeOf(given)) return same;
  const reshaped = tf.reshape(xs, [xs.shape[0], ...(wanted as number[])]);
  return { data: { ...data, xs: reshaped }, dispose: () => reshaped.dispose() };
}

async function labelsOf(
  source: Awaited<ReturnType<typeof openSamples>>,
  classes: number,
): Promise<Int32Array> {
  const labels: number[] = [];
  await source.forEachBatch(async ({ ys }) => {
    const width = ys[0].shape.length < 2 ? 1 : (ys[0].shape.at(-1) as number);
    const found = classesOf(await ys[0].data(), width);
    if (found === null) throw new InvalidDataError("ys", "classes, one-hot or by number", "others");
    labels.push(...found);
  });
  const wrong = labels.findIndex((label) => !(label >= 0 && label < classes));
  if (wrong >= 0)
    throw new InvalidDataError(`ys, sample ${wrong}`, `a class below ${classes}`, `${labels[wrong]}`);
  return Int32Array.from(labels);
}
