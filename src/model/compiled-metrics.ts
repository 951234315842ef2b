import type * as tf from "@tensorflow/tfjs";
import type { LossFunction } from "./compiled-losses.js";

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
