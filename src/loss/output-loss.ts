import * as tf from "@tensorflow/tfjs";
import { EvaluationError } from "../base/errors.js";
import type { LossMode } from "./loss-evaluator.js";
import type { CompiledLoss, LossFunction } from "./model-ports.js";

/** What TF.js's crossentropies do to a batch, as 0 and 1 per sample (and time step). */
export interface Clips {
  /** A probability that enters the loss is cut at either end, at ε or at 1 − ε. */
  readonly any: tf.Tensor;
  /** It is cut where the loss would go on growing: the sample's loss is capped at −ln ε = 16.118. */
  readonly capped: tf.Tensor;
}

/** Marks the clipped samples of a batch, from targets and probabilities. */
export type ClipMarks = (yTrue: tf.Tensor, yPred: tf.Tensor) => Clips;

/** Returns how a built-in loss clips probabilities, or null if it does not. */
export function clipMarks(loss: string): ClipMarks | null {
  switch (loss) {
    case "categoricalCrossentropy":
      return (yTrue, yPred) => marksWhere(tf.greater(yTrue, 0), normalized(yPred));
    case "sparseCategoricalCrossentropy":
      return (yTrue, yPred) => marksWhere(labelMask(yTrue, yPred), normalized(yPred));
    case "binaryCrossentropy":
      return binaryMarks;
    case "kullbackLeiblerDivergence":
      return kullbackLeiblerMarks;
    default:
      return null;
  }
}

/** TF.js's fuzz factor: 1e-7 with float32. */
function epsilon(): number {
  return tf.backend().epsilon();
}

function normalized(yPred: tf.Tensor): tf.Tensor {
  return tf.div(yPred, tf.sum(yPred, -1, true));
}

function labelMask(yTrue: tf.Tensor, yPred: tf.Tensor): tf.Tensor {
  const labels = tf.cast(tf.reshape(yTrue, yPred.shape.slice(0, -1)), "int32");
  return tf.cast(tf.oneHot(labels, yPred.shape.at(-1) as number), "bool");
}

function marksWhere(counts: tf.Tensor, p: tf.Tensor): Clips {
  const low = tf.logicalAnd(counts, tf.less(p, epsilon()));
  const high = tf.logicalAnd(counts, tf.greater(p, 1 - epsilon()));
  return { any: anyOfClasses(tf.logicalOr(low, high)), capped: anyOfClasses(low) };
}

function binaryMarks(yTrue: tf.Tensor, yPred: tf.Tensor): Clips {
  const low = tf.less(yPred, epsilon());
  const high = tf.greater(yPred, 1 - epsilon());
  const wrong = tf.logicalOr(
    tf.logicalAnd(low, tf.greater(yTrue, 0)),
    tf.logicalAnd(high, tf.less(yTrue, 1)),
  );
  return { any: anyOfClasses(tf.logicalOr(low, high)), capped: anyOfClasses(wrong) };
}

function kullbackLeiblerMarks(yTrue: tf.Tensor, yPred: tf.Tensor): Clips {
  const counts = tf.greater(yTrue, 0);
  const low = tf.logicalAnd(counts, tf.less(yPred, epsilon()));
  const high = tf.logicalAnd(counts, tf.greater(yPred, 1));
  return { any: anyOfClasses(tf.logicalOr(low, high)), capped: anyOfClasses(low) };
}

/** 1 where any entry along the last axis is marked. NaN is never marked. */
function anyOfClasses(marks: tf.Tensor): tf.Tensor {
  return tf.max(tf.cast(marks, "float32"), -1);
}

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

/** How the loss of one output is computed from what the model's forward pass gives. */
export interface OutputLoss {
  /** Taken away during the forward pass, or null. */
  readonly activation: FinalActivation | null;
  /** Loss per sample from targets and the raw output (logits, where an activation is taken away). */
  readonly loss: LossFunction;
  /** Which samples TF.js's loss clips, or null where it does not clip. */
  readonly clips: ClipMarks | null;
  /** What the model itself puts out, from the raw output. */
  readonly prediction: (raw: tf.Tensor) => tf.Tensor;
}

const identity = (raw: tf.Tensor): tf.Tensor => raw;

/**
 * Returns how the compiled loss of one output is computed in a loss mode.
 *
 * @throws {@link EvaluationError} in mode "logits", naming loss and layer, where there is no such form.
 */
export function outputLoss(
  mode: LossMode,
  compiled: CompiledLoss,
  model: tf.LayersModel,
  output: tf.SymbolicTensor,
): OutputLoss {
  if (mode === "model") {
    const clips = clipMarks(compiled.name);
    const loss = HIDES_NAN.has(compiled.name) ? keepingNaN(compiled.apply) : compiled.apply;
    return { activation: null, loss, clips, prediction: identity };
  }
  const activation = finalActivation(model, output);
  if (compiled.name === "custom") return customFromLogits(compiled, output, activation);
  const loss = activation === null ? undefined : LOGITS_FORMS[`${compiled.name} ${activation.kind}`];
  if (loss === undefined) throw noLogitsError(compiled.name, output, activation);
  const prediction = activation?.kind === "softmax" ? tf.softmax : tf.sigmoid;
  return { activation, loss, clips: null, prediction: (raw) => prediction(raw) };
}

/** Losses in which WebAssembly's clipping and maximum turn a NaN among the targets into a number. */
const HIDES_NAN: ReadonlySet<string> = new Set([
  "meanSquaredLogarithmicError",
  "hinge",
  "squaredHinge",
  "categoricalHinge",
]);

/** Adds 0 to each sample's loss, or NaN where its targets have one. */
function keepingNaN(loss: LossFunction): LossFunction {
  return (yTrue, yPred) => {
    const zeros = tf.mul(tf.sum(tf.cast(yTrue, "float32"), -1), 0);
    return tf.add(loss(yTrue, yPred), zeros);
  };
}

/** A function on an output without softmax or sigmoid works on logits already (tf.losses.softmaxCrossEntropy). */
function customFromLogits(
  compiled: CompiledLoss,
  output: tf.SymbolicTensor,
  activation: FinalActivation | null,
): OutputLoss {
  if (activation !== null) throw noLogitsError("a function of your own", output, activation);
  return { activation: null, loss: compiled.apply, clips: null, prediction: identity };
}

/** The exact forms, by loss and final activation; each gives one value per sample (and time step). */
const LOGITS_FORMS: Readonly<Record<string, LossFunction>> = {
  "categoricalCrossentropy softmax": (yTrue, logits) =>
    tf.neg(tf.sum(tf.mul(tf.cast(yTrue, "float32"), tf.logSoftmax(logits)), -1)),
  "sparseCategoricalCrossentropy softmax": (yTrue, logits) => {
    const classes = logits.shape.at(-1) as number;
    const labels = tf.cast(tf.reshape(yTrue, logits.shape.slice(0, -1)), "int32");
    return tf.neg(tf.sum(tf.mul(tf.oneHot(labels, classes), tf.logSoftmax(logits)), -1));
  },
  // max(z, 0) − z·y + log(1 + exp(−|z|)), which neither overflows nor cancels.
  "binaryCrossentropy sigmoid": (yTrue, logits) => {
    const linear = tf.sub(tf.relu(logits), tf.mul(logits, tf.cast(yTrue, "float32")));
    return tf.mean(tf.add(linear, tf.log1p(tf.exp(tf.neg(tf.abs(logits))))), -1);
  },
};

function noLogitsError(
  loss: string,
  output: tf.SymbolicTensor,
  activation: FinalActivation | null,
): EvaluationError {
  const ending = activation === null ? "neither softmax nor sigmoid" : activation.kind;
  return new EvaluationError(
    `loss mode logits, output layer "${output.sourceLayer.name}"`,
    "a crossentropy loss on its final softmax or sigmoid",
    `${loss} on ${ending}`,
    { hint: 'use loss: "model", or a lossFunction' },
  );
}
