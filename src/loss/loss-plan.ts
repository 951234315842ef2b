import type * as tf from "@tensorflow/tfjs";
import { EvaluationError, InvalidOptionError } from "../base/errors.js";
import type { FinalActivation } from "./final-activation.js";
import type { LossMode } from "./loss-evaluator.js";
import type { BatchLossFunction, ResolvedModelLossOptions } from "./model-loss-options.js";
import { compiledLosses } from "./model-ports.js";
import { type OutputLoss, outputLoss } from "./output-loss.js";
import type { ScorePlan } from "./scores.js";
import { type CompiledMetric, compiledMetrics } from "./scores.js";

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
