import type { ParameterRole } from "./layout.js";

/** What a layer's type says of one of its weights. */
export interface WeightKind {
  readonly role: ParameterRole;
  /** Axes that number the filters, counted from the front, or from the back if negative; or null. */
  readonly filterAxes: readonly number[] | null;
}

const bias: WeightKind = { role: "bias", filterAxes: null };
const scale: WeightKind = { role: "scale", filterAxes: null };
const offset: WeightKind = { role: "offset", filterAxes: null };
const state: WeightKind = { role: "state", filterAxes: null };
const other: WeightKind = { role: "other", filterAxes: null };
const kernel = (...filterAxes: number[]): WeightKind => ({ role: "kernel", filterAxes });

/** [..., in, filters]: Dense, ConvND. */
const filtersLast = { kernel: kernel(-1), bias };
/** [..., filters, in]: ConvNDTranspose. */
const filtersBeforeInputs = { kernel: kernel(-2), bias };
/** Gates are concatenated on the last axis; a filter is one unit of one gate. */
const recurrent = { kernel: kernel(-1), recurrent_kernel: kernel(-1), bias };
/** A depthwise filter is one (input channel, multiplier) pair, a pointwise one is an output channel. */
const separable = { depthwise_kernel: kernel(-2, -1), pointwise_kernel: kernel(-1), bias };

const kindsByLayerType: Readonly<Record<string, Readonly<Record<string, WeightKind>>>> = {
  Dense: filtersLast,
  Conv1D: filtersLast,
  Conv2D: filtersLast,
  Conv3D: filtersLast,
  Conv2DTranspose: filtersBeforeInputs,
  Conv3DTranspose: filtersBeforeInputs,
  DepthwiseConv2D: separable,
  SeparableConv1D: separable,
  SeparableConv2D: separable,
  SimpleRNN: recurrent,
  SimpleRNNCell: recurrent,
  GRU: recurrent,
  GRUCell: recurrent,
  LSTM: recurrent,
  LSTMCell: recurrent,
  ConvLSTM2D: recurrent,
  ConvLSTM2DCell: recurrent,
  Embedding: { embeddings: kernel(0) },
  BatchNormalization: { gamma: scale, beta: offset, moving_mean: state, moving_variance: state },
  LayerNormalization: { gamma: scale, beta: offset },
  /** A slope per channel: it scales, and is left alone wherever γ is. */
  PReLU: { alpha: scale },
};

/**
 * Role and filter axes of a weight by its layer's type and its name within the layer.
 *
 * Anything not known, custom layers first of all, is "other" without filters.
 *
 * @see methods of the Keras layers; the axes differ from PyTorch's "axis 0 numbers the filters".
 */
export function weightKind(layerType: string, weightName: string, rank: number): WeightKind {
  const kinds = Object.hasOwn(kindsByLayerType, layerType) ? kindsByLayerType[layerType] : undefined;
  const kind = kinds !== undefined && Object.hasOwn(kinds, weightName) ? kinds[weightName] : undefined;
  if (kind === undefined) return other;
  if (kind.filterAxes === null) return kind;
  return { role: kind.role, filterAxes: kind.filterAxes.map((axis) => (axis < 0 ? axis + rank : axis)) };
}
