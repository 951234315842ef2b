import * as tf from "@tensorflow/tfjs";
import { type GraphBuilder, number, type ValueId } from "./graph.js";

/** A loss or metric as operations: targets and predictions in, values to be averaged over everything out. */
export type LossForm = (builder: GraphBuilder, yTrue: ValueId, yPred: ValueId) => ValueId;

/** TF.js's fuzz factor: 1e-7 with float32. */
function epsilon(): number {
  return tf.backend().epsilon();
}

const difference: LossForm = (b, yTrue, yPred) => b.binary("sub", yPred, yTrue);

const square = (b: GraphBuilder, x: ValueId): ValueId => b.binary("mul", x, x);

/** Predictions of each sample divided by their sum, as TF.js's crossentropy does before it clips. */
export function normalized(b: GraphBuilder, yPred: ValueId): ValueId {
  return b.binary("div", yPred, b.reduce("sum", yPred));
}

const clipped = (b: GraphBuilder, p: ValueId): ValueId => b.clip(p, epsilon(), 1 - epsilon());

const categoricalCrossentropy: LossForm = (b, yTrue, yPred) => {
  const logs = b.unary("log", clipped(b, normalized(b, yPred)));
  return b.unary("neg", b.reduce("sum", b.binary("mul", yTrue, logs)));
};

/** Class numbers as rows of 0 and 1 beside the predictions. */
export const asOneHot: LossForm = (b, labels, yPred) => {
  const shape = b.shapeOf(yPred);
  const classes = shape.at(-1) as number;
  return b.add({ op: "oneHot", x: b.reshape(labels, shape.slice(0, -1)), classes }, shape);
};

/** max(z, 0) − z·y + log(1 + exp(−|z|)) per element, which neither overflows nor cancels. */
const sigmoidCrossentropy: LossForm = (b, yTrue, logits) => {
  const linear = b.binary("sub", b.unary("relu", logits), b.binary("mul", logits, yTrue));
  return b.binary("add", linear, b.unary("softplus", b.unary("neg", b.unary("abs", logits))));
};

const hinge: LossForm = (b, yTrue, yPred) =>
  b.unary("relu", b.binary("sub", number(1), b.binary("mul", yTrue, yPred)));

/** TF.js's losses by name, each the same formula. */
export const lossForms: Readonly<Record<string, LossForm>> = {
  meanSquaredError: (b, yTrue, yPred) => square(b, difference(b, yTrue, yPred)),
  meanAbsoluteError: (b, yTrue, yPred) => b.unary("abs", difference(b, yTrue, yPred)),
  meanAbsolutePercentageError: (b, yTrue, yPred) => {
    const size = b.binary("maximum", b.unary("abs", yTrue), number(epsilon()));
    const share = b.unary("abs", b.binary("div", b.binary("sub", yTrue, yPred), size));
    return b.binary("mul", share, number(100));
  },
  meanSquaredLogarithmicError: (b, yTrue, yPred) => {
    const log = (x: ValueId) =>
      b.unary("log", b.binary("add", b.binary("maximum", x, number(epsilon())), number(1)));
    return square(b, b.binary("sub", log(yPred), log(yTrue)));
  },
  squaredHinge: (b, yTrue, yPred) => square(b, hinge(b, yTrue, yPred)),
  hinge,
  categoricalHinge: (b, yTrue, yPred) => {
    const positive = b.reduce("sum", b.binary("mul", yTrue, yPred));
    const negative = b.reduce("max", b.binary("mul", b.binary("sub", number(1), yTrue), yPred));
    return b.unary("relu", b.binary("add", b.binary("sub", negative, positive), number(1)));
  },
  logcosh: (b, yTrue, yPred) => {
    const gap = difference(b, yTrue, yPred);
    const soft = b.unary("softplus", b.binary("mul", gap, number(-2)));
    return b.binary("sub", b.binary("add", gap, soft), number(Math.LN2));
  },
  categoricalCrossentropy,
  sparseCategoricalCrossentropy: (b, yTrue, yPred) =>
    categoricalCrossentropy(b, asOneHot(b, yTrue, yPred), clipped(b, yPred)),
  binaryCrossentropy: (b, yTrue, yPred) => {
    const p = clipped(b, yPred);
    const logits = b.unary("log", b.binary("div", p, b.binary("sub", number(1), p)));
    return sigmoidCrossentropy(b, yTrue, logits);
  },
  kullbackLeiblerDivergence: (b, yTrue, yPred) => {
    const ratio = b.binary("div", b.clip(yTrue, epsilon(), 1), b.clip(yPred, epsilon(), 1));
    return b.reduce("sum", b.binary("mul", yTrue, b.unary("log", ratio)));
  },
  poisson: (b, yTrue, yPred) => {
    const logs = b.unary("log", b.binary("add", yPred, number(epsilon())));
    return b.binary("sub", yPred, b.binary("mul", yTrue, logs));
  },
  cosineProximity: (b, yTrue, yPred) => {
    const unit = (x: ValueId) => {
      const squares = b.binary("maximum", b.reduce("sum", square(b, x)), number(epsilon()));
      return b.binary("div", x, b.unary("sqrt", squares));
    };
    return b.unary("neg", b.reduce("sum", b.binary("mul", unit(yTrue), unit(yPred))));
  },
};

/** Losses from logits, by loss and final activation; the same formulas as the model's own ops use. */
export const logitsForms: Readonly<Record<string, LossForm>> = {
  "categoricalCrossentropy softmax": (b, yTrue, logits) => softmaxCrossentropy(b, yTrue, logits),
  "sparseCategoricalCrossentropy softmax": (b, yTrue, logits) =>
    softmaxCrossentropy(b, asOneHot(b, yTrue, logits), logits),
  "binaryCrossentropy sigmoid": sigmoidCrossentropy,
};

function softmaxCrossentropy(b: GraphBuilder, yTrue: ValueId, logits: ValueId): ValueId {
  const logs = b.add({ op: "logSoftmax", x: logits }, b.shapeOf(logits));
  return b.unary("neg", b.reduce("sum", b.binary("mul", yTrue, logs)));
}

/** Metrics that are not losses, by name. */
export const metricForms: Readonly<Record<string, LossForm>> = {
  ...lossForms,
  binaryAccuracy: (b, yTrue, yPred) => b.binary("equal", yTrue, b.binary("greater", yPred, number(0.5))),
  categoricalAccuracy: (b, yTrue, yPred) =>
    b.binary("equal", b.reduce("argMax", yTrue), b.reduce("argMax", yPred)),
  sparseCategoricalAccuracy: (b, yTrue, yPred) => {
    const shape = b.shapeOf(yPred);
    return b.binary("equal", b.reshape(yTrue, [...shape.slice(0, -1), 1]), b.reduce("argMax", yPred));
  },
};

/** Where a loss clips, as 0 and 1 per sample (and time step). */
export interface ClipValues {
  /** Cut at either end. */
  readonly any: ValueId;
  /** Cut where the loss would go on growing. */
  readonly capped: ValueId;
}

/** Marks the clipped samples of a batch, from targets and probabilities. */
export type ClipForm = (builder: GraphBuilder, yTrue: ValueId, yPred: ValueId) => ClipValues;

/** Returns where each of TF.js's losses clips, or null where it does not; see `clipMarks`. */
export function clipForm(loss: string): ClipForm | null {
  return Object.hasOwn(clipForms, loss) ? (clipForms[loss] as ClipForm) : null;
}

const both = (b: GraphBuilder, x: ValueId, y: ValueId): ValueId => b.binary("mul", x, y);
const either = (b: GraphBuilder, x: ValueId, y: ValueId): ValueId => b.binary("maximum", x, y);
const anyClass = (b: GraphBuilder, marks: ValueId): ValueId => b.reduce("max", marks);

function marks(b: GraphBuilder, counts: ValueId, p: ValueId, highest: number): ClipValues {
  const low = both(b, counts, b.binary("less", p, number(tf.backend().epsilon())));
  const high = both(b, counts, b.binary("greater", p, number(highest)));
  return { any: anyClass(b, either(b, low, high)), capped: anyClass(b, low) };
}

const clipForms: Readonly<Record<string, ClipForm>> = {
  categoricalCrossentropy: (b, yTrue, yPred) => {
    const counts = b.binary("greater", yTrue, number(0));
    return marks(b, counts, normalized(b, yPred), 1 - tf.backend().epsilon());
  },
  sparseCategoricalCrossentropy: (b, yTrue, yPred) =>
    marks(b, asOneHot(b, yTrue, yPred), normalized(b, yPred), 1 - tf.backend().epsilon()),
  kullbackLeiblerDivergence: (b, yTrue, yPred) => marks(b, b.binary("greater", yTrue, number(0)), yPred, 1),
  binaryCrossentropy: (b, yTrue, yPred) => {
    const epsilon = tf.backend().epsilon();
    const low = b.binary("less", yPred, number(epsilon));
    const high = b.binary("greater", yPred, number(1 - epsilon));
    const wrong = either(
      b,
      both(b, low, b.binary("greater", yTrue, number(0))),
      both(b, high, b.binary("less", yTrue, number(1))),
    );
    return { any: anyClass(b, either(b, low, high)), capped: anyClass(b, wrong) };
  },
};
