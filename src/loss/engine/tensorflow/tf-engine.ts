import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { activeFacts, activeNativePackage } from "../../../backend/current-backend.js";
import { tensorFlowThreads } from "../../../backend/native-package.js";
import { BackendError } from "../../../base/errors.js";
import { defined } from "../../../base/json.js";
import { findPackageFolder } from "../../../base/package-files.js";
import { cutTensors, type GraphEngine, type GraphProgram } from "../graph-program.js";
import type { Graph, GraphNode, GraphWeight, ValueId, WeightId } from "../plan/graph.js";
import {
  emitAffine,
  emitBatchMean,
  emitBatchVariance,
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
  emitStandardize,
  joined,
  reduced,
  reshaped,
} from "./tf-operations.js";
import { createTfWriter, encodeSavedModel, type TfWriter } from "./tf-writer.js";

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
    case "batchMean":
      return emitBatchMean(writer, writer.get(node.x), writer.shapeOf(node.x).length);
    case "batchVariance":
      return emitBatchVariance(writer, node);
    case "standardize":
      return emitStandardize(writer, node);
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

/** A loaded SavedModel of tfjs-node. */
interface SavedModel {
  predict(inputs: Readonly<Record<string, tf.Tensor>>): Readonly<Record<string, tf.Tensor>>;
  dispose(): void;
}

/** The part of tfjs-node that is not in TF.js itself. */
interface NodeApi {
  loadSavedModel(path: string): Promise<SavedModel>;
}

/** Whether the native backend is the active one. */
export function isTensorFlowActive(): boolean {
  return tf.getBackend() === "tensorflow";
}

/** Whether the native backend is the active one and computes on a graphics card. */
export function isTensorFlowOnGpu(): boolean {
  if (!isTensorFlowActive()) return false;
  return (tf.backend() as unknown as { readonly isUsingGpuDevice: boolean }).isUsingGpuDevice;
}

/**
 * Creates the engine that runs graphs in the TensorFlow library under the native backend, which fuses
 * convolutions, biases and activations.
 *
 * @param device - "cuda" where that was asked for: the engine is named by it then.
 * @throws {@link BackendError} if another backend is active.
 */
export function createTfEngine(device?: string): GraphEngine {
  if (!isTensorFlowActive()) {
    throw new BackendError('engine "tensorflow"', "the native backend", `the backend "${tf.getBackend()}"`, {
      hint: "install @tensorflow/tfjs-node, or use another engine",
    });
  }
  const { library, version } = activeFacts();
  return {
    name: "tensorflow",
    backend: library ?? `${activeNativePackage()} ${version}`,
    threads: tensorFlowThreads(),
    ...defined({ device }),
    compile: createProgram,
  };
}

function nodeApi(): NodeApi {
  const folder = findPackageFolder(activeNativePackage()) as string;
  const require = createRequire(join(folder, "package.json"));
  return (require(folder) as { readonly node: NodeApi }).node;
}

/** Has TensorFlow load a SavedModel, which it does from a folder only. */
async function loadModel(model: Uint8Array): Promise<SavedModel> {
  const folder = await mkdtemp(join(tmpdir(), "tfjs-landscape-graph-"));
  try {
    await writeFile(join(folder, "saved_model.pb"), model);
    return await nodeApi().loadSavedModel(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function createProgram(graph: Graph): Promise<GraphProgram> {
  const program = tfProgram(graph);
  const model = await loadModel(program.model);
  let weights: Record<string, tf.Tensor> = {};
  const run = (inputs: Readonly<Record<string, tf.Tensor>>): Float32Array => {
    const outputs = model.predict({ ...inputs, ...weights });
    const tensors = Object.values(outputs);
    try {
      return (tensors[0] as tf.Tensor).dataSync() as Float32Array;
    } finally {
      tf.dispose(tensors);
    }
  };
  return {
    cut: (data, batchSize) => cutTensors(program, data, batchSize, run),
    async setWeights(values) {
      tf.dispose(weights);
      weights = Object.fromEntries(
        program.slots.map(({ name, weight }) => {
          const { shape } = graph.weights[weight] as GraphWeight;
          return [name, tf.tensor(values[weight] as Float32Array, [...shape], "float32")];
        }),
      );
    },
    dispose() {
      tf.dispose(weights);
      weights = {};
      model.dispose();
    },
  };
}
