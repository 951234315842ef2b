import type { Graph, GraphNode, ValueId, WeightId } from "../plan/graph.js";
import { encodeSavedModel } from "./saved-model-messages.js";
import {
  emitAffine,
  emitBinary,
  emitCombination,
  emitConvolution,
  emitDense,
  emitElementwise,
  emitOneHot,
  emitPad,
  emitPermute,
  emitPool,
  emitReduce,
  joined,
  reduced,
  reshaped,
} from "./tf-operations.js";
import { createTfWriter, type TfWriter } from "./tf-writer.js";

/** A graph as a SavedModel. */
export interface TfProgram {
  /** Contents of saved_model.pb. */
  readonly model: Uint8Array;
  /** The weights, which are inputs. */
  readonly slots: readonly { readonly name: string; readonly weight: WeightId }[];
  /** Names of the inputs that change from batch to batch. */
  readonly columns: readonly string[];
  /** Names of the inputs that change from point to point. */
  readonly variables: readonly string[];
}

/** Name of the output. */
export const TF_OUTPUT = "totals";

/**
 * Writes a graph as a SavedModel.
 *
 * @throws UnsupportedError if TensorFlow lacks an operation.
 */
export function tfProgram(graph: Graph): TfProgram {
  const writer = createTfWriter(graph.nodes, graph.weights);
  const columns: string[] = [];
  const variables: string[] = [];
  graph.nodes.forEach((node, id) => {
    if (node.op === "input") columns.push(node.name);
    if (node.op === "variable") variables.push(node.name);
    writer.put(id, emitNode(writer, node));
  });
  const [output] = graph.outputs as [ValueId];
  const type = { type: 1 };
  const nodes = [
    ...writer.nodes,
    { name: TF_OUTPUT, op: "Identity", inputs: [writer.get(output)], attributes: { T: type } },
  ];
  const shape = writer.shapeOf(output);
  const isPacked = graph.nodes[output]?.op === "pack";
  const outputs = [{ name: TF_OUTPUT, shape: isPacked ? shape : [-1, ...shape] }];
  return { model: encodeSavedModel(nodes, writer.inputs, outputs), slots: writer.slots, columns, variables };
}

function emitNode(writer: TfWriter, node: GraphNode): string {
  switch (node.op) {
    case "input":
      return writer.placeholder(node.name, [-1, ...node.shape]);
    case "variable":
      return writer.placeholder(node.name, [1, ...node.shape]);
    case "constant":
      return writer.float(node.value);
    case "weight":
      return writer.weight(node.weight);
    case "conv2d":
    case "depthwiseConv2d":
      return emitConvolution(writer, node);
    case "dense":
      return emitDense(writer, node, node.shape);
    case "affine":
      return emitAffine(writer, node);
    case "pool":
      return emitPool(writer, node);
    case "globalPool":
      return reduced(writer, node.kind === "max" ? "Max" : "Mean", writer.get(node.x), [1, 2], false);
    case "pad":
      return emitPad(writer, node);
    case "unary":
    case "leakyRelu":
    case "clip":
      return emitElementwise(writer, node);
    case "binary":
      return emitBinary(writer, node);
    case "softmax":
    case "logSoftmax":
      return writer.emit(node.op === "softmax" ? "Softmax" : "LogSoftmax", [writer.get(node.x)]);
    case "combine":
      return emitCombination(writer, node, node.shape);
    case "reduce":
      return emitReduce(writer, node);
    case "oneHot":
      return emitOneHot(writer, node);
    case "concat":
      return joined(writer, node.xs.map(writer.get), node.axis + 1);
    case "reshape":
      return reshaped(writer, writer.get(node.x), node.shape);
    case "permute":
      return emitPermute(writer, node);
    case "total": {
      const rank = writer.shapeOf(node.x).length + 1;
      const axes = Array.from({ length: rank }, (_, axis) => axis);
      const sum = reduced(writer, "Sum", writer.get(node.x), axes, false);
      return reshaped(writer, sum, []);
    }
    case "pack":
      return joined(writer, node.xs.map(writer.get), 0);
  }
}
