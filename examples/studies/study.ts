// What the sweeps of this folder share: images by name, a network by name, and one seeded training.
import { existsSync } from "node:fs";
import * as tf from "@tensorflow/tfjs";
import { learningRateScheduler, trajectoryCallback } from "tfjs-landscape/callbacks";
import type { SweepFigures, SweepTask } from "tfjs-landscape/sweep";
import { loadCifar10 } from "../data/cifar.js";
import { loadFashionMnist } from "../data/fashion-mnist.js";
import { corruptLabels, shuffledBatches } from "../data/images.js";
import { loadMnist } from "../data/mnist.js";
import { nesterov, paperSchedule } from "../training/recipe.js";

/** Which images a study is about. */
export interface StudyData {
  /** "mnist", "fashion-mnist", or the folder of CIFAR-10's binary version. */
  readonly data: string;
  /** Training images. */
  readonly images: number;
  /** Whether images are halved in height and width, for small machines. */
  readonly half: boolean;
}

/** How one network of a study is trained. */
export interface StudySettings extends StudyData {
  readonly optimizer: "sgd" | "adam";
  readonly learningRate: number;
  readonly batchSize: number;
  readonly epochs: number;
  readonly seed: number;
  /** Share of the training labels that are replaced by other classes. Default 0. */
  readonly corrupted?: number;
}

/** Loads images (n, height, width, channels) and one-hot labels; the caller disposes both. */
export function loadImages({ data, half }: StudyData, split: "train" | "test", count: number) {
  if (data !== "mnist" && data !== "fashion-mnist" && !existsSync(data)) {
    const expected = "mnist, fashion-mnist or the folder of CIFAR-10's unpacked binary version";
    throw new Error(`data: expected ${expected}, got ${data}`);
  }
  const { xs, ys } =
    data === "mnist"
      ? loadMnist({ split, count })
      : data === "fashion-mnist"
        ? loadFashionMnist({ split, count })
        : loadCifar10(data, { split, count });
  if (!half) return { xs, ys };
  const small = tf.tidy(() => tf.avgPool(xs, 2, 2, "valid"));
  xs.dispose();
  return { xs: small, ys };
}

/** Shape of one image. */
export function imageShape({ data, half }: StudyData): [number, number, number] {
  const isGray = data === "mnist" || data === "fashion-mnist";
  const side = (isGray ? 28 : 32) / (half ? 2 : 1);
  return [side, side, isGray ? 1 : 3];
}

/** Images that losses are evaluated on: enough for a picture. */
const EVALUATED = 1000;

/** The evaluation set of a study: the first training images, with their true labels. */
export function loadStudyData(settings: StudyData) {
  return loadImages(settings, "train", Math.min(EVALUATED, settings.images));
}

/** Its held-out set. */
export function loadStudyTestData(settings: StudyData) {
  return loadImages(settings, "test", EVALUATED);
}

/**
 * Trains a network as Li et al. do: the rate divided by 10 at 50, 75 and 91.7 % of the epochs, SGD with Nesterov momentum.
 * Every epoch is recorded. The order of the batches follows from the seed.
 *
 * @returns Test loss (without penalty, of the final weights) and test accuracy, on up to 10,000 images.
 */
export async function trainStudy(
  model: tf.LayersModel,
  settings: StudySettings,
  { directory, name }: SweepTask,
): Promise<SweepFigures> {
  const { optimizer, learningRate, batchSize, epochs, seed, corrupted = 0 } = settings;
  const clean = loadImages(settings, "train", settings.images);
  const train = corrupted > 0 ? corruptLabels(clean, corrupted, seed) : clean;
  const held = loadImages(settings, "test", Math.min(10_000, settings.images));
  model.compile({
    optimizer: optimizer === "sgd" ? nesterov(learningRate) : tf.train.adam(learningRate),
    loss: "categoricalCrossentropy",
    metrics: ["accuracy"],
  });
  const callbacks = [
    learningRateScheduler(paperSchedule(epochs, learningRate)),
    trajectoryCallback({ directory, name, seed }),
  ];
  await model.fitDataset(shuffledBatches(train, { batchSize, seed }), { epochs, verbose: 0, callbacks });
  const probabilities = model.predict(held.xs, { batchSize: 100 }) as tf.Tensor2D;
  const [loss, accuracy] = [
    tf.metrics.categoricalCrossentropy(held.ys, probabilities).mean(),
    tf.metrics.categoricalAccuracy(held.ys, probabilities).mean(),
  ];
  return { test_loss: loss.dataSync()[0] ?? Number.NaN, test_acc: accuracy.dataSync()[0] ?? Number.NaN };
}
