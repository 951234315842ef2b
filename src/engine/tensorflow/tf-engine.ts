import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { activeFacts, activeNativePackage } from "../../backend/current-backend.js";
import { findPackageFolder } from "../../backend/native-package.js";
import { tensorFlowThreads } from "../../backend/tensorflow-threads.js";
import { BackendError } from "../../errors.js";
import type { GraphEngine, GraphProgram } from "../graph-program.js";
import type { Graph, GraphWeight } from "../plan/graph.js";
import { cutTensors } from "../tensor-batches.js";
import { tfProgram } from "./tf-program.js";

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

/**
 * Creates the engine that runs graphs in the TensorFlow library under the native backend, which fuses
 * convolutions, biases and activations.
 *
 * @throws {@link BackendError} if another backend is active.
 */
export function createTfEngine(): GraphEngine {
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
