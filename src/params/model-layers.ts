import type * as tf from "@tensorflow/tfjs";

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
