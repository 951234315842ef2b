import * as tf from "@tensorflow/tfjs";
import { EvaluationError } from "../base/errors.js";

/** A way to have a model give its logits: what is replaced on which layer while the model runs. */
export interface FinalActivation {
  readonly kind: "softmax" | "sigmoid";
  /** Runs `forward` with the activation out of the way; it must not await anything. */
  without<T>(forward: () => T): T;
}

/** What of TF.js's layers is needed here and is not in their public types. */
interface LayerInternals {
  name: string;
  activation?: { getClassName(): string };
  /** Of TimeDistributed. */
  layer?: tf.layers.Layer;
  /** Of Softmax. */
  axis?: number | number[];
  /** Of a model used as a layer. */
  outputs?: tf.SymbolicTensor[];
  inboundNodes: unknown[];
  /** Of a model: which uses of which layers belong to it. */
  containerNodes?: Set<string>;
  /** Of a Sequential: the model behind it. */
  model?: LayerInternals;
}

/** The place of one activation: the layer and how it is replaced. */
interface Place {
  readonly kind: string;
  readonly target: Record<string, unknown>;
  readonly key: string;
  readonly replacement: unknown;
}

/**
 * Finds the softmax or sigmoid that ends an output of `model`: a Softmax or Activation layer, or the
 * activation of the last layer, also inside TimeDistributed or a nested model.
 *
 * @returns null if the output does not end in one.
 * @throws {@link EvaluationError} if it does and it cannot be taken away.
 */
export function finalActivation(model: tf.layers.Layer, output: tf.SymbolicTensor): FinalActivation | null {
  const layer = output.sourceLayer as LayerInternals & tf.layers.Layer;
  if (Array.isArray(layer.outputs)) {
    const inner = layer.outputs[output.outputTensorIndex ?? 0] as tf.SymbolicTensor;
    const found = finalActivation(layer, inner);
    if (found !== null && timesUsed(model, layer) > 1) throw sharedLayerError(layer.name, found.kind);
    return found;
  }
  const place = layer.getClassName() === "Softmax" ? softmaxLayer(layer, output) : activationOf(layer);
  if (place === null || (place.kind !== "softmax" && place.kind !== "sigmoid")) return null;
  if (timesUsed(model, layer) > 1) throw sharedLayerError(layer.name, place.kind);
  return { kind: place.kind, without: (forward) => replaced(place, forward) };
}

/** How often a layer is used within a model (uses in other models do not count). */
function timesUsed(model: tf.layers.Layer, layer: LayerInternals): number {
  const container = model as unknown as LayerInternals;
  const nodes = (container.model ?? container).containerNodes;
  return layer.inboundNodes.filter((_, i) => nodes?.has(`${layer.name}_ib-${i}`)).length;
}

function activationOf(layer: LayerInternals): Place | null {
  const owner = (layer.layer ?? layer) as unknown as LayerInternals;
  if (owner.activation === undefined) return null;
  return {
    kind: owner.activation.getClassName(),
    target: owner as unknown as Record<string, unknown>,
    key: "activation",
    replacement: linearActivation(),
  };
}

function softmaxLayer(layer: LayerInternals, output: tf.SymbolicTensor): Place {
  const axis = Array.isArray(layer.axis) ? layer.axis[0] : layer.axis;
  const last = output.shape.length - 1;
  if ((axis ?? -1) !== -1 && axis !== last) {
    throw new EvaluationError(`layer "${layer.name}"`, "a softmax over the last axis", `axis ${axis}`);
  }
  const identity = (inputs: tf.Tensor | tf.Tensor[], kwargs: { mask?: unknown } | undefined) => {
    if (kwargs?.mask !== undefined && kwargs.mask !== null) {
      throw new EvaluationError(
        `layer "${layer.name}"`,
        "a softmax without a mask in loss mode logits",
        "a mask",
      );
    }
    return (Array.isArray(inputs) ? (inputs[0] as tf.Tensor) : inputs).clone();
  };
  return {
    kind: "softmax",
    target: layer as unknown as Record<string, unknown>,
    key: "call",
    replacement: identity,
  };
}

/** TF.js exports no activation objects: one is taken from a layer. */
function linearActivation(): unknown {
  const layer = tf.layers.activation({ activation: "linear" });
  return (layer as unknown as LayerInternals).activation;
}

function replaced<T>({ target, key, replacement }: Place, forward: () => T): T {
  const own = Object.getOwnPropertyDescriptor(target, key);
  target[key] = replacement;
  try {
    return forward();
  } finally {
    if (own === undefined) delete target[key];
    else Object.defineProperty(target, key, own);
  }
}

function sharedLayerError(name: string, kind: string): EvaluationError {
  return new EvaluationError(
    `layer "${name}"`,
    `a final ${kind} of its own in loss mode logits`,
    "a layer that is used in several places",
    { hint: 'give the output a layer of its own, or use loss: "model"' },
  );
}
