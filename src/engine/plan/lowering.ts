import type * as tf from "@tensorflow/tfjs";
import type { ValueId, WeightId } from "./graph.js";
import type { GraphBuilder } from "./graph-builder.js";
import type { LayerFields } from "./layer-fields.js";

/** What a layer is turned into operations with. */
export interface LoweringContext {
  readonly builder: GraphBuilder;
  /** Adds (once) a layer's weight as it is, or in another shape of as many numbers. */
  weight(variable: tf.LayerVariable, shape?: readonly number[]): WeightId;
  /** Index of the parameter that a layer's weight is, for weights that are computed. */
  parameterOf(variable: tf.LayerVariable): number;
}

/** A layer applied to values. */
export interface LayerUse {
  readonly layer: LayerFields;
  readonly className: string;
  readonly inputs: readonly ValueId[];
  /** The first input. */
  readonly x: ValueId;
  /** Shape of the layer's output as TF.js has worked it out, without the batch axis. */
  readonly outputShape: readonly number[];
}

/** Turns one class of layers into operations. */
export type LowerLayer = (context: LoweringContext, use: LayerUse) => ValueId;
