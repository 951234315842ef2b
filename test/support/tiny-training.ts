import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { afterAll } from "vitest";

/** Removes a folder and what is in it, also one into which another process or thread writes at that moment. */
export function removeFolder(folder: string): Promise<void> {
  // A file that appears meanwhile leaves its folder "not empty": Node.js then tries again, a little later each time.
  return rm(folder, { recursive: true, force: true, maxRetries: 50, retryDelay: 5 });
}

/** Returns a function that makes empty folders, which are removed when the test file ends. */
export function temporaryFolders(): () => string {
  const root = mkdtempSync(join(tmpdir(), "tfjs-landscape-test-"));
  afterAll(() => removeFolder(root));
  let count = 0;
  return () => join(root, `folder-${count++}`);
}

/** Twelve samples of three features and two classes. */
export function tinyData(): { readonly xs: tf.Tensor2D; readonly ys: tf.Tensor2D } {
  const xs = tf.randomNormal([12, 3], 0, 1, "float32", 7) as tf.Tensor2D;
  const ys = tf.tidy(() =>
    tf.oneHot(tf.tensor1d([0, 1, 0, 1, 1, 0, 0, 1, 0, 1, 1, 0], "int32"), 2).toFloat(),
  );
  return { xs, ys: ys as tf.Tensor2D };
}

/** A compiled two-layer classifier with batch normalization: trainable and non-trainable weights. */
export function tinyModel(optimizer: tf.Optimizer = tf.train.sgd(0.1)): tf.Sequential {
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ units: 4, inputShape: [3], activation: "tanh" }),
      tf.layers.batchNormalization(),
      tf.layers.dense({ units: 2, activation: "softmax" }),
    ],
  });
  model.compile({ optimizer, loss: "categoricalCrossentropy", metrics: ["accuracy"] });
  return model;
}

/** All weights of a model in the order of its `weights`: trainable ones first. */
export function flatWeights(model: tf.LayersModel): number[] {
  return model.weights.flatMap((weight) => Array.from(weight.read().dataSync()));
}

/** A callback that keeps what it sees at the end of every batch and epoch. */
export class Witness extends tf.CustomCallback {
  readonly initial: number[][] = [];
  readonly batches: { readonly theta: number[]; readonly loss: number }[] = [];
  readonly epochs: { readonly theta: number[]; readonly logs: Record<string, number> }[] = [];
  #model: tf.LayersModel | null = null;

  constructor() {
    super({});
  }
  override setModel(model: Parameters<tf.CustomCallback["setModel"]>[0]) {
    this.#model = model as tf.LayersModel;
  }
  override async onTrainBegin() {
    this.initial.push(this.#theta());
  }
  override async onBatchEnd(_batch: number, logs?: tf.Logs) {
    this.batches.push({ theta: this.#theta(), loss: await readScalar(logs?.loss) });
  }
  override async onEpochEnd(_epoch: number, logs: tf.Logs = {}) {
    const entries = await Promise.all(
      Object.entries(logs).map(async ([name, value]) => [name, await readScalar(value)] as const),
    );
    this.epochs.push({ theta: this.#theta(), logs: Object.fromEntries(entries) });
  }
  #theta() {
    return flatWeights(this.#model as tf.LayersModel);
  }
}

async function readScalar(value: unknown): Promise<number> {
  if (typeof value === "number") return value;
  return ((await (value as tf.Scalar).data())[0] as number) ?? Number.NaN;
}
