import * as tf from "@tensorflow/tfjs";

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
