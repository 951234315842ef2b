import type * as tf from "@tensorflow/tfjs";
import { EvaluationError } from "../errors.js";

/** The weights that a model had at one moment, held so that they can be put back without copying a number. */
export interface HeldWeights {
  /** Notes that the model's weights are now the evaluator's doing. */
  mark(): void;
  /**
   * Puts the held weights back, bit for bit, and lets go of them.
   *
   * @returns names of weights that somebody else changed since `mark` (their changes are lost).
   */
  restore(): readonly string[];
}

/**
 * Holds a model's weights. TF.js shares a tensor's buffer between its clones and replaces, never rewrites,
 * the buffer of a variable, so that a clone keeps the bits at no cost.
 */
export function holdWeights(model: tf.LayersModel): HeldWeights {
  const held = model.weights.map((weight) => {
    const variable = weight.read() as tf.Variable;
    return { name: weight.name, variable, original: variable.clone() };
  });
  let marks: readonly object[] | null = null;
  return {
    mark() {
      marks = held.map(({ variable }) => variable.dataId);
    },
    restore() {
      const changed: string[] = [];
      held.forEach(({ name, variable, original }, i) => {
        if (marks !== null && marks[i] !== variable.dataId) changed.push(name);
        if (variable.dataId !== original.dataId) variable.assign(original);
        original.dispose();
      });
      return changed;
    },
  };
}

/** Makes the error for weights that changed during an evaluation. */
export function changedWeightsError(model: string, names: readonly string[]): EvaluationError {
  return new EvaluationError(
    `model "${model}"`,
    "weights that nobody else changes during an evaluation",
    `a change of ${names.slice(0, 3).join(", ")}${names.length > 3 ? ", …" : ""}`,
    { hint: "await the evaluation before training goes on; the weights of before it were put back" },
  );
}
