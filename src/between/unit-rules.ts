import type * as tf from "@tensorflow/tfjs";
import { joined, repeated, stretched, type UnitTable } from "./unit-table.js";

/** A value in a model's graph: its shape without the batch axis, and the units along its last axis. */
export interface TracedValue {
  readonly shape: readonly (number | null)[];
  readonly units: Int32Array;
}

/** What a layer, called once, makes new units of: its output before the activation is W·x + b in these weights. */
export interface UnitMaker {
  readonly layer: tf.layers.Layer;
  readonly kernels: readonly tf.LayerVariable[];
  readonly bias: tf.LayerVariable;
  /** Axis of the last kernel that numbers the outputs, counted from the back. */
  readonly outputAxis: number;
}

/** The fields of TF.js's layers that tell about units; its public types leave most of them out. */
export interface UnitFields {
  readonly name: string;
  readonly inboundNodes: readonly { readonly inputTensors: readonly tf.SymbolicTensor[] }[];
  readonly inputs?: readonly tf.SymbolicTensor[];
  readonly outputs?: readonly tf.SymbolicTensor[];
  readonly dataFormat?: string;
  readonly kernel?: tf.LayerVariable | null;
  readonly recurrentKernel?: tf.LayerVariable | null;
  readonly depthwiseKernel?: tf.LayerVariable | null;
  readonly pointwiseKernel?: tf.LayerVariable | null;
  readonly bias?: tf.LayerVariable | null;
  readonly gamma?: tf.LayerVariable | null;
  readonly beta?: tf.LayerVariable | null;
  readonly movingMean?: tf.LayerVariable | null;
  readonly movingVariance?: tf.LayerVariable | null;
  readonly alpha?: tf.LayerVariable | number | null;
  readonly embeddings?: tf.LayerVariable | null;
  readonly axis?: number | readonly number[];
  readonly dims?: readonly number[];
  readonly cell?: tf.layers.Layer;
  readonly layer?: tf.layers.Layer;
  readonly forwardLayer?: tf.layers.Layer;
  readonly backwardLayer?: tf.layers.Layer;
  readonly mergeMode?: string | null;
  readonly returnState?: boolean;
}

/** Reads a layer's fields. */
export const fieldsOf = (layer: tf.layers.Layer): UnitFields => layer as unknown as UnitFields;

/** A layer applied to values. */
interface Use {
  readonly layer: tf.layers.Layer;
  readonly fields: UnitFields;
  readonly inputs: readonly TracedValue[];
  /** The first input. */
  readonly x: TracedValue;
  /** Shape of the output without the batch axis. */
  readonly shape: readonly (number | null)[];
  /** Which of the layer's outputs is asked for. */
  readonly output: number;
}

/** Returns the units along the last axis of a layer's output; null where the layer's form is not known. */
type Rule = (trace: Trace, use: Use) => Int32Array | null;

/** What rules write down. */
export interface Trace {
  readonly table: UnitTable;
  /** New units of a layer; the same ones each time that it is applied. */
  unitsOf(layer: tf.layers.Layer, count: number): Int32Array;
  /** Says which units a weight's axis has; those of another application of the layer are tied to them. */
  weight(variable: tf.LayerVariable | null | undefined, axis: number, units: Int32Array): void;
  reads(layer: tf.layers.Layer, units: Int32Array): void;
  /** Says what makes a layer's units; not counted where the layer is called several times in one pass. */
  makes(layer: tf.layers.Layer, kernels: UnitMaker["kernels"], outputAxis: number): void;
}

/** Returns the units along the last axis of a layer's output; null where the layer, or its form, is not known. */
export function unitsAfter(
  trace: Trace,
  layer: tf.layers.Layer,
  inputs: readonly TracedValue[],
  shape: readonly (number | null)[],
  output: number,
): Int32Array | null {
  const className = layer.getClassName();
  const fields = fieldsOf(layer);
  const [x] = inputs;
  if (!Object.hasOwn(RULES, className) || fields.dataFormat === "channelsFirst") return null;
  return RULES[className](trace, { layer, fields, inputs, x, shape, output });
}

/** Models used as layers are traced through. */
export function isModel(layer: tf.layers.Layer): boolean {
  const { layers, predict } = layer as unknown as { layers?: unknown; predict?: unknown };
  return Array.isArray(layers) && typeof predict === "function";
}

const unchanged: Rule = (_, { x }) => x.units;

/** A kernel with units and inputs on its last two axes, and bias [units]. */
const kernelRule =
  (outputAxis: -1 | -2, inputAxis: -1 | -2): Rule =>
  (trace, { layer, fields, x }) => {
    const { kernel, bias } = fields;
    const units = trace.unitsOf(layer, kernel?.shape.at(outputAxis) ?? 0);
    trace.weight(kernel, inputAxis, x.units);
    trace.weight(kernel, outputAxis, units);
    trace.weight(bias, 0, units);
    trace.reads(layer, x.units);
    trace.makes(layer, [kernel as tf.LayerVariable], outputAxis);
    return units;
  };

/** kernel […, in, units]: Dense, ConvND. */
const unitsLast = kernelRule(-1, -2);

/** kernel […, units, in]: transposed convolutions. */
const unitsBeforeInputs = kernelRule(-2, -1);

/** Channel c gives the outputs c·multiplier + m: the units are those of the input. */
const depthwise: Rule = (trace, { layer, fields, x }) => {
  const { depthwiseKernel, bias } = fields;
  const units = stretched(x.units, depthwiseKernel?.shape.at(-1) ?? 1);
  trace.weight(depthwiseKernel, -2, x.units);
  trace.weight(bias, 0, units);
  trace.reads(layer, x.units);
  return units;
};

const separable: Rule = (trace, { layer, fields, x }) => {
  const { depthwiseKernel, pointwiseKernel, bias } = fields;
  const units = trace.unitsOf(layer, pointwiseKernel?.shape.at(-1) ?? 0);
  trace.weight(depthwiseKernel, -2, x.units);
  trace.weight(pointwiseKernel, -2, stretched(x.units, depthwiseKernel?.shape.at(-1) ?? 1));
  trace.weight(pointwiseKernel, -1, units);
  trace.weight(bias, 0, units);
  trace.reads(layer, x.units);
  trace.makes(layer, [pointwiseKernel as tf.LayerVariable], -1);
  return units;
};

/** Gates stand one after another on the last axis of kernel, recurrent kernel and bias. */
function recurrent(trace: Trace, layer: tf.layers.Layer, x: TracedValue): Int32Array {
  const { kernel, recurrentKernel, bias } = fieldsOf(fieldsOf(layer).cell ?? layer);
  const count = recurrentKernel?.shape.at(-2) ?? 0;
  const units = trace.unitsOf(layer, count);
  const gates = repeated(units, (kernel?.shape.at(-1) ?? 0) / count);
  trace.weight(kernel, -2, x.units);
  trace.weight(kernel, -1, gates);
  trace.weight(recurrentKernel, -2, units);
  trace.weight(recurrentKernel, -1, gates);
  trace.weight(bias, 0, gates);
  trace.reads(layer, x.units);
  return units;
}

/** All outputs of a recurrent layer, states too, have its units; initial states that are given are tied to them. */
const recurrentLayer: Rule = (trace, { layer, inputs, x }) => {
  const units = recurrent(trace, layer, x);
  for (const state of inputs.slice(1)) trace.table.tie(state.units, units);
  return units;
};

const CELLS = ["SimpleRNNCell", "GRUCell", "LSTMCell", "ConvLSTM2DCell"];

const rnn: Rule = (trace, use) =>
  CELLS.includes(use.fields.cell?.getClassName() ?? "") ? recurrentLayer(trace, use) : null;

const RECURRENT = ["SimpleRNN", "GRU", "LSTM"];

const bidirectional: Rule = (trace, { fields, inputs, x, output }) => {
  const { forwardLayer, backwardLayer, mergeMode, returnState } = fields;
  const layers = [forwardLayer, backwardLayer].filter((layer) => layer !== undefined);
  if (inputs.length > 1 || returnState === true) return null;
  if (layers.length < 2 || !layers.every((layer) => RECURRENT.includes(layer.getClassName()))) return null;
  const [forward, backward] = layers.map((layer) => recurrent(trace, layer, x));
  if (mergeMode === "concat") return joined([forward, backward]);
  if (mergeMode === null) return output === 0 ? forward : backward;
  trace.table.tie(forward, backward);
  return forward;
};

/** The inner layer at each step: time is one more axis in front. */
const timeDistributed: Rule = (trace, { fields, x, shape }) => {
  if (fields.layer === undefined || isModel(fields.layer)) return null;
  const inner = { shape: x.shape.slice(1), units: x.units };
  // TF.js calls the inner layer at every step.
  const stepwise = { ...trace, makes: () => {} };
  return unitsAfter(stepwise, fields.layer, [inner], shape.slice(1), 0);
};

function isLastAxis(axis: UnitFields["axis"], rank: number): boolean {
  const axes = typeof axis === "object" ? axis : [axis ?? -1];
  return axes.length === 1 && (axes[0] === -1 || axes[0] === rank);
}

const normalization: Rule = (trace, { fields, x }) => {
  if (!isLastAxis(fields.axis, x.shape.length)) return null;
  for (const weight of ["gamma", "beta", "movingMean", "movingVariance"] as const) {
    trace.weight(fields[weight], 0, x.units);
  }
  return x.units;
};

/** Slopes shared along the last axis leave it free. */
const prelu: Rule = (trace, { fields, x }) => {
  const alpha = fields.alpha as tf.LayerVariable;
  if (alpha.shape.at(-1) !== 1) trace.weight(alpha, -1, x.units);
  return x.units;
};

const embedding: Rule = (trace, { layer, fields, x }) => {
  const { embeddings } = fields;
  trace.table.fix(x.units);
  const units = trace.unitsOf(layer, embeddings?.shape.at(-1) ?? 0);
  trace.weight(embeddings, -1, units);
  return units;
};

/** The value's entries in order, split into rows of the new last axis: all rows must have the same units. */
const reshaped: Rule = (_, { x, shape }) => {
  if ([...x.shape, ...shape].some((length) => length === null)) return null;
  const positions = x.shape.slice(0, -1).reduce<number>((product, length) => product * (length as number), 1);
  const all = repeated(x.units, positions);
  const width = shape.at(-1) ?? 1;
  const row = all.subarray(0, width);
  return all.every((unit, i) => unit === row[i % width]) ? row : null;
};

const permuted: Rule = (_, { fields, x }) => (fields.dims?.at(-1) === x.shape.length ? x.units : null);

/** Values of one shape, or that stretch: entries that meet are one unit. */
const merged: Rule = (trace, { inputs, shape }) => {
  const width = shape.at(-1);
  const whole = inputs.filter(({ units }) => units.length === width);
  for (const { units } of whole.slice(1)) trace.table.tie(units, whole[0].units);
  return whole[0].units;
};

const concatenated: Rule = (trace, use) => {
  const { fields, inputs, x } = use;
  if (isLastAxis(fields.axis, x.shape.length)) return joined(inputs.map(({ units }) => units));
  return merged(trace, use);
};

const UNCHANGED = [
  ...["InputLayer", "Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "AlphaDropout"],
  ...["Activation", "ReLU", "LeakyReLU", "ELU", "ThresholdedReLU", "Softmax", "Rescaling", "Masking"],
  ...["MaxPooling1D", "MaxPooling2D", "MaxPooling3D"],
  ...["AveragePooling1D", "AveragePooling2D", "AveragePooling3D"],
  ...["GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalAveragePooling1D", "GlobalAveragePooling2D"],
  ...["UpSampling2D", "ZeroPadding2D", "Cropping2D", "RepeatVector"],
];

/** Layers by class name. */
const RULES: Readonly<Record<string, Rule>> = {
  ...Object.fromEntries(UNCHANGED.map((name) => [name, unchanged])),
  Dense: unitsLast,
  Conv1D: unitsLast,
  Conv2D: unitsLast,
  Conv3D: unitsLast,
  Conv2DTranspose: unitsBeforeInputs,
  Conv3DTranspose: unitsBeforeInputs,
  DepthwiseConv2D: depthwise,
  SeparableConv1D: separable,
  SeparableConv2D: separable,
  SimpleRNN: recurrentLayer,
  GRU: recurrentLayer,
  LSTM: recurrentLayer,
  ConvLSTM2D: recurrentLayer,
  RNN: rnn,
  Bidirectional: bidirectional,
  TimeDistributed: timeDistributed,
  BatchNormalization: normalization,
  LayerNormalization: normalization,
  PReLU: prelu,
  Embedding: embedding,
  Flatten: reshaped,
  Reshape: reshaped,
  Permute: permuted,
  Add: merged,
  Multiply: merged,
  Average: merged,
  Maximum: merged,
  Minimum: merged,
  Concatenate: concatenated,
};
