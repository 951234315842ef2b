import type { OnnxAttribute } from "../../../backend/onnx-model.js";
import type { BinaryKind, OpOf, Padding, UnaryKind, ValueId, Window } from "../plan/graph.js";
import type { ImageOrder, OnnxWriter, WeightLayout } from "./onnx-writer.js";

/** Height, width and channels of a flattened image that is left in ONNX's order, by the flattened value. */
export type FlattenedImages = ReadonlyMap<ValueId, readonly [number, number, number]>;

const unaryTypes: Readonly<Record<Exclude<UnaryKind, "relu6" | "sigmoid" | "isNaN">, string>> = {
  relu: "Relu",
  elu: "Elu",
  selu: "Selu",
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

const binaryTypes: Readonly<Record<BinaryKind, string>> = {
  add: "Add",
  sub: "Sub",
  mul: "Mul",
  div: "Div",
  maximum: "Max",
  minimum: "Min",
  greater: "Greater",
  less: "Less",
  equal: "Equal",
};

/** Truth values and class numbers as float32. */
function asFloat(writer: OnnxWriter, name: string): string {
  return writer.emit("Cast", [name], { to: 1 });
}

function pads({ top, left, bottom, right }: Padding): readonly number[] {
  return [top, left, bottom, right];
}

function windowAttributes(window: Window): Record<string, OnnxAttribute> {
  return { kernel_shape: window.size, strides: window.strides, pads: pads(window.padding) };
}

/** Adds a convolution; its image is channels-first. */
export function emitConvolution(
  writer: OnnxWriter,
  node: OpOf<"conv2d" | "depthwiseConv2d">,
  id: ValueId,
  weightShape: (weight: number) => readonly number[],
): void {
  const isDepthwise = node.op === "depthwiseConv2d";
  const shape = weightShape(node.kernel);
  const layout: WeightLayout = { kind: isDepthwise ? "depthwise" : "convolution" };
  const inputs = [writer.get(node.x, "channelsFirst"), writer.weight(node.kernel, shape, layout)];
  if (node.bias !== null) inputs.push(writer.weight(node.bias, weightShape(node.bias)));
  const name = writer.emit("Conv", inputs, {
    ...windowAttributes(node.window),
    dilations: node.window.dilations,
    group: isDepthwise ? (shape[2] as number) : 1,
  });
  writer.put(id, "channelsFirst", name);
}

/** Adds a dense layer; a flattened image keeps ONNX's order, and the kernel's rows are moved instead. */
export function emitDense(
  writer: OnnxWriter,
  node: OpOf<"dense">,
  id: ValueId,
  weightShape: (weight: number) => readonly number[],
  flattened: FlattenedImages,
): void {
  const image = flattened.get(node.x);
  const layout: WeightLayout = image === undefined ? { kind: "same" } : { kind: "flattened", image };
  const x = writer.get(node.x, "channelsLast");
  const kernel = writer.weight(node.kernel, weightShape(node.kernel), layout);
  const bias = node.bias === null ? null : writer.weight(node.bias, weightShape(node.bias));
  if (writer.shapeOf(node.x).length === 1) {
    writer.put(id, "channelsLast", writer.emit("Gemm", bias === null ? [x, kernel] : [x, kernel, bias]));
    return;
  }
  const product = writer.emit("MatMul", [x, kernel]);
  writer.put(id, "channelsLast", bias === null ? product : writer.emit("Add", [product, bias]));
}

/** Adds scale and shift along the channels. */
export function emitAffine(
  writer: OnnxWriter,
  node: OpOf<"affine">,
  id: ValueId,
  weightShape: (weight: number) => readonly number[],
): void {
  const order = writer.orderOf(node.x);
  const x = writer.get(node.x, order);
  const channels = weightShape(node.scale);
  const [scale, shift] = [writer.weight(node.scale, channels), writer.weight(node.shift, channels)];
  if (order === "channelsFirst") {
    const length = channels[0] as number;
    const zeros = writer.floats(new Array(length).fill(0));
    const ones = writer.floats(new Array(length).fill(1));
    const inputs = [x, scale, shift, zeros, ones];
    writer.put(id, order, writer.emit("BatchNormalization", inputs, { epsilon: { float: 0 } }));
  } else {
    writer.put(id, order, writer.emit("Add", [writer.emit("Mul", [x, scale]), shift]));
  }
}

/** Adds the mean over all axes but that of the channels. */
export function emitBatchMean(writer: OnnxWriter, node: OpOf<"batchMean">, id: ValueId): void {
  const order = writer.orderOf(node.x);
  const name = meanOver(writer, writer.get(node.x, order), order, writer.shapeOf(node.x).length);
  writer.put(id, "channelsLast", name);
}

/** Adds the mean squared difference from a mean. */
export function emitBatchVariance(writer: OnnxWriter, node: OpOf<"batchVariance">, id: ValueId): void {
  const order = writer.orderOf(node.x);
  const mean = alongChannels(writer, writer.get(node.mean, "channelsLast"), order);
  const centered = writer.emit("Sub", [writer.get(node.x, order), mean]);
  const squares = writer.emit("Mul", [centered, centered]);
  writer.put(id, "channelsLast", meanOver(writer, squares, order, writer.shapeOf(node.x).length));
}

/** Adds a batch normalization whose statistics are values. */
export function emitStandardize(
  writer: OnnxWriter,
  node: OpOf<"standardize">,
  id: ValueId,
  weightShape: (weight: number) => readonly number[],
): void {
  const order = writer.orderOf(node.x);
  const x = writer.get(node.x, order);
  const [channels] = writer.shapeOf(node.mean) as [number];
  const [mean, variance] = [writer.get(node.mean, "channelsLast"), writer.get(node.variance, "channelsLast")];
  const or = (weight: number | null, value: number) =>
    weight === null
      ? writer.floats(new Array(channels).fill(value))
      : writer.weight(weight, weightShape(weight));
  const [scale, shift] = [or(node.scale, 1), or(node.shift, 0)];
  if (order === "channelsFirst" || writer.shapeOf(node.x).length === 1) {
    const inputs = [x, scale, shift, mean, variance];
    writer.put(id, order, writer.emit("BatchNormalization", inputs, { epsilon: { float: node.epsilon } }));
    return;
  }
  const deviation = writer.emit("Sqrt", [writer.emit("Add", [variance, writer.floats([node.epsilon], [])])]);
  const centered = writer.emit("Sub", [x, mean]);
  const scaled = writer.emit("Mul", [centered, writer.emit("Div", [scale, deviation])]);
  writer.put(id, order, writer.emit("Add", [scaled, shift]));
}

function meanOver(writer: OnnxWriter, x: string, order: ImageOrder, rank: number): string {
  const axes = order === "channelsFirst" ? [0, 2, 3] : Array.from({ length: rank }, (_, axis) => axis);
  return writer.emit("ReduceMean", [x], { axes, keepdims: 0 });
}

function alongChannels(writer: OnnxWriter, x: string, order: ImageOrder): string {
  return order === "channelsFirst" ? writer.emit("Reshape", [x, writer.integers([1, -1, 1, 1])]) : x;
}

/** Adds a pool; padding does not count in means. */
export function emitPool(writer: OnnxWriter, node: OpOf<"pool">, id: ValueId): void {
  const type = node.kind === "max" ? "MaxPool" : "AveragePool";
  const x = writer.get(node.x, "channelsFirst");
  writer.put(id, "channelsFirst", writer.emit(type, [x], windowAttributes(node.window)));
}

/** Adds a pool over whole images, without their axes. */
export function emitGlobalPool(writer: OnnxWriter, node: OpOf<"globalPool">, id: ValueId): void {
  const type = node.kind === "max" ? "GlobalMaxPool" : "GlobalAveragePool";
  const pooled = writer.emit(type, [writer.get(node.x, "channelsFirst")]);
  writer.put(id, "channelsLast", writer.emit("Flatten", [pooled]));
}

/** Adds zeros around images. */
export function emitPad(writer: OnnxWriter, node: OpOf<"pad">, id: ValueId): void {
  const { top, left, bottom, right } = node.padding;
  const amounts = writer.integers([0, 0, top, left, 0, 0, bottom, right]);
  writer.put(id, "channelsFirst", writer.emit("Pad", [writer.get(node.x, "channelsFirst"), amounts]));
}

/**
 * Returns 1/(1 + exp(−x)). ONNX Runtime's own Sigmoid has an absolute error of 6e-8, and stops falling near −18: a
 * probability of 1e-7, whose logarithm is the loss, comes out 14 % too small or as 0.
 */
function sigmoid(writer: OnnxWriter, x: string): string {
  const power = writer.emit("Exp", [writer.emit("Neg", [x])]);
  return writer.emit("Reciprocal", [writer.emit("Add", [power, writer.floats([1], [])])]);
}

/** Adds an operation element by element, in the order in which its value is there. */
export function emitElementwise(
  writer: OnnxWriter,
  node: OpOf<"unary" | "leakyRelu" | "clip">,
  id: ValueId,
): void {
  const order = writer.orderOf(node.x);
  const x = writer.get(node.x, order);
  const clip = (min: number, max: number) =>
    writer.emit("Clip", [x, writer.floats([min], []), writer.floats([max], [])]);
  const result = (): string => {
    if (node.op === "leakyRelu") return writer.emit("LeakyRelu", [x], { alpha: { float: node.slope } });
    if (node.op === "clip") return clip(node.min, node.max);
    if (node.kind === "relu6") return clip(0, 6);
    if (node.kind === "sigmoid") return sigmoid(writer, x);
    if (node.kind === "isNaN") return asFloat(writer, writer.emit("IsNaN", [x]));
    return writer.emit(unaryTypes[node.kind], [x]);
  };
  writer.put(id, order, result());
}

/** Adds an operation on two values; images (and numbers) are taken channels first if one is. */
export function emitBinary(writer: OnnxWriter, node: OpOf<"binary">, id: ValueId): void {
  const operands = [node.x, node.y];
  const isEitherFirst = operands.some((value) => writer.orderOf(value) === "channelsFirst");
  const canBeFirst = operands.every((value) => writer.isImage(value) || writer.shapeOf(value).length === 0);
  const order: ImageOrder = isEitherFirst && canBeFirst ? "channelsFirst" : "channelsLast";
  const name = writer.emit(
    binaryTypes[node.kind],
    operands.map((value) => writer.get(value, order)),
  );
  const isComparison = node.kind === "greater" || node.kind === "less" || node.kind === "equal";
  writer.put(id, order, isComparison ? asFloat(writer, name) : name);
}

/** Adds a sum of an input's parts: a row of factors times a matrix with a part in each row. */
export function emitCombination(writer: OnnxWriter, node: OpOf<"combine">, id: ValueId): void {
  const [parts] = writer.shapeOf(node.factors) as [number];
  const matrix = [writer.get(node.x, "channelsLast"), writer.integers([parts, -1])];
  const product = [writer.get(node.factors, "channelsLast"), writer.emit("Reshape", matrix)];
  const lengths = writer.integers([-1, ...writer.shapeOf(id)]);
  writer.put(id, "channelsLast", writer.emit("Reshape", [writer.emit("MatMul", product), lengths]));
}

/** Adds a reduction along the last axis. */
export function emitReduce(writer: OnnxWriter, node: OpOf<"reduce">, id: ValueId): void {
  const x = writer.get(node.x, "channelsLast");
  const result = (): string => {
    switch (node.kind) {
      case "sum":
        return writer.emit("ReduceSum", [x, writer.integers([-1])]);
      case "mean":
        return writer.emit("ReduceMean", [x], { axes: [-1] });
      case "max":
        return writer.emit("ReduceMax", [x], { axes: [-1] });
      case "argMax":
        return asFloat(writer, writer.emit("ArgMax", [x], { axis: -1 }));
    }
  };
  writer.put(id, "channelsLast", result());
}

/** Adds rows of 0 and 1. */
export function emitOneHot(writer: OnnxWriter, node: OpOf<"oneHot">, id: ValueId): void {
  const labels = writer.emit("Cast", [writer.get(node.x, "channelsLast")], { to: 7 });
  const inputs = [labels, writer.integers([node.classes]), writer.floats([0, 1])];
  writer.put(id, "channelsLast", writer.emit("OneHot", inputs));
}

/** Joins values along an axis; images channels first if all are there so. */
export function emitConcat(writer: OnnxWriter, node: OpOf<"concat">, id: ValueId): void {
  const isFirst = node.xs.every((value) => writer.orderOf(value) === "channelsFirst");
  const order: ImageOrder = isFirst ? "channelsFirst" : "channelsLast";
  const axis = isFirst ? [2, 3, 1][node.axis] : node.axis + 1;
  const names = node.xs.map((value) => writer.get(value, order));
  writer.put(id, order, writer.emit("Concat", names, { axis: axis as number }));
}
