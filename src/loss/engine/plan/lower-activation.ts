import {
  type GraphBuilder,
  type LayerActivation,
  type LowerLayer,
  number,
  type UnaryKind,
  UnsupportedError,
  type ValueId,
} from "./graph.js";

type Activation = (builder: GraphBuilder, x: ValueId) => ValueId;

const unary =
  (kind: UnaryKind): Activation =>
  (builder, x) =>
    builder.unary(kind, x);

const alongLastAxis =
  (op: "softmax" | "logSoftmax"): Activation =>
  (builder, x) =>
    builder.add({ op, x }, builder.shapeOf(x));

/** TF.js's activations by name, each the same formula. */
const activations: Readonly<Record<string, Activation>> = {
  linear: (_, x) => x,
  relu: unary("relu"),
  relu6: unary("relu6"),
  elu: unary("elu"),
  selu: unary("selu"),
  sigmoid: unary("sigmoid"),
  tanh: unary("tanh"),
  softplus: unary("softplus"),
  softsign: unary("softsign"),
  softmax: alongLastAxis("softmax"),
  logSoftmax: alongLastAxis("logSoftmax"),
  hardSigmoid: (b, x) => b.clip(b.binary("add", b.binary("mul", x, number(0.2)), number(0.5)), 0, 1),
  swish: (b, x) => b.binary("mul", x, b.unary("sigmoid", x)),
  // Negated twice, which changes no bit: where TensorFlow uses oneDNN it would put x·tanh(softplus(x)) into one operation,
  // which is 0 below −17.
  mish: (b, x) => {
    const negated = b.unary("tanh", b.unary("neg", b.unary("softplus", x)));
    return b.binary("mul", b.unary("neg", x), negated);
  },
  gelu: (b, x) => {
    const cdf = b.binary("add", b.unary("erf", b.binary("mul", x, number(Math.SQRT1_2))), number(1));
    return b.binary("mul", b.binary("mul", x, number(0.5)), cdf);
  },
  gelu_new: (b, x) => {
    const cube = b.binary("mul", b.binary("mul", x, x), x);
    const inner = b.binary("add", x, b.binary("mul", cube, number(0.044715)));
    const tanh = b.unary("tanh", b.binary("mul", inner, number(Math.sqrt(2 / Math.PI))));
    return b.binary("mul", b.binary("mul", x, number(0.5)), b.binary("add", tanh, number(1)));
  },
};

/** Applies an activation of a layer to a value. */
export function lowerActivation(
  builder: GraphBuilder,
  x: ValueId,
  activation: LayerActivation | null | undefined,
): ValueId {
  if (activation === null || activation === undefined) return x;
  const name = activation.getClassName();
  if (!Object.hasOwn(activations, name)) throw new UnsupportedError(`activation "${name}" is not known`);
  return (activations[name] as Activation)(builder, x);
}

/** The layers that are activations. */
export const activationLayers: Readonly<Record<string, LowerLayer>> = {
  Activation: ({ builder }, { layer, x }) => lowerActivation(builder, x, layer.activation),
  ReLU: ({ builder }, { layer, x }) => {
    const rectified = builder.unary("relu", x);
    if (layer.maxValue === null || layer.maxValue === undefined) return rectified;
    return builder.clip(rectified, 0, layer.maxValue);
  },
  LeakyReLU: ({ builder }, { layer, x }) =>
    builder.add({ op: "leakyRelu", x, slope: layer.alpha as number }, builder.shapeOf(x)),
  // TF.js's ELU layer leaves its alpha out.
  ELU: ({ builder }, { x }) => builder.unary("elu", x),
  ThresholdedReLU: ({ builder }, { layer, x }) =>
    builder.binary("mul", x, builder.binary("greater", x, number(layer.theta as number))),
  Softmax: ({ builder }, { layer, x }) => {
    const axis = (Array.isArray(layer.axis) ? layer.axis[0] : layer.axis) as number | undefined;
    const rank = builder.shapeOf(x).length + 1;
    if ((axis ?? -1) !== -1 && axis !== rank - 1) throw new UnsupportedError(`softmax over axis ${axis}`);
    return builder.add({ op: "softmax", x }, builder.shapeOf(x));
  },
  PReLU: ({ builder, weight }, { layer, x }) => {
    const variable = layer.alpha as Exclude<typeof layer.alpha, number | null | undefined>;
    const shape = variable.shape.map((length) => length ?? 1);
    const slope = builder.add({ op: "weight", weight: weight(variable) }, shape);
    const below = builder.binary("mul", slope, builder.binary("minimum", x, number(0)));
    return builder.binary("add", builder.unary("relu", x), below);
  },
};
