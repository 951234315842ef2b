import * as tf from "@tensorflow/tfjs";
import { currentBackend } from "../../../backend/current-backend.js";
import { tensorFlowThreads } from "../../../backend/native-package.js";
import type { GraphEngine, GraphProgram } from "../graph-program.js";
import { cutTensors } from "../graph-program.js";
import type { Graph, GraphWeight } from "../plan/graph.js";
import { type FusedStep, fuseActivations, runNode } from "./fused-operations.js";

/**
 * Creates the engine that runs graphs with TF.js's own operations, convolutions and products fused with bias and
 * ReLU, on whatever backend is active: for machines that have neither the native backend nor ONNX Runtime.
 */
export function createFusedEngine(): GraphEngine {
  const backend = currentBackend().name;
  return {
    name: "tfjs-fused",
    backend,
    threads: backend === "native" ? tensorFlowThreads() : 0,
    compile: async (graph) => createProgram(graph),
  };
}

function createProgram(graph: Graph): GraphProgram {
  const steps = fuseActivations(graph);
  const columns = graph.nodes.flatMap((node) => (node.op === "input" ? [node.name] : []));
  const variables = graph.nodes.flatMap((node) => (node.op === "variable" ? [node.name] : []));
  let weights: tf.Tensor[] = [];
  const run = (inputs: Readonly<Record<string, tf.Tensor>>): Float32Array => {
    const output = tf.tidy(() => runSteps(steps, graph, inputs, weights));
    try {
      return output.dataSync() as Float32Array;
    } finally {
      output.dispose();
    }
  };
  return {
    cut: (data, batchSize) => cutTensors({ columns, variables }, data, batchSize, run),
    async setWeights(values) {
      tf.dispose(weights);
      weights = graph.weights.map(({ shape }: GraphWeight, i) =>
        tf.tensor(values[i] as Float32Array, [...shape], "float32"),
      );
    },
    dispose() {
      tf.dispose(weights);
      weights = [];
    },
  };
}

/** Runs the steps; each value is let go of behind its last use, so that memory stays warm and small. */
function runSteps(
  steps: readonly FusedStep[],
  graph: Graph,
  inputs: Readonly<Record<string, tf.Tensor>>,
  weights: readonly tf.Tensor[],
): tf.Tensor {
  const values: tf.Tensor[] = [];
  const isLent = (id: number): boolean => {
    const { op } = graph.nodes[id] as Graph["nodes"][0];
    return op === "input" || op === "variable" || op === "weight";
  };
  for (const { node, value, lastUses } of steps) {
    values[value] = tf.tidy(() => runNode(node, { inputs, weights, values }));
    for (const id of lastUses) if (!isLent(id)) values[id]?.dispose();
  }
  return values[graph.outputs[0] as number] as tf.Tensor;
}
