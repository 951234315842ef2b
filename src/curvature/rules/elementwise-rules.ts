import * as tf from "@tensorflow/tfjs";
import type { KernelNode } from "../../backend/record-kernels.js";
import { defined } from "../../base/json.js";
import { Dual, inverse, linear, minus, plus, times } from "../dual.js";
import { inputOf, type KernelRule, oneOutput, stretch, sumToShape } from "./kernel-rule.js";

/** First and second derivative of a function of one number, from argument and value; null: zero. */
interface Derivatives {
  readonly slope: (x: tf.Tensor, y: tf.Tensor, node: KernelNode) => tf.Tensor;
  readonly curve: ((x: tf.Tensor, y: tf.Tensor, slope: tf.Tensor, node: KernelNode) => tf.Tensor) | null;
}

const SELU_SCALE = 1.0507009873554805;
const SELU_SCALE_ALPHA = 1.7580993408473768;

const isPositive = (x: tf.Tensor): tf.Tensor => tf.cast(tf.greater(x, 0), "float32");
const isNegative = (x: tf.Tensor): tf.Tensor => tf.cast(tf.less(x, 0), "float32");
const oneMinus = (x: tf.Tensor): tf.Tensor => tf.sub(1, x);

/** Kinks have the derivatives of the side that TF.js takes; their curvature is zero almost everywhere. */
const FUNCTIONS: Readonly<Record<string, Derivatives>> = {
  Relu: { slope: isPositive, curve: null },
  Relu6: { slope: (x) => tf.mul(isPositive(x), tf.cast(tf.lessEqual(x, 6), "float32")), curve: null },
  LeakyRelu: { slope: (x, _, { attributes }) => tf.step(x, attributes.alpha as number), curve: null },
  Elu: {
    slope: (_, y) => tf.add(tf.minimum(y, 0), 1),
    curve: (x, _, slope) => tf.mul(isNegative(x), slope),
  },
  Selu: {
    slope: (x, y) => tf.where(tf.greater(x, 0), tf.fill(x.shape, SELU_SCALE), tf.add(y, SELU_SCALE_ALPHA)),
    curve: (x, _, slope) => tf.mul(isNegative(x), slope),
  },
  Sigmoid: {
    slope: (_, y) => tf.mul(y, oneMinus(y)),
    curve: (_, y, slope) => tf.mul(slope, oneMinus(tf.mul(y, 2))),
  },
  Tanh: {
    slope: (_, y) => oneMinus(tf.square(y)),
    curve: (_, y, slope) => tf.mul(tf.mul(y, -2), slope),
  },
  Softplus: {
    slope: (x) => tf.sigmoid(x),
    curve: (_, __, slope) => tf.mul(slope, oneMinus(slope)),
  },
  Erf: {
    slope: (x) => tf.mul(tf.exp(tf.neg(tf.square(x))), 2 / Math.sqrt(Math.PI)),
    curve: (x, _, slope) => tf.mul(tf.mul(x, -2), slope),
  },
  Exp: { slope: (_, y) => y.clone(), curve: (_, __, slope) => slope.clone() },
  Expm1: { slope: (_, y) => tf.add(y, 1), curve: (_, __, slope) => slope.clone() },
  Log: { slope: (x) => tf.reciprocal(x), curve: (_, __, slope) => tf.neg(tf.square(slope)) },
  Log1p: {
    slope: (x) => tf.reciprocal(tf.add(x, 1)),
    curve: (_, __, slope) => tf.neg(tf.square(slope)),
  },
  Sqrt: {
    slope: (_, y) => tf.div(0.5, y),
    curve: (_, y, slope) => tf.div(tf.mul(slope, -0.5), tf.square(y)),
  },
  Rsqrt: {
    slope: (_, y) => tf.mul(tf.mul(tf.square(y), y), -0.5),
    curve: (_, y, slope) => tf.mul(tf.mul(slope, tf.square(y)), -1.5),
  },
  Square: { slope: (x) => tf.mul(x, 2), curve: (x) => tf.fill(x.shape, 2) },
  Reciprocal: {
    slope: (_, y) => tf.neg(tf.square(y)),
    curve: (_, y, slope) => tf.mul(tf.mul(slope, y), -2),
  },
  Sin: { slope: (x) => tf.cos(x), curve: (_, y) => tf.neg(y) },
  Cos: { slope: (x) => tf.neg(tf.sin(x)), curve: (_, y) => tf.neg(y) },
  Abs: { slope: (x) => tf.sign(x), curve: null },
  Neg: { slope: (x) => tf.fill(x.shape, -1), curve: null },
  ClipByValue: {
    slope: (x, _, { attributes: { clipValueMin, clipValueMax } }) =>
      tf.cast(
        tf.logicalAnd(tf.greaterEqual(x, clipValueMin as number), tf.lessEqual(x, clipValueMax as number)),
        "float32",
      ),
    curve: null,
  },
};

function functionRule({ slope, curve }: Derivatives): KernelRule {
  const first = (node: KernelNode): tf.Tensor =>
    node.memo("slope", () => slope(nameless(node), node.outputs[0] as tf.Tensor, node));
  const second = (node: KernelNode, derivative: NonNullable<Derivatives["curve"]>): tf.Tensor =>
    node.memo("curve", () => derivative(nameless(node), node.outputs[0] as tf.Tensor, first(node), node));
  return oneOutput({
    forward: (node, x) => linear(only(x), (tangent) => tf.mul(tangent, first(node))).tangent,
    backward(node, x, _, dy) {
      const input = only(x);
      const tangent =
        curve === null || input.tangent === null ? null : tf.mul(second(node, curve), input.tangent);
      const name = node.inputs[0]?.name as string;
      return { [name]: () => times(dy, new Dual(() => first(node), tangent)) };
    },
  });
}

function nameless(node: KernelNode): tf.Tensor {
  return node.inputs[0]?.tensor as tf.Tensor;
}

function only(x: Readonly<Record<string, Dual>>): Dual {
  return Object.values(x)[0] as Dual;
}

/** An adjoint in the shape of the result, for an input that may have been stretched. */
function toInput(node: KernelNode, name: string, adjoint: Dual): Dual {
  const { shape } = inputOf(node, name);
  return linear(adjoint, (tensor) => sumToShape(tensor, shape));
}

/** Rule of a kernel on two inputs a and b that stretch to each other's shape. */
function pairRule(
  forward: (a: Dual, b: Dual, y: tf.Tensor, node: KernelNode) => tf.Tensor | null,
  toA: (dy: Dual, a: Dual, b: Dual, y: Dual, node: KernelNode) => Dual,
  toB: (dy: Dual, a: Dual, b: Dual, y: Dual, node: KernelNode) => Dual,
  refuses?: KernelRule["refuses"],
): KernelRule {
  return oneOutput({
    ...defined({ refuses }),
    forward(node, { a, b }, y) {
      const tangent = forward(a as Dual, b as Dual, y, node);
      return tangent === null ? null : stretch(tangent, y.shape);
    },
    backward: (node, { a, b }, y, dy) => ({
      a: () => toInput(node, "a", toA(dy, a as Dual, b as Dual, y, node)),
      b: () => toInput(node, "b", toB(dy, a as Dual, b as Dual, y, node)),
    }),
  });
}

const negated = (x: Dual): Dual => linear(x, (tensor) => tf.neg(tensor));
const masked = (x: Dual, mask: tf.Tensor): Dual => linear(x, (tensor) => tf.mul(tensor, mask));

/** 1 where the first input is chosen, ties included; 0 where the second is. */
function choice(node: KernelNode, isFirst: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor): tf.Tensor {
  return node.memo("choice", () => tf.cast(isFirst(inputOf(node, "a"), inputOf(node, "b")), "float32"));
}

function chosenRule(isFirst: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor): KernelRule {
  const other = (node: KernelNode) => node.memo("other", () => oneMinus(choice(node, isFirst)));
  return pairRule(
    (a, b, _, node) => plus(masked(a, choice(node, isFirst)).tangent, masked(b, other(node)).tangent),
    (dy, _, __, ___, node) => masked(dy, choice(node, isFirst)),
    (dy, _, __, ___, node) => masked(dy, other(node)),
  );
}

/** a^b with a constant exponent. */
const power: KernelRule = pairRule(
  (a, b, _, node) => {
    const exponent = b.value;
    const slope = node.memo("slope", () => tf.mul(exponent, tf.pow(a.value, tf.sub(exponent, 1))));
    return linear(a, (tangent) => tf.mul(tangent, slope)).tangent;
  },
  (dy, a, b) => {
    const exponent = b.value;
    const slope = () => tf.mul(exponent, tf.pow(a.value, tf.sub(exponent, 1)));
    const curve = () => tf.mul(tf.mul(exponent, tf.sub(exponent, 1)), tf.pow(a.value, tf.sub(exponent, 2)));
    const tangent = a.tangent === null ? null : tf.mul(curve(), a.tangent);
    return times(dy, new Dual(slope, tangent));
  },
  (dy) => dy,
  (_, active) => (active.has("b") ? "an exponent that depends on the weights" : null),
);

/** x where it is positive, else alpha·x. */
const prelu: KernelRule = oneOutput({
  forward(node, { x, alpha }) {
    const [positive, negative] = preluSides(node);
    const below = masked(times(x as Dual, alpha as Dual), negative);
    return plus(masked(x as Dual, positive).tangent, below.tangent);
  },
  backward(node, { x, alpha }, _, dy) {
    const [positive, negative] = preluSides(node);
    return {
      x() {
        const above = masked(dy, positive);
        const below = masked(times(dy, alpha as Dual), negative);
        return new Dual(() => tf.add(above.value, below.value), plus(above.tangent, below.tangent));
      },
      alpha: () => toInput(node, "alpha", masked(times(dy, x as Dual), negative)),
    };
  },
});

function preluSides(node: KernelNode): [tf.Tensor, tf.Tensor] {
  const positive = node.memo("positive", () => isPositive(inputOf(node, "x")));
  return [positive, node.memo("negative", () => oneMinus(positive))];
}

/** Sum of any number of inputs of one shape. */
const addAll: KernelRule = oneOutput({
  forward: (_, x) =>
    Object.values(x).reduce<tf.Tensor | null>((sum, { tangent }) => plus(sum, tangent), null),
  backward: (node, _, __, dy) => Object.fromEntries(node.inputs.map(({ name }) => [name, () => dy])),
});

/** The chosen one of two inputs of one shape, by a constant condition. */
const select: KernelRule = oneOutput({
  forward(node, { t, e }) {
    const [yes, no] = selectSides(node);
    return plus(masked(t as Dual, yes).tangent, masked(e as Dual, no).tangent);
  },
  backward(node, _, __, dy) {
    const [yes, no] = selectSides(node);
    return { t: () => masked(dy, yes), e: () => masked(dy, no) };
  },
});

function selectSides(node: KernelNode): [tf.Tensor, tf.Tensor] {
  const yes = node.memo("yes", () => {
    const condition = tf.cast(inputOf(node, "condition"), "float32");
    const extra = inputOf(node, "t").rank - condition.rank;
    return tf.reshape(condition, [...condition.shape, ...Array.from({ length: extra }, () => 1)]);
  });
  return [yes, node.memo("no", () => oneMinus(yes))];
}

/** Kernels that work element by element. */
export const ELEMENTWISE_RULES: Readonly<Record<string, KernelRule>> = {
  ...Object.fromEntries(Object.entries(FUNCTIONS).map(([kernel, own]) => [kernel, functionRule(own)])),
  Add: pairRule(
    // The addition stretches by itself; writing out a bias for every image costs more than a convolution.
    (a, b) => plus(a.tangent, b.tangent),
    (dy) => dy,
    (dy) => dy,
  ),
  Sub: pairRule(
    (a, b) => minus(a, b).tangent,
    (dy) => dy,
    negated,
  ),
  Multiply: pairRule(
    (a, b) => times(a, b).tangent,
    (dy, _, b) => times(dy, b),
    (dy, a) => times(dy, a),
  ),
  RealDiv: pairRule(
    (a, b) => times(a, inverse(b)).tangent,
    (dy, _, b) => times(dy, inverse(b)),
    (dy, _, b, y) => negated(times(dy, times(y, inverse(b)))),
  ),
  SquaredDifference: pairRule(
    (a, b) => {
      const gap = minus(a, b);
      return times(gap, gap).tangent;
    },
    (dy, a, b) => linear(times(dy, minus(a, b)), (tensor) => tf.mul(tensor, 2)),
    (dy, a, b) => linear(times(dy, minus(a, b)), (tensor) => tf.mul(tensor, -2)),
  ),
  Maximum: chosenRule((a, b) => tf.greaterEqual(a, b)),
  Minimum: chosenRule((a, b) => tf.lessEqual(a, b)),
  Pow: power,
  Prelu: prelu,
  AddN: addAll,
  Select: select,
};
