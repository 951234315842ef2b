import * as tf from "@tensorflow/tfjs";
import { EvaluationError } from "../base/errors.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { Batch, SampleSource } from "./evaluation-data.js";
import { forwardPass } from "./evaluation-run.js";
import type { LossPlan } from "./loss-plan.js";
import { firstSamples } from "./resident-samples.js";
import { scoreSamples } from "./scores.js";

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
      if (await differ(raws, again)) return [randomWarning(model)];
      if (!isScoredAtOnce) await refuseSums(model, plan, raws, batch);
      return [];
    } finally {
      tf.dispose([...raws, ...again]);
    }
  } finally {
    tf.dispose([...batch.xs, ...batch.ys]);
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
