import * as tf from "@tensorflow/tfjs";
import { InvalidDataError, InvalidOptionError } from "../base/errors.js";
import type { Batch, ClassWeight, ClassWeights } from "./evaluation-data.js";
import type { ModelPort, ModelPorts } from "./model-ports.js";

/** Weighs the samples of batches. */
export interface SampleWeigher {
  /**
   * Returns the weight of each sample, one tensor (samples) for each output, or none where nothing is weighted: its
   * own, times that of its class. They are the receiver's to dispose.
   */
  weigh(batch: Batch): Promise<readonly tf.Tensor1D[]>;
}

/**
 * Returns the class weights of each output, in the model's order; null where an output has none.
 *
 * @throws {@link InvalidOptionError} if they are not for this model, or a weight is no number of at least 0.
 */
export function classWeightsOf(
  outputs: readonly string[],
  given: ClassWeights | undefined,
): readonly (ClassWeight | null)[] {
  if (given === undefined) return outputs.map(() => null);
  if (typeof given !== "object" || given === null) {
    throw new InvalidOptionError("classWeight", "{ class: weight }", given === null ? "null" : typeof given);
  }
  const chosen = byOutput(outputs, given);
  for (const own of chosen) if (own !== null) checkWeights(own);
  return chosen;
}

function byOutput(outputs: readonly string[], given: ClassWeights): readonly (ClassWeight | null)[] {
  if (Array.isArray(given)) {
    if (given.length === outputs.length) return given as readonly ClassWeight[];
    throw new InvalidOptionError(
      "classWeight",
      `one for each of ${outputs.length} outputs`,
      `${given.length}`,
    );
  }
  const named = given as Readonly<Record<string, ClassWeight>>;
  if (outputs.some((name) => Object.hasOwn(named, name))) {
    const unknown = Object.keys(named).find((name) => !outputs.includes(name));
    if (unknown === undefined) return outputs.map((name) => named[name] ?? null);
    throw new InvalidOptionError("classWeight", `weights of ${outputs.join(", ")}`, JSON.stringify(unknown));
  }
  if (outputs.length === 1) return [given as ClassWeight];
  throw new InvalidOptionError(
    "classWeight",
    `class weights by output (${outputs.join(", ")})`,
    "one for all",
  );
}

function checkWeights(weights: ClassWeight): void {
  const entries = typeof weights === "object" && weights !== null ? Object.entries(weights) : [];
  const isNumber = (weight: unknown) => typeof weight === "number" && Number.isFinite(weight) && weight >= 0;
  const bad = entries.find(([, weight]) => !isNumber(weight));
  if (bad === undefined && entries.length > 0) return;
  const got = bad === undefined ? JSON.stringify(weights) : `${bad[0]}: ${JSON.stringify(bad[1])}`;
  throw new InvalidOptionError("classWeight", "a weight of at least 0 for each class number", got);
}

/** Returns class weights as text: "0: 1, 1: 5". */
export function describeClassWeights(outputs: readonly string[], given: ClassWeights): string {
  return classWeightsOf(outputs, given)
    .flatMap((own, i) => {
      if (own === null) return [];
      const pairs = Object.entries(own).map(([name, weight]) => `${name}: ${weight}`);
      return [`${outputs.length === 1 ? "" : `${outputs[i]} `}${pairs.join(", ")}`];
    })
    .join("; ");
}

/** Says how samples are weighted, for captions and provenance; null where they all count the same. */
export function describeWeights(
  outputs: readonly string[],
  classWeight: ClassWeights | undefined,
  hasSampleWeight: boolean,
): string | null {
  const parts = [
    ...(classWeight === undefined ? [] : [`class weights ${describeClassWeights(outputs, classWeight)}`]),
    ...(hasSampleWeight ? ["weights of samples"] : []),
  ];
  return parts.length === 0 ? null : parts.join(", ");
}

/**
 * Creates what weighs samples as `fit` does: the loss is the mean of weight · loss over the samples (it is not
 * divided by the sum of the weights), and metrics are not weighted.
 *
 * @see tfjs-layers, engine/training_utils.ts: `standardizeWeights`, whose reading of classes this is.
 */
export function createSampleWeigher(ports: ModelPorts, classWeight: ClassWeights | undefined): SampleWeigher {
  const names = ports.ys.map(({ name }) => name);
  const byClass = classWeightsOf(names, classWeight);
  return {
    async weigh({ ys, ws, samples }) {
      if (classWeight === undefined && ws.length === 0) return [];
      const all: Float32Array[] = [];
      for (const [i, port] of ports.ys.entries()) {
        const weights = new Float32Array(samples).fill(1);
        const [own, classes] = [ws[i], byClass[i]];
        if (own !== undefined) await takeOwn(weights, own);
        if (classes !== null && classes !== undefined)
          await takeClasses(weights, ys[i] as tf.Tensor, classes, port);
        all.push(weights);
      }
      return all.map((weights) => tf.tensor1d(weights, "float32"));
    },
  };
}

async function takeOwn(weights: Float32Array, given: tf.Tensor): Promise<void> {
  const values = await given.data();
  for (let i = 0; i < weights.length; i++) {
    const value = values[i] as number;
    if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) {
      throw new InvalidDataError("sampleWeight", "finite numbers of at least 0", `${value} (sample ${i})`);
    }
    weights[i] = value;
  }
}

async function takeClasses(
  weights: Float32Array,
  targets: tf.Tensor,
  byClass: ClassWeight,
  port: ModelPort,
): Promise<void> {
  if (targets.rank > 2) {
    throw new InvalidDataError(port.where, "classes, for classWeight: rank 1 or 2", `rank ${targets.rank}`);
  }
  const values = await targets.data();
  const width = values.length / weights.length;
  for (let i = 0; i < weights.length; i++) {
    const found = width === 1 ? (values[i] as number) : largestAt(values, i * width, width);
    const weight = byClass[found];
    if (weight === undefined) {
      const got = `class ${found}, and weights of ${Object.keys(byClass).join(", ")}`;
      throw new InvalidDataError(`classWeight, ${port.where}`, "a weight for each class in the data", got);
    }
    weights[i] = (weights[i] as number) * weight;
  }
}

/** Place of the largest of some numbers, the first of several. */
function largestAt(values: ArrayLike<number>, start: number, width: number): number {
  let place = 0;
  for (let i = 1; i < width; i++) {
    if ((values[start + i] as number) > (values[start + place] as number)) place = i;
  }
  return place;
}
