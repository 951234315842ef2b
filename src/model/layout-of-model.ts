import type * as tf from "@tensorflow/tfjs";
import { LayoutError } from "../base/errors.js";
import {
  buildLayout,
  type LayoutOptions,
  type ParameterLayout,
  type ParameterRole,
  type UnplacedParameter,
} from "./layout.js";

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

/** Names in a layer's configuration of what its weights begin as, by the layer's type. */
export function initializersOf(layerType: string): string[] {
  const kinds = Object.hasOwn(kindsByLayerType, layerType) ? kindsByLayerType[layerType] : undefined;
  return Object.keys(kinds ?? {}).map((name) => `${name.replace(/(?<=.)_kernel$/, "")}_initializer`);
}

/** A layer that owns weights itself: not a model, wrapper or stack of cells. */
export interface OwningLayer {
  readonly layer: tf.layers.Layer;
  /** Class name to go by: of the layer, or of the cell inside a plain `RNN`. */
  readonly type: string;
}

/** Fields by which TF.js's containers hold other layers; it exports no types for most of them. */
interface LayerParts {
  readonly layers?: readonly tf.layers.Layer[];
  readonly layer?: tf.layers.Layer;
  readonly forwardLayer?: tf.layers.Layer;
  readonly backwardLayer?: tf.layers.Layer;
  readonly cell?: tf.layers.Layer;
  readonly cells?: readonly tf.layers.Layer[];
}

/**
 * Lists the layers that own weights, in the order in which the model holds them, each once however
 * often it is applied. Nested models, TimeDistributed, Bidirectional, RNN and StackedRNNCells are
 * opened; an LSTM (GRU, SimpleRNN, ConvLSTM2D) counts as one layer with its cell inside.
 */
export function owningLayers(root: tf.layers.Layer): OwningLayer[] {
  return innermostLayers(root)
    .filter(({ weights }) => weights.length > 0)
    .map((layer) => ({ layer, type: layer.getClassName() }));
}

/** Lists the layers that hold no other layers, with or without weights, as {@link owningLayers} does. */
export function innermostLayers(root: tf.layers.Layer): tf.layers.Layer[] {
  const found: tf.layers.Layer[] = [];
  const seen = new Set<tf.layers.Layer>();
  const visit = (layer: tf.layers.Layer): void => {
    if (seen.has(layer)) return;
    seen.add(layer);
    const parts = innerLayers(layer);
    if (parts.length > 0) for (const part of parts) visit(part);
    else found.push(layer);
  };
  visit(root);
  return found;
}

function innerLayers(layer: tf.layers.Layer): readonly tf.layers.Layer[] {
  const parts = layer as unknown as LayerParts;
  switch (layer.getClassName()) {
    case "Bidirectional":
      return [parts.forwardLayer, parts.backwardLayer].filter((part) => part !== undefined);
    case "TimeDistributed":
      return parts.layer === undefined ? [] : [parts.layer];
    case "RNN":
      return parts.cell === undefined ? [] : [parts.cell];
    case "StackedRNNCells":
      return parts.cells ?? [];
    default:
      return isModel(layer) ? (parts.layers ?? []) : [];
  }
}

/** Models (Sequential, LayersModel and classes derived from them) can predict; layers cannot. */
function isModel(layer: tf.layers.Layer): boolean {
  const { layers, predict } = layer as unknown as LayerParts & { predict?: unknown };
  return Array.isArray(layers) && typeof predict === "function";
}

/** A weight of a model: TF.js's variable and what the layout says of it. */
export interface ModelWeight {
  readonly variable: tf.LayerVariable;
  readonly parameter: UnplacedParameter;
}

/**
 * Returns the layout of θ for a model: its trainable weights, then the others, each in the order of
 * `model.weights`, a shared layer's weights once.
 *
 * Trainable is what `fit` trains. A compiled model trains what was trainable when it was compiled: flags that were
 * changed since do not count, but where a layer's own flag keeps its variables out of the gradient.
 *
 * @throws {@link LayoutError} if the model has no weights or holds strings or complex numbers.
 * @example const layout = layoutOfModel(model);
 */
export function layoutOfModel(model: tf.LayersModel, options: LayoutOptions = {}): ParameterLayout {
  const weights = modelWeights(model).map(({ parameter }) => parameter);
  return buildLayout(weights, `model "${model.name}"`, options);
}

/** Lists a model's weights in its own order, trainable first, with roles and architecture keys. */
export function modelWeights(model: tf.LayersModel): ModelWeight[] {
  const where = `model "${model.name}"`;
  const owners = ownersById(model);
  const trainable = trainedIds(model);
  const unique = new Map(
    [...model.trainableWeights, ...model.nonTrainableWeights].map((variable) => [variable.id, variable]),
  );
  return [...unique.values()].map((variable) => {
    checkDtype(variable, where);
    const owner = owners.get(variable.id) ?? { key: `?/${variable.originalName}`, name: "", type: "unknown" };
    const shape = variable.shape.map((length) => length ?? 0);
    const { role, filterAxes } = weightKind(owner.type, owner.name, shape.length);
    const parameter: UnplacedParameter = {
      name: variable.name,
      key: owner.key,
      shape,
      role,
      trainable: trainable.has(variable.id),
      layerType: owner.type,
      filterAxes,
    };
    return { variable, parameter };
  });
}

/** What the optimizer would update: see `layoutOfModel`. */
function trainedIds(model: tf.LayersModel): Set<number> {
  interface Compiled {
    readonly model?: Compiled;
    readonly collectedTrainableWeights?: readonly tf.LayerVariable[] | null;
  }
  // A Sequential compiles the model that it holds.
  const parts = model as unknown as Compiled;
  const compiled = parts.collectedTrainableWeights ?? parts.model?.collectedTrainableWeights;
  const isInGradient = (variable: tf.LayerVariable) => (variable.read() as tf.Variable).trainable !== false;
  const trained = compiled?.filter(isInGradient) ?? model.trainableWeights;
  return new Set(trained.map((variable) => variable.id));
}

interface Owner {
  readonly key: string;
  /** Name of the weight within its layer: "kernel", "gamma", … */
  readonly name: string;
  readonly type: string;
}

function ownersById(model: tf.LayersModel): Map<number, Owner> {
  const owners = new Map<number, Owner>();
  owningLayers(model).forEach(({ layer, type }: OwningLayer, ordinal) => {
    const taken = new Map<string, number>();
    for (const variable of layerVariables(layer)) {
      if (owners.has(variable.id)) continue;
      const name = nameWithinLayer(variable.originalName, layer.name);
      const count = taken.get(name) ?? 0;
      taken.set(name, count + 1);
      const suffix = count === 0 ? "" : `#${count}`;
      owners.set(variable.id, { key: `${ordinal}/${type}/${name}${suffix}`, name, type });
    }
  });
  return owners;
}

/** A layer's weights in the order of creation, whether trainable at the moment or not. */
function layerVariables(layer: tf.layers.Layer): tf.LayerVariable[] {
  return [...layer.weights].sort((a, b) => a.id - b.id);
}

/**
 * `originalName` is the scoped name before TF.js appends a number to make it unique: the names of the
 * layer and of its wrappers, then the weight's own.
 */
function nameWithinLayer(originalName: string, layerName: string): string {
  const prefix = `${layerName}/`;
  const at = originalName.lastIndexOf(prefix);
  return at >= 0
    ? originalName.slice(at + prefix.length)
    : originalName.slice(originalName.lastIndexOf("/") + 1);
}

function checkDtype({ name, dtype }: tf.LayerVariable, where: string): void {
  if (dtype === "float32" || dtype === "int32" || dtype === "bool") return;
  throw new LayoutError(`${where}: ${name}`, "a weight of type float32, int32 or bool", dtype);
}

/** Variables of a custom training loop: in a fixed order, or by names of the user's choice. */
export type VariableCollection = readonly tf.Variable[] | Readonly<Record<string, tf.Variable>>;

/** A variable of a custom loop under the name that the layout uses. */
export interface NamedVariable {
  readonly name: string;
  readonly variable: tf.Variable;
}

/**
 * Returns the layout of θ for the variables of a custom loop, trainable ones first.
 *
 * A record's keys are the names. In a list a variable goes by its own name, or by "variable_<index>"
 * where TF.js made one up. Variables have no layer, so that roles are "other" without filter axes
 * unless `options.describe` says otherwise.
 *
 * @throws {@link LayoutError} if there are none, names repeat, or one holds strings or complex numbers.
 */
export function layoutOfVariables(
  variables: VariableCollection,
  options: LayoutOptions = {},
): ParameterLayout {
  const isList = Array.isArray(variables);
  const weights = namedVariables(variables).map(({ name, variable }, index): UnplacedParameter => {
    checkVariableDtype(name, variable);
    return {
      name,
      key: isList ? `${index}/Variable` : `Variable/${name}`,
      shape: [...variable.shape],
      role: "other",
      trainable: variable.trainable,
      layerType: "Variable",
      filterAxes: null,
    };
  });
  return buildLayout(weights, "variables", options);
}

/** Lists variables with their names, in the order given. */
export function namedVariables(variables: VariableCollection): NamedVariable[] {
  if (!isVariableList(variables)) {
    return Object.entries(variables).map(([name, variable]) => ({ name, variable }));
  }
  return variables.map((variable, index) => {
    const isMadeUp = /^\d+$/.test(variable.name);
    return { name: isMadeUp ? `variable_${index}` : variable.name, variable };
  });
}

function isVariableList(variables: VariableCollection): variables is readonly tf.Variable[] {
  return Array.isArray(variables);
}

function checkVariableDtype(name: string, { dtype }: tf.Variable): void {
  if (dtype === "float32" || dtype === "int32" || dtype === "bool") return;
  throw new LayoutError(`variables: ${name}`, "a variable of type float32, int32 or bool", dtype);
}
