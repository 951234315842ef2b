import * as tf from "@tensorflow/tfjs";
import { EvaluationError, InvalidOptionError } from "../base/errors.js";
import { type JsonValue, sha256 } from "../base/provenance.js";
import { matchLayout, type ParameterLayout } from "../model/layout.js";
import { layoutOfModel, modelWeights } from "../model/layout-of-model.js";
import { anonymousTopology, modelToJson } from "../model/model-from-manifest.js";
import type { ClassWeight } from "./evaluation-data.js";
import type { LossMode } from "./loss-evaluator.js";
import type { BatchLossFunction, ResolvedModelLossOptions } from "./loss-options.js";
import { compiledLosses, type LossFunction } from "./model-ports.js";
import { type FinalActivation, type OutputLoss, outputLoss } from "./output-loss.js";
import { classWeightsOf } from "./sample-weights.js";

/** One value that TF.js reports beside the total loss. */
export interface CompiledMetric {
  /** As TF.js reports it: "acc"; of several outputs "out1_loss", "out1_acc". */
  readonly name: string;
  /** Index of the output that it is about. */
  readonly output: number;
  /** The metric's function, or null where it is the output's own loss. */
  readonly apply: LossFunction | null;
}

/**
 * Returns the metrics of a compiled model under the names that TF.js reports (a name that occurs twice gets
 * "_0", "_1" appended). A model with several outputs has the loss of each among them.
 */
export function compiledMetrics(model: tf.LayersModel): readonly CompiledMetric[] {
  const functions = model.metricsTensors ?? [];
  const names = (model.metricsNames ?? []).slice(1);
  const losses = model.outputs.length > 1 ? model.outputs.length : 0;
  return functions.map(([apply, output], i) => ({
    name: distinctName(names, i),
    output,
    apply: i < losses ? null : apply,
  }));
}

function distinctName(names: readonly string[], index: number): string {
  const name = names[index] as string;
  const isUnique = names.indexOf(name) === names.lastIndexOf(name);
  return isUnique ? name : `${name}_${names.slice(0, index).filter((other) => other === name).length}`;
}

/** What is computed from a model's outputs. */
export interface ScorePlan {
  /** The loss of each output; empty where a function of the user's own replaces the loss. */
  readonly losses: readonly OutputLoss[];
  /** Metrics, each of one output. */
  readonly metrics: readonly CompiledMetric[];
  /** Turns the raw output of a place into the model's prediction. */
  readonly predictions: readonly ((raw: tf.Tensor) => tf.Tensor)[];
}

/** Loss and metrics of some samples: tensors of one value per sample, or a scalar for all of them. */
export interface Scores {
  readonly samples: number;
  readonly losses: readonly tf.Tensor[];
  /** In the order of the plan; null where the metric is the loss of its output. */
  readonly metrics: readonly (tf.Tensor | null)[];
  /** 1 where the loss clips the sample, and where it caps it; null where no loss clips. */
  readonly clipped: tf.Tensor | null;
  readonly capped: tf.Tensor | null;
}

/**
 * Computes loss and metrics of some samples from the model's raw outputs.
 *
 * @param ws - weights of the samples in each output's loss. Default all 1.
 */
export function scoreSamples(
  plan: ScorePlan,
  raws: readonly tf.Tensor[],
  ys: readonly tf.Tensor[],
  samples: number,
  ws: readonly tf.Tensor[] = [],
): Scores {
  const marks = plan.losses.flatMap(({ clips }, i) =>
    clips === null ? [] : [clips(ys[i] as tf.Tensor, raws[i] as tf.Tensor)],
  );
  const predictions = new Map<number, tf.Tensor>();
  const predict = (output: number): tf.Tensor => {
    const known = predictions.get(output);
    if (known !== undefined) return known;
    const fresh = plan.predictions[output]?.(raws[output] as tf.Tensor) as tf.Tensor;
    predictions.set(output, fresh);
    return fresh;
  };
  const gaps = raws.map((raw) => perSample(tf.isNaN(raw), samples, "max"));
  const score = (values: tf.Tensor, output: number): tf.Tensor =>
    withGaps(perSample(values, samples, "mean"), gaps[output] as tf.Tensor);
  const losses = plan.losses.map(({ loss }, i) => {
    const values = weighted(score(loss(ys[i] as tf.Tensor, raws[i] as tf.Tensor), i), ws[i]);
    // Infinite logits are no NaN, but their softmax is: metrics have no value where the loss has none.
    gaps[i] = tf.maximum(gaps[i] as tf.Tensor, tf.cast(tf.isNaN(values), "float32"));
    return values;
  });
  return {
    samples,
    losses,
    metrics: plan.metrics.map(({ apply, output }) =>
      apply === null ? null : score(apply(ys[output] as tf.Tensor, predict(output)), output),
    ),
    clipped: anyMark(
      marks.map(({ any }) => any),
      samples,
    ),
    capped: anyMark(
      marks.map(({ capped }) => capped),
      samples,
    ),
  };
}

/** Weighs the loss of each sample, as `fit` does before it takes the mean. */
function weighted(losses: tf.Tensor, weights: tf.Tensor | undefined): tf.Tensor {
  if (weights === undefined) return losses;
  if (losses.rank === 1 && losses.size === weights.size) return tf.mul(losses, weights);
  throw new EvaluationError("loss", "one value per sample, to be weighted", "one number for a whole batch", {
    hint: "weigh in the loss function itself, and leave classWeight and sampleWeight out",
  });
}

/** Reduces a loss tensor to one value per sample; a scalar (or another shape's mean) stands for all samples. */
export function perSample(values: tf.Tensor, samples: number, how: "mean" | "max"): tf.Tensor {
  const numbers = tf.cast(values, "float32");
  if (numbers.rank === 0) return numbers;
  if (numbers.shape[0] !== samples) return tf.mean(numbers);
  if (numbers.rank === 1) return numbers;
  const rows = tf.reshape(numbers, [samples, -1]);
  return how === "mean" ? tf.mean(rows, 1) : tf.max(rows, 1);
}

/**
 * Puts NaN where a sample's prediction has one: TF.js's clipping turns it into a plausible number (on
 * WebAssembly), and its accuracies into a class.
 */
function withGaps(values: tf.Tensor, gaps: tf.Tensor): tf.Tensor {
  const marks = values.rank === 0 ? tf.max(gaps) : gaps;
  return tf.where(tf.cast(marks, "bool"), tf.fill(values.shape, Number.NaN), values);
}

function anyMark(marks: readonly tf.Tensor[], samples: number): tf.Tensor | null {
  const reduced = marks.map((mark) => perSample(mark, samples, "max"));
  return reduced.length === 0 ? null : reduced.reduce((a, b) => tf.maximum(a, b));
}

/** The means of scores over the whole evaluation set. */
export interface MeanScores {
  readonly losses: readonly number[];
  readonly metrics: readonly number[];
  readonly clippedShare: number | null;
  readonly cappedShare: number | null;
}

/**
 * Reads scores back and averages them over all samples in float64.
 *
 * @throws {@link EvaluationError} naming a metric that gives one number for many samples (precision, a
 * function of the user's own) when the samples came in several parts, since the mean of such numbers is
 * not the number of the whole.
 */
export async function averageScores(plan: ScorePlan, parts: readonly Scores[]): Promise<MeanScores> {
  checkWholeMetrics(plan, parts);
  const mean = async (series: (part: Scores) => tf.Tensor): Promise<number> => {
    const values = await Promise.all(parts.map((part) => series(part).data()));
    return weightedMean(values, parts);
  };
  const losses = await Promise.all(plan.losses.map((_, i) => mean((part) => part.losses[i] as tf.Tensor)));
  const metrics = await Promise.all(
    plan.metrics.map(({ apply, output }, i) =>
      apply === null ? (losses[output] as number) : mean((part) => part.metrics[i] as tf.Tensor),
    ),
  );
  const clips = parts.length > 0 && parts.every(({ clipped }) => clipped !== null);
  const clippedShare = clips ? await mean((part) => part.clipped as tf.Tensor) : null;
  const cappedShare = clips ? await mean((part) => part.capped as tf.Tensor) : null;
  return { losses, metrics, clippedShare, cappedShare };
}

/** Runs `compute` in `tf.tidy`; the tensors of its scores outlive it and are the caller's to dispose. */
export function tidyScores(compute: () => Scores): Scores {
  const results: Scores[] = [];
  tf.tidy(() => {
    const scores = compute();
    for (const tensor of scoreTensors(scores)) tf.keep(tensor);
    results.push(scores);
  });
  return results[0] as Scores;
}

/** Frees the tensors of scores. */
export function disposeScores(parts: readonly Scores[]): void {
  for (const part of parts) for (const tensor of scoreTensors(part)) tensor.dispose();
}

function scoreTensors({ losses, metrics, clipped, capped }: Scores): tf.Tensor[] {
  return [...losses, ...metrics, clipped, capped].filter((tensor) => tensor !== null);
}

/** Mean of per-sample values, or of scalars weighted by their number of samples. */
export function weightedMean(
  values: readonly ArrayLike<number>[],
  parts: readonly { readonly samples: number }[],
): number {
  let sum = 0;
  let count = 0;
  values.forEach((part, i) => {
    const samples = parts[i]?.samples ?? 0;
    count += samples;
    if (part.length === 1) sum += (part[0] as number) * samples;
    else for (let j = 0; j < part.length; j++) sum += part[j] as number;
  });
  return sum / count;
}

function checkWholeMetrics(plan: ScorePlan, parts: readonly Scores[]): void {
  if (parts.length < 2) return;
  plan.metrics.forEach(({ name }, i) => {
    if (!parts.some(({ metrics, samples }) => samples > 1 && metrics[i]?.rank === 0)) return;
    throw new EvaluationError(`metric "${name}"`, "one value per sample", "one number for a whole batch", {
      hint: "leave it out with the option metrics, or give the data as tensors, so that all samples are scored at once",
    });
  });
}

/** Everything that an evaluation computes, settled before the first one. */
export interface LossPlan {
  readonly mode: LossMode;
  /** Compiled losses and metrics, from the raw outputs. */
  readonly scores: ScorePlan;
  /** Final activations that the forward pass leaves out. */
  readonly activations: readonly (FinalActivation | null)[];
  /** Replaces the compiled loss, or null. */
  readonly lossFunction: BatchLossFunction | null;
  readonly includeRegularization: boolean;
  /** Weights by class, for each output; null where classes count the same. */
  readonly classWeights: readonly (ClassWeight | null)[] | null;
}

/**
 * Settles how loss and metrics of a model are computed.
 *
 * @throws {@link EvaluationError} if there is no loss, none in this mode, or the model keeps state.
 * @throws {@link InvalidOptionError} if a metric is asked for that is not compiled.
 */
export function planLoss(model: tf.LayersModel, options: ResolvedModelLossOptions): LossPlan {
  refuseStateful(model);
  const { loss: mode, lossFunction = null, includeRegularization } = options;
  const classWeights =
    options.classWeight === undefined ? null : classWeightsOf(model.outputNames, options.classWeight);
  if (classWeights !== null && lossFunction !== null) {
    throw new InvalidOptionError("classWeight", "none beside a lossFunction", "weights", {
      hint: "weigh in the function itself",
    });
  }
  const compiled = compiledLosses(model);
  if (compiled === null && lossFunction === null) {
    throw new EvaluationError(`model "${model.name}"`, "a compiled model", "one without a loss", {
      hint: "call model.compile({ optimizer, loss }), or give a lossFunction",
    });
  }
  const outputs =
    lossFunction !== null || compiled === null
      ? []
      : model.outputs.map((output, i) =>
          outputLoss(mode, compiled[i] as (typeof compiled)[0], model, output),
        );
  const metrics = chosenMetrics(compiledMetrics(model), options.metrics, lossFunction !== null);
  return {
    mode,
    scores: { losses: outputs, metrics, predictions: predictionsOf(model, outputs) },
    activations: outputs.map(({ activation }) => activation),
    lossFunction,
    includeRegularization,
    classWeights,
  };
}

function predictionsOf(model: tf.LayersModel, outputs: readonly OutputLoss[]): OutputLoss["prediction"][] {
  return model.outputs.map((_, i) => outputs[i]?.prediction ?? ((raw) => raw));
}

/** Picks metrics by name. Where a function replaces the loss, the outputs' compiled losses are none of them. */
function chosenMetrics(
  all: readonly CompiledMetric[],
  names: readonly string[] | undefined,
  isReplaced: boolean,
): readonly CompiledMetric[] {
  const offered = isReplaced ? all.filter(({ apply }) => apply !== null) : all;
  if (names === undefined) return offered;
  return names.map((name) => {
    const metric = offered.find((candidate) => candidate.name === name);
    if (metric !== undefined) return metric;
    const known = offered.map((candidate) => candidate.name).join(", ") || "(none)";
    throw new InvalidOptionError("metrics", `compiled metrics (${known})`, JSON.stringify(name));
  });
}

/** A stateful recurrent layer carries state from batch to batch: its loss is no function of θ and a sample. */
function refuseStateful(model: tf.LayersModel): void {
  const stateful = model.layers.find((layer) => layer.stateful);
  if (stateful === undefined) return;
  throw new EvaluationError(
    `layer "${stateful.name}"`,
    "a layer without state between batches",
    "stateful: true",
  );
}

/**
 * Returns the sha-256 (hex) of a model's architecture: layout of θ and topology without the names that
 * TF.js makes up. The weights do not enter.
 */
export function modelDigest(layout: Pick<ParameterLayout, "digest">, topology: JsonValue): string {
  return digestOf({ layout: layout.digest, topology: anonymousTopology(topology) });
}

/**
 * Returns the sha-256 (hex) of what an evaluator computes from θ and the data: architecture, losses, metrics,
 * whether penalties count, and the values of weights that θ does not hold. A function of the user's own enters
 * with its source text.
 */
export function evaluationDigest(model: tf.LayersModel, layout: ParameterLayout, plan: LossPlan): string {
  const losses = plan.lossFunction === null ? (compiledLosses(model) ?? []) : [];
  return digestOf({
    model: modelDigest(layout, topologyOf(model)),
    losses: losses.map(({ name, apply }) => (name === "custom" ? String(apply) : name)),
    lossFunction: plan.lossFunction === null ? null : String(plan.lossFunction),
    metrics: plan.scores.metrics.map(({ output, apply }) => [output, apply === null ? null : String(apply)]),
    includeRegularization: plan.includeRegularization,
    ...(plan.classWeights === null
      ? {}
      : { classWeights: plan.classWeights.map((own) => own && { ...own }) }),
    outsideTheta: weightsOutside(model, layout),
  });
}

/** sha-256 by name of the weights of the model that a layout leaves out. */
function weightsOutside(model: tf.LayersModel, layout: ParameterLayout): JsonValue {
  const all = layoutOfModel(model);
  if (all.parameterCount === layout.parameterCount) return [];
  const held = new Set(matchLayout(layout, all, `model "${model.name}"`, { partial: true }));
  const names = new Set(all.parameters.filter((_, index) => !held.has(index)).map(({ name }) => name));
  return modelWeights(model)
    .filter(({ parameter }) => names.has(parameter.name))
    .map(({ parameter, variable }) => {
      const values = variable.read().dataSync();
      return [parameter.name, sha256(values)];
    });
}

/** A layer of the user's own may have no configuration; the layout of θ then stands for the architecture. */
function topologyOf(model: tf.LayersModel): JsonValue {
  try {
    return modelToJson(model);
  } catch {
    return null;
  }
}

function digestOf(value: JsonValue): string {
  return sha256(JSON.stringify(value));
}
