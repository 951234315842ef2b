import { setImmediate } from "node:timers/promises";
import * as tf from "@tensorflow/tfjs";
import type { LandscapeWarning } from "../base/warning.js";
import { createTrajectoryRecorder } from "../capture/create-recorder.js";
import type { TrajectoryRecorder } from "../capture/recorder.js";
import { randomDirections } from "../directions/random.js";
import { createLossEvaluator } from "../loss/create-loss-evaluator.js";
import type { Batch } from "../loss/evaluation-data.js";
import type { LossEvaluator } from "../loss/loss-evaluator.js";
import { createUniform } from "../math/random.js";
import { assignWeights } from "../model/bound-weights.js";
import type { Compiled } from "../model/model-from-manifest.js";
import { openRun } from "../store/run/open-run.js";
import type { SnapshotInfo } from "../store/run/run.js";
import { copyModel, createDropoutSeeder, disposeCopy, randomLayerWarnings } from "./copy-model.js";
import type { Jump } from "./jump-options.js";
import { type JumpOrigin, jumpProvenance } from "./jump-provenance.js";
import type { JumpSet, JumpSource } from "./jump-source.js";

/**
 * Makes an optimizer add `decay`·w to the gradient of every weight w that it updates: the L2 form of weight
 * decay, as `weight_decay` of PyTorch's SGD and Adam. The optimizer's own rule then works on the sum.
 *
 * @param variables - The weights, by which the gradients are known.
 */
export function addWeightDecay(
  optimizer: tf.Optimizer,
  variables: readonly tf.Variable[],
  decay: number,
): void {
  if (decay === 0) return;
  const byName = new Map(variables.map((variable) => [variable.name, variable]));
  const apply = optimizer.applyGradients.bind(optimizer);
  optimizer.applyGradients = (gradients) => {
    const listed = Array.isArray(gradients)
      ? gradients
      : Object.entries(gradients).map(([name, tensor]) => ({ name, tensor }));
    const decayed = listed.map(({ name, tensor }) => {
      // A weight that the loss does not depend on has no gradient, and optimizers leave it as it is.
      if (tensor === undefined || tensor === null) return { name, tensor };
      const variable = byName.get(name);
      const sum = (): tf.Tensor =>
        variable === undefined ? tensor.clone() : tensor.add(variable.mul(decay));
      return { name, tensor: tf.tidy(sum) };
    });
    try {
      apply(decayed);
    } finally {
      tf.dispose(decayed.map(({ tensor }) => tensor));
    }
  };
}

/**
 * Returns the samples of each update of one epoch after another: every sample once an epoch, in an order that
 * follows from the seed alone. The last batch may be smaller.
 */
export function createBatchOrder(samples: number, batchSize: number, seed: number): () => Int32Array[] {
  const next = createUniform(seed, "jump", "batches");
  const order = Int32Array.from({ length: samples }, (_, index) => index);
  return () => {
    for (let last = samples - 1; last > 0; last--) {
      const other = Math.floor(next() * (last + 1));
      const held = order[last] as number;
      order[last] = order[other] as number;
      order[other] = held;
    }
    const batches = Math.ceil(samples / batchSize);
    return Array.from({ length: batches }, (_, i) => order.slice(i * batchSize, (i + 1) * batchSize));
  };
}

/** What a jump left behind. */
export interface TrainedJump {
  readonly states: readonly SnapshotInfo[];
  readonly warnings: readonly LandscapeWarning[];
}

/** Makes jumps around one optimum in this process, one after another. */
export interface JumpTrainer {
  /** What computes loss and metrics of the states, by the name of the set. */
  readonly evaluators: Readonly<Record<string, LossEvaluator>>;
  /** Jumps, retrains, and writes the run; a run that is in its directory is replaced. */
  train(jump: Jump, origin: JumpOrigin, signal?: AbortSignal): Promise<TrainedJump>;
  dispose(): void;
}

/** Prefix in the logs of what is computed on each set: as `model.fit` names them, and "test_". */
const PREFIXES: Readonly<Record<string, string>> = { train: "", validation: "val_", test: "test_" };

/**
 * Puts a copy of the model on the backend, and opens what judges it.
 *
 * @param sets - the training set first, which must outlive the trainer; the others are copied.
 * @param compiled - as for `copyModel`.
 * @throws {@link EvaluationError} if the model cannot be copied or its loss not be evaluated.
 */
export async function createJumpTrainer(
  source: JumpSource,
  sets: readonly JumpSet[],
  compiled: Compiled | null,
): Promise<JumpTrainer> {
  const { layout, recipe } = source;
  const judge = await copyModel(source, recipe.optimizer, compiled);
  const evaluators: Record<string, LossEvaluator> = {};
  let isDisposed = false;
  const dispose = (): void => {
    if (isDisposed) return;
    isDisposed = true;
    for (const evaluator of Object.values(evaluators)) evaluator.dispose();
    disposeCopy(judge);
  };
  try {
    for (const { name, batch } of sets) {
      const options = { engine: "tfjs", loss: recipe.loss, layout, calibration: null } as const;
      evaluators[name] = await createLossEvaluator(judge, batch, options);
    }
  } catch (error) {
    dispose();
    throw error;
  }
  const [{ batch: samples }] = sets as [JumpSet];
  return {
    evaluators,
    dispose,
    train: async (jump, origin, signal) => {
      const model = await copyModel(source, recipe.optimizer, compiled);
      try {
        return await trainOne({ source, model, samples, evaluators, jump, origin, signal });
      } finally {
        disposeCopy(model);
      }
    },
  };
}

interface OneJump {
  readonly source: JumpSource;
  /** The copy to be trained, its optimizer at the start. */
  readonly model: tf.LayersModel;
  readonly samples: Batch;
  readonly evaluators: Readonly<Record<string, LossEvaluator>>;
  readonly jump: Jump;
  readonly origin: JumpOrigin;
  readonly signal: AbortSignal | undefined;
}

async function trainOne(one: OneJump): Promise<TrainedJump> {
  const { source, model, jump, origin } = one;
  const { layout, theta, recipe } = source;
  const { vectors, warnings } = randomDirections(layout, theta, {
    ...recipe.direction,
    seed: jump.seed,
    count: 1,
  });
  assignWeights(model, layout, jumped(theta, vectors[0] as Float32Array, jump.distance));
  const variables = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
  addWeightDecay(model.optimizer, variables, recipe.weightDecay);
  const { epochs, batchSize, weightDecay } = recipe;
  const recorder = await createTrajectoryRecorder({
    directory: jump.directory,
    name: jump.name,
    model,
    seed: jump.seed,
    fit: { epochs, batchSize, samples: one.samples.samples, weightDecay, jump: jump.distance },
    provenance: jumpProvenance(jump, origin),
    overwrite: true,
  });
  let states: readonly SnapshotInfo[];
  try {
    await retrain(one, recorder);
    await recorder.close();
    states = (await openRun(jump.directory)).snapshots;
  } catch (error) {
    // The first error is the one to tell; what was recorded is on disk or not, and is made anew.
    await recorder.close().catch(() => undefined);
    throw error;
  }
  return { states, warnings: [...warnings, ...randomLayerWarnings(model), ...recorder.warnings] };
}

async function retrain(one: OneJump, recorder: TrajectoryRecorder): Promise<void> {
  const { source, model, samples, jump, signal } = one;
  const { epochs, batchSize } = source.recipe;
  const nextOrder = createBatchOrder(samples.samples, batchSize, jump.seed);
  const reseed = createDropoutSeeder(model, jump.seed);
  let iteration = 0;
  for (let epoch = 0; epoch <= epochs; epoch++) {
    if (epoch > 0) {
      for (const rows of nextOrder()) {
        signal?.throwIfAborted();
        reseed();
        await update(model, samples, rows);
        iteration++;
      }
    }
    const captured = await recorder.capture();
    const logs = await judged(captured.theta, one);
    await recorder.write(captured, { epoch, iteration, logs });
    // Some backends compute within the call: signals and messages get their turn here.
    await setImmediate();
  }
}

/** One update of a model on some rows of a set; returns the loss before it. */
export async function update(model: tf.LayersModel, samples: Batch, rows: Int32Array): Promise<number> {
  const batch = tf.tidy(() => {
    const indices = tf.tensor1d(rows, "int32");
    const take = (tensor: tf.Tensor) => tf.gather(tensor, indices);
    return { xs: samples.xs.map(take), ys: samples.ys.map(take) };
  });
  try {
    const values = await model.trainOnBatch(batch.xs, batch.ys);
    return Array.isArray(values) ? (values[0] as number) : values;
  } finally {
    tf.dispose([...batch.xs, ...batch.ys]);
  }
}

/** Loss and metrics of one θ on every set. */
async function judged(theta: Float32Array, { evaluators, signal }: OneJump): Promise<Record<string, number>> {
  const logs: Record<string, number> = {};
  for (const [name, evaluator] of Object.entries(evaluators)) {
    const { loss, metrics } = await evaluator.evaluate(theta, { signal });
    for (const [key, value] of Object.entries({ loss, ...metrics })) logs[`${PREFIXES[name]}${key}`] = value;
  }
  return logs;
}

/** θ* + s·d, computed in float64. */
function jumped(theta: Float32Array, direction: Float32Array, distance: number): Float32Array {
  return theta.map((value, i) => value + distance * (direction[i] as number));
}
