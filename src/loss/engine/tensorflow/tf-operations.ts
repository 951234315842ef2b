import { type BinaryKind, type OpOf, type Padding, requireSupported, type UnaryKind } from "../plan/graph.js";
import { TF_BOOL, TF_FLOAT, TF_INT32, TF_INT64, type TfAttribute, type TfWriter } from "./tf-writer.js";

const FLOAT: TfAttribute = { type: TF_FLOAT };

const unaryOps: Readonly<Record<Exclude<UnaryKind, "isNaN">, string>> = {
  relu: "Relu",
  relu6: "Relu6",
  elu: "Elu",
  selu: "Selu",
  sigmoid: "Sigmoid",
  tanh: "Tanh",
  softplus: "Softplus",
  softsign: "Softsign",
  erf: "Erf",
  exp: "Exp",
  log: "Log",
  abs: "Abs",
  neg: "Neg",
  sqrt: "Sqrt",
};

const binaryOps: Readonly<Record<BinaryKind, string>> = {
  add: "AddV2",
  sub: "Sub",
  mul: "Mul",
  div: "RealDiv",
  maximum: "Maximum",
  minimum: "Minimum",
  greater: "Greater",
  less: "Less",
  equal: "Equal",
};

function asFloat(writer: TfWriter, name: string, from: number): string {
  return writer.emit("Cast", [name], { SrcT: { type: from }, DstT: FLOAT, Truncate: { bool: false } });
}

/** Lists of four for batch, height, width and channels. */
const around = ([height, width]: readonly [number, number]): TfAttribute => ({ ints: [1, height, width, 1] });

function paddingText({ kind }: Padding): TfAttribute {
  return { text: kind.toUpperCase() };
}

/** Puts zeros around images where the operation itself only knows "same" and "valid". */
function padded(writer: TfWriter, x: string, { top, bottom, left, right }: Padding): string {
  const amounts = writer.integers([0, 0, top, bottom, left, right, 0, 0]);
  const shape = writer.integers([4, 2]);
  const table = writer.emit("Reshape", [amounts, shape], {
    T: { type: TF_INT32 },
    Tshape: { type: TF_INT32 },
  });
  return writer.emit("Pad", [x, table], { T: FLOAT, Tpaddings: { type: TF_INT32 } });
}

function withBias(writer: TfWriter, x: string, bias: number | null): string {
  if (bias === null) return x;
  return writer.emit("BiasAdd", [x, writer.weight(bias)], { T: FLOAT, data_format: { text: "NHWC" } });
}

/** Returns a convolution; TensorFlow fuses it with its bias and activation. */
export function emitConvolution(writer: TfWriter, node: OpOf<"conv2d" | "depthwiseConv2d">): string {
  const { window } = node;
  const isDepthwise = node.op === "depthwiseConv2d";
  const [down, across] = window.strides;
  requireSupported(
    !isDepthwise || down === across,
    "TensorFlow has no depthwise convolution of unequal strides",
  );
  const isExplicit = window.padding.kind === "explicit";
  const x = isExplicit ? padded(writer, writer.get(node.x), window.padding) : writer.get(node.x);
  const attributes = {
    T: FLOAT,
    strides: around(window.strides),
    dilations: around(window.dilations),
    padding: isExplicit ? { text: "VALID" } : paddingText(window.padding),
    data_format: { text: "NHWC" },
    explicit_paddings: { ints: [] },
  };
  const op = isDepthwise ? "DepthwiseConv2dNative" : "Conv2D";
  const name = writer.emit(
    op,
    [x, writer.weight(node.kernel)],
    isDepthwise ? attributes : { ...attributes, use_cudnn_on_gpu: { bool: true } },
  );
  return withBias(writer, name, node.bias);
}

/** Returns a dense layer; values of more axes are taken as a longer list of rows. */
export function emitDense(writer: TfWriter, node: OpOf<"dense">, shape: readonly number[]): string {
  const own = writer.shapeOf(node.x);
  const isMatrix = own.length === 1;
  const x = writer.get(node.x);
  const rows = isMatrix ? x : reshaped(writer, x, [own.at(-1) as number]);
  const attributes = { T: FLOAT, transpose_a: { bool: false }, transpose_b: { bool: false } };
  const product = writer.emit("MatMul", [rows, writer.weight(node.kernel)], attributes);
  const result = withBias(writer, product, node.bias);
  return isMatrix ? result : reshaped(writer, result, shape);
}

/** Returns a value in another shape, given without the batch axis. */
export function reshaped(writer: TfWriter, x: string, shape: readonly number[]): string {
  const attributes = { T: FLOAT, Tshape: { type: TF_INT32 } };
  return writer.emit("Reshape", [x, writer.integers([-1, ...shape])], attributes);
}

/** Returns a sum of an input's parts: a row of factors times a matrix with a part in each row. */
export function emitCombination(writer: TfWriter, node: OpOf<"combine">, shape: readonly number[]): string {
  const [parts] = writer.shapeOf(node.factors) as [number];
  const lengths = writer.integers([parts, -1]);
  const matrix = writer.emit("Reshape", [writer.get(node.x), lengths], {
    T: FLOAT,
    Tshape: { type: TF_INT32 },
  });
  const attributes = { T: FLOAT, transpose_a: { bool: false }, transpose_b: { bool: false } };
  return reshaped(writer, writer.emit("MatMul", [writer.get(node.factors), matrix], attributes), shape);
}

/** Returns scale and shift along the channels. */
export function emitAffine(writer: TfWriter, node: OpOf<"affine">): string {
  const scaled = writer.emit("Mul", [writer.get(node.x), writer.weight(node.scale)]);
  return writer.emit("AddV2", [scaled, writer.weight(node.shift)]);
}

/** Returns the mean over all axes but the last. */
export function emitBatchMean(writer: TfWriter, x: string, rank: number): string {
  const axes = Array.from({ length: rank }, (_, axis) => axis);
  return reduced(writer, "Mean", x, axes, false);
}

/** Returns the mean squared difference from a mean. */
export function emitBatchVariance(writer: TfWriter, node: OpOf<"batchVariance">): string {
  const squares = writer.emit("SquaredDifference", [writer.get(node.x), writer.get(node.mean)]);
  return emitBatchMean(writer, squares, writer.shapeOf(node.x).length);
}

/** Returns a batch normalization whose statistics are values. */
export function emitStandardize(writer: TfWriter, node: OpOf<"standardize">): string {
  const centered = writer.emit("Sub", [writer.get(node.x), writer.get(node.mean)]);
  const shifted = writer.emit("AddV2", [writer.get(node.variance), writer.float(node.epsilon)]);
  const inverse = writer.emit("Rsqrt", [shifted]);
  const factor = node.scale === null ? inverse : writer.emit("Mul", [inverse, writer.weight(node.scale)]);
  const scaled = writer.emit("Mul", [centered, factor]);
  return node.shift === null ? scaled : writer.emit("AddV2", [scaled, writer.weight(node.shift)]);
}

/** Returns a pool; padding does not count in means. */
export function emitPool(writer: TfWriter, node: OpOf<"pool">): string {
  const { window, kind } = node;
  const attributes = {
    T: FLOAT,
    ksize: around(window.size),
    strides: around(window.strides),
    padding: paddingText(window.padding),
    data_format: { text: "NHWC" },
  };
  const own = kind === "max" ? { ...attributes, explicit_paddings: { ints: [] } } : attributes;
  return writer.emit(kind === "max" ? "MaxPool" : "AvgPool", [writer.get(node.x)], own);
}

/** Returns a reduction along axes (the batch axis is 0). */
export function reduced(
  writer: TfWriter,
  op: "Sum" | "Mean" | "Max",
  x: string,
  axes: readonly number[],
  keepsAxes: boolean,
): string {
  const attributes = { T: FLOAT, Tidx: { type: TF_INT32 }, keep_dims: { bool: keepsAxes } };
  return writer.emit(op, [x, writer.integers(axes)], attributes);
}

/** Returns a reduction along the last axis. */
export function emitReduce(writer: TfWriter, node: OpOf<"reduce">): string {
  const x = writer.get(node.x);
  const last = writer.shapeOf(node.x).length;
  if (node.kind !== "argMax") {
    const op = node.kind === "sum" ? "Sum" : node.kind === "mean" ? "Mean" : "Max";
    return reduced(writer, op, x, [last], true);
  }
  const index = writer.emit("ArgMax", [x, writer.integer(last)], {
    T: FLOAT,
    Tidx: { type: TF_INT32 },
    output_type: { type: TF_INT64 },
  });
  return reshaped(writer, asFloat(writer, index, TF_INT64), [...writer.shapeOf(node.x).slice(0, -1), 1]);
}

/** Returns an operation element by element. */
export function emitElementwise(writer: TfWriter, node: OpOf<"unary" | "leakyRelu" | "clip">): string {
  const x = writer.get(node.x);
  if (node.op === "leakyRelu") {
    return writer.emit("LeakyRelu", [x], { T: FLOAT, alpha: { float: node.slope } });
  }
  if (node.op === "clip") {
    const below = writer.emit("Minimum", [x, writer.float(node.max)]);
    return writer.emit("Maximum", [below, writer.float(node.min)]);
  }
  if (node.kind === "isNaN") return asFloat(writer, writer.emit("IsNan", [x]), TF_BOOL);
  return writer.emit(unaryOps[node.kind], [x]);
}

/** Returns an operation on two values. */
export function emitBinary(writer: TfWriter, node: OpOf<"binary">): string {
  const name = writer.emit(binaryOps[node.kind], [writer.get(node.x), writer.get(node.y)]);
  const isComparison = node.kind === "greater" || node.kind === "less" || node.kind === "equal";
  return isComparison ? asFloat(writer, name, TF_BOOL) : name;
}

/** Returns rows of 0 and 1. */
export function emitOneHot(writer: TfWriter, node: OpOf<"oneHot">): string {
  const labels = writer.emit("Cast", [writer.get(node.x)], {
    SrcT: FLOAT,
    DstT: { type: TF_INT32 },
    Truncate: { bool: false },
  });
  const inputs = [labels, writer.integer(node.classes), writer.float(1), writer.float(0)];
  return writer.emit("OneHot", inputs, { T: FLOAT, TI: { type: TF_INT32 }, axis: { int: -1 } });
}

/** Returns values joined along an axis (the batch axis is 0). */
export function joined(writer: TfWriter, names: readonly string[], axis: number): string {
  if (names.length === 1) return names[0] as string;
  const attributes = { T: FLOAT, N: { int: names.length }, Tidx: { type: TF_INT32 } };
  return writer.emit("ConcatV2", [...names, writer.integer(axis)], attributes);
}

/** Returns zeros around images. */
export function emitPad(writer: TfWriter, node: OpOf<"pad">): string {
  return padded(writer, writer.get(node.x), node.padding);
}

/** Returns a value with its axes in another order, given without the batch axis. */
export function emitPermute(writer: TfWriter, node: OpOf<"permute">): string {
  const axes = writer.integers([0, ...node.axes.map((axis) => axis + 1)]);
  return writer.emit("Transpose", [writer.get(node.x), axes], { T: FLOAT, Tperm: { type: TF_INT32 } });
}
