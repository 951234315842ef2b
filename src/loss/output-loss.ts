import * as tf from "@tensorflow/tfjs";
import { EvaluationError } from "../base/errors.js";
import { type ClipMarks, clipMarks } from "./clipping.js";
import { type FinalActivation, finalActivation } from "./final-activation.js";
import type { LossMode } from "./loss-evaluator.js";
import type { CompiledLoss, LossFunction } from "./model-ports.js";

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
