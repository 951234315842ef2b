import type * as tf from "@tensorflow/tfjs";

/** A loss or metric function of TF.js: targets and predictions in, one value per sample (or a scalar) out. */
export type LossFunction = (yTrue: tf.Tensor, yPred: tf.Tensor) => tf.Tensor;

/** The compiled loss of one output. */
export interface CompiledLoss {
  /** TF.js's name of a built-in loss, or "custom" for a function. */
  readonly name: string;
  readonly apply: LossFunction;
}

/** What `compile` leaves on a model. */
interface CompiledFields {
  readonly loss?: unknown;
  readonly lossFunctions?: readonly LossFunction[];
  /** Of a Sequential: the model behind it, which keeps the loss functions. */
  readonly model?: CompiledFields;
}

/** Returns the compiled loss of each output of a model, or null if it has not been compiled. */
export function compiledLosses(model: tf.LayersModel): readonly CompiledLoss[] | null {
  const fields = model as unknown as CompiledFields;
  const { loss, lossFunctions = fields.model?.lossFunctions } = fields;
  if (lossFunctions === undefined || lossFunctions.length === 0) return null;
  return lossFunctions.map((apply, output) => ({ name: lossName(model, loss, output), apply }));
}

function lossName(model: tf.LayersModel, loss: unknown, output: number): string {
  const own = Array.isArray(loss)
    ? loss[output]
    : typeof loss === "object" && loss !== null
      ? (loss as Record<string, unknown>)[model.outputNames[output] as string]
      : loss;
  return typeof own === "string" ? own : "custom";
}
