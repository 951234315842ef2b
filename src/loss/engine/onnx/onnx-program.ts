import { encodeOnnxModel } from "../../../backend/onnx-model.js";
import { type Graph, type GraphNode, inputsOf, sizeOf, type ValueId } from "../plan/graph.js";
import {
  emitAffine,
  emitBatchMean,
  emitBatchVariance,
  emitBinary,
  emitCombination,
  emitConcat,
  emitConvolution,
  emitDense,
  emitElementwise,
  emitGlobalPool,
  emitOneHot,
  emitPad,
  emitPool,
  emitReduce,
  emitStandardize,
  type FlattenedImages,
} from "./onnx-operations.js";
import { createOnnxWriter, type ImageOrder, type OnnxWriter, type WeightSlot } from "./onnx-writer.js";

/** A graph as an ONNX model that still lacks its weights. */
export interface OnnxProgram {
  /** The model's binary form without the weights. */
  readonly model: Uint8Array;
  readonly slots: readonly WeightSlot[];
  /** Whether the weights are inputs, to be fed at each run, or initializers, to be put behind the model. */
  readonly feedsWeights: boolean;
  /** Whether it has this form because of its few samples. */
  readonly isForFew: boolean;
  /** Inputs that are images have their channels first. */
  readonly inputs: readonly { readonly name: string; readonly order: ImageOrder }[];
}

/** Name of the output. */
export const ONNX_OUTPUT = "totals";

/**
 * Multiplications of convolutions at a point from which a session for it pays off. Constant weights make them twice as
 * fast, and a session takes 5 ms, as long as is gained by some 370 samples of a LeNet (0.54 million each).
 */
const FEWEST_PRODUCTS = 2e8;

/** How a graph is written. */
export interface OnnxProgramOptions {
  /** Weights are inputs whatever the graph. Default false. */
  readonly feedsWeights?: boolean | undefined;
  /** Samples of a point: few ones do not pay for a session. Default many. */
  readonly samples?: number | undefined;
}

/** Writes a graph as an ONNX model. */
export function onnxProgram(
  graph: Graph,
  { feedsWeights: isAsked, samples = Number.POSITIVE_INFINITY }: OnnxProgramOptions = {},
): OnnxProgram {
  const writer = createOnnxWriter(graph.nodes);
  const inputs: { name: string; order: ImageOrder }[] = [];
  const flattened = flattenedImages(graph);
  const weightShape = (weight: number) => graph.weights[weight]?.shape ?? [];
  graph.nodes.forEach((node, id) => {
    if (node.op === "input") inputs.push(declareInput(writer, node, id));
    else emitNode(writer, node, id, weightShape, flattened);
  });
  const [output] = graph.outputs;
  const name = writer.get(output as ValueId, "channelsLast");
  const nodes = [...writer.nodes, { type: "Identity", inputs: [name], output: ONNX_OUTPUT, attributes: {} }];
  const node = graph.nodes[output as ValueId] as GraphNode;
  const dims: (number | "N")[] = node.op === "pack" ? [...node.shape] : ["N", ...node.shape];
  const outputs = [{ name: ONNX_OUTPUT, dims }];
  const { slots, constants } = writer;
  // A session for each point costs more than it gains where whole sets go through at once.
  const isCalibration = graph.nodes.some(({ op }) => op === "batchMean");
  const products = convolutionProducts(graph);
  const feedsAnyway = isAsked === true || isCalibration || products === 0;
  const isForFew = !feedsAnyway && products * samples < FEWEST_PRODUCTS;
  const feedsWeights = feedsAnyway || isForFew;
  const ports = feedsWeights ? [...writer.inputs, ...slots] : writer.inputs;
  const model = encodeOnnxModel({ nodes, inputs: ports, outputs, initializers: constants });
  return { model, slots, feedsWeights, isForFew, inputs };
}

/** Multiplications of a sample in convolutions. */
function convolutionProducts({ nodes, weights }: Graph): number {
  return nodes.reduce((sum, node) => {
    if (node.op !== "conv2d" && node.op !== "depthwiseConv2d") return sum;
    const [height, width, inputs] = (weights[node.kernel] as Graph["weights"][0]).shape as readonly number[];
    const window = (height as number) * (width as number) * (node.op === "conv2d" ? (inputs as number) : 1);
    return sum + sizeOf(node.shape) * window;
  }, 0);
}

function declareInput(writer: OnnxWriter, { name, shape }: GraphNode & { op: "input" }, id: ValueId) {
  const isImage = shape.length === 3;
  const order: ImageOrder = isImage ? "channelsFirst" : "channelsLast";
  const dims = isImage ? [shape[2] as number, shape[0] as number, shape[1] as number] : shape;
  writer.inputs.push({ name, dims: ["N", ...dims] });
  writer.put(id, order, name);
  return { name, order };
}

function emitNode(
  writer: OnnxWriter,
  node: Exclude<GraphNode, { op: "input" }>,
  id: ValueId,
  weightShape: (weight: number) => readonly number[],
  flattened: FlattenedImages,
): void {
  switch (node.op) {
    case "variable":
      writer.inputs.push({ name: node.name, dims: [1, ...node.shape] });
      writer.put(id, "channelsLast", node.name);
      return;
    case "constant":
      writer.put(id, "channelsLast", writer.floats([node.value], []));
      return;
    case "weight":
      writer.put(id, "channelsLast", writer.weight(node.weight, weightShape(node.weight)));
      return;
    case "conv2d":
    case "depthwiseConv2d":
      emitConvolution(writer, node, id, weightShape);
      return;
    case "dense":
      emitDense(writer, node, id, weightShape, flattened);
      return;
    case "affine":
      emitAffine(writer, node, id, weightShape);
      return;
    case "batchMean":
      emitBatchMean(writer, node, id);
      return;
    case "batchVariance":
      emitBatchVariance(writer, node, id);
      return;
    case "standardize":
      emitStandardize(writer, node, id, weightShape);
      return;
    case "pool":
      emitPool(writer, node, id);
      return;
    case "globalPool":
      emitGlobalPool(writer, node, id);
      return;
    case "pad":
      emitPad(writer, node, id);
      return;
    case "unary":
    case "leakyRelu":
    case "clip":
      emitElementwise(writer, node, id);
      return;
    case "binary":
      emitBinary(writer, node, id);
      return;
    case "combine":
      emitCombination(writer, node, id);
      return;
    case "reduce":
      emitReduce(writer, node, id);
      return;
    case "oneHot":
      emitOneHot(writer, node, id);
      return;
    case "concat":
      emitConcat(writer, node, id);
      return;
    case "softmax":
    case "logSoftmax": {
      const type = node.op === "softmax" ? "Softmax" : "LogSoftmax";
      const x = writer.get(node.x, "channelsLast");
      writer.put(id, "channelsLast", writer.emit(type, [x], { axis: -1 }));
      return;
    }
    case "reshape": {
      const order = flattened.has(id) ? "channelsFirst" : "channelsLast";
      const lengths = writer.integers([-1, ...node.shape]);
      putLast(writer, id, writer.emit("Reshape", [writer.get(node.x, order), lengths]));
      return;
    }
    case "permute": {
      const perm = [0, ...node.axes.map((axis) => axis + 1)];
      putLast(writer, id, writer.emit("Transpose", [writer.get(node.x, "channelsLast")], { perm }));
      return;
    }
    case "total": {
      const sum = writer.emit("ReduceSum", [writer.get(node.x, writer.orderOf(node.x))], { keepdims: 0 });
      putLast(writer, id, writer.emit("Reshape", [sum, writer.integers([1])]));
      return;
    }
    case "pack": {
      const totals = node.xs.map((value) => writer.get(value, "channelsLast"));
      putLast(writer, id, writer.emit("Concat", totals, { axis: 0 }));
      return;
    }
  }
}

function putLast(writer: OnnxWriter, id: ValueId, name: string): void {
  writer.put(id, "channelsLast", name);
}

/**
 * Finds flattened images that only dense layers use: they may stay channels-first, if the rows of the dense
 * kernels are moved, which is cheaper than moving every image.
 */
function flattenedImages({ nodes }: Graph): FlattenedImages {
  const found = new Map<ValueId, readonly [number, number, number]>();
  nodes.forEach((node, id) => {
    if (node.op !== "reshape" || node.shape.length !== 1) return;
    const { shape } = nodes[node.x] as GraphNode;
    if (shape.length !== 3) return;
    const users = nodes.filter((other) => inputsOf(other).includes(id));
    if (users.every(({ op }) => op === "dense")) found.set(id, shape as readonly [number, number, number]);
  });
  return found;
}
