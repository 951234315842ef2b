import * as tf from "@tensorflow/tfjs";
import { learningRateScheduler } from "../../../callbacks/learning-rate-scheduler.js";
import { trajectoryCallback } from "../../../callbacks/trajectory-callback.js";
import type { Progress } from "../progress.js";
import type { Images } from "./mnist.js";
import { createLeNet } from "./network.js";
import { seededBatches } from "./seeded-batches.js";

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
