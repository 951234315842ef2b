import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import * as tf from "@tensorflow/tfjs";

/** The networks that the capture bench trains. */
export type CaptureCaseName = "lenet" | "mlp10m";

/** A compiled model with its training data. */
export interface CaptureCase {
  readonly model: tf.LayersModel;
  readonly xs: tf.Tensor;
  readonly ys: tf.Tensor;
  readonly batchSize: number;
  readonly dispose: () => void;
}

interface MnistModule {
  loadMnist(options: { readonly count: number }): { readonly xs: tf.Tensor4D; readonly ys: tf.Tensor2D };
}

/** Makes a case on the first `images` training images of MNIST. */
export async function createCaptureCase(name: CaptureCaseName, images: number): Promise<CaptureCase> {
  const { loadMnist } = await importMnist();
  const { xs, ys } = loadMnist({ count: images });
  const model = tf.sequential({ layers: name === "lenet" ? lenetLayers() : mlpLayers() });
  model.compile({ optimizer: tf.train.sgd(0.01), loss: "categoricalCrossentropy", metrics: ["accuracy"] });
  const dispose = () => {
    tf.dispose([xs, ys]);
    model.dispose();
  };
  return { model, xs, ys, batchSize: name === "lenet" ? 64 : 128, dispose };
}

/** 56,714 parameters. */
function lenetLayers(): tf.layers.Layer[] {
  return [
    tf.layers.conv2d({ filters: 16, kernelSize: 3, activation: "relu", inputShape: [28, 28, 1] }),
    tf.layers.maxPooling2d({ poolSize: 2 }),
    tf.layers.conv2d({ filters: 32, kernelSize: 3, activation: "relu" }),
    tf.layers.maxPooling2d({ poolSize: 2 }),
    tf.layers.flatten(),
    tf.layers.dense({ units: 64, activation: "relu" }),
    tf.layers.dense({ units: 10, activation: "softmax" }),
  ];
}

/** 784-2800-2800-10: 10,068,810 parameters, 40 MB a snapshot. */
function mlpLayers(): tf.layers.Layer[] {
  return [
    tf.layers.flatten({ inputShape: [28, 28, 1] }),
    tf.layers.dense({ units: 2800, activation: "relu" }),
    tf.layers.dense({ units: 2800, activation: "relu" }),
    tf.layers.dense({ units: 10, activation: "softmax" }),
  ];
}

/** The loader is part of the examples, which are not compiled: it lies in the checkout. */
async function importMnist(): Promise<MnistModule> {
  const file = join(process.cwd(), "examples/data/mnist.js");
  if (!existsSync(file)) throw new Error(`bench: expected to run in the repository's root, got no ${file}`);
  return (await import(pathToFileURL(file).href)) as MnistModule;
}
