import type * as tf from "@tensorflow/tfjs";

/** An activation of TF.js's layers, known by its name. */
export interface LayerActivation {
  getClassName(): string;
}

/** The fields of TF.js's layers that a plan reads; its public types leave most of them out. */
export interface LayerFields {
  readonly name: string;
  readonly inboundNodes: readonly { readonly inputTensors: readonly tf.SymbolicTensor[] }[];
  readonly dataFormat?: string;
  readonly padding?: string | readonly (readonly number[])[];
  readonly strides?: readonly number[] | number;
  readonly kernelSize?: readonly number[];
  readonly dilationRate?: readonly number[] | number;
  readonly poolSize?: readonly number[];
  readonly activation?: LayerActivation | null;
  readonly kernel?: tf.LayerVariable | null;
  readonly depthwiseKernel?: tf.LayerVariable | null;
  readonly pointwiseKernel?: tf.LayerVariable | null;
  readonly bias?: tf.LayerVariable | null;
  readonly gamma?: tf.LayerVariable | null;
  readonly beta?: tf.LayerVariable | null;
  readonly movingMean?: tf.LayerVariable | null;
  readonly movingVariance?: tf.LayerVariable | null;
  readonly epsilon?: number;
  readonly axis?: number | readonly number[];
  readonly alpha?: tf.LayerVariable | number | null;
  readonly maxValue?: number | null;
  readonly theta?: number;
  readonly scale?: number | boolean;
  readonly offset?: number;
  readonly dims?: readonly number[];
  /** Of a model used as a layer. */
  readonly inputs?: readonly tf.SymbolicTensor[];
  readonly outputs?: readonly tf.SymbolicTensor[];
}

/** Reads a layer's fields. */
export function fieldsOf(layer: tf.layers.Layer): LayerFields {
  return layer as unknown as LayerFields;
}

/** Returns a field that is a number or a list as a pair. */
export function pair(value: readonly number[] | number | undefined, fallback = 1): [number, number] {
  if (value === undefined || value === null) return [fallback, fallback];
  if (typeof value === "number") return [value, value];
  return [value[0] as number, value[1] ?? (value[0] as number)];
}
