// Networks that the studies know by name, and images as these take them.
import * as tf from "@tensorflow/tfjs";
import type { NetworkOptions } from "../models/building-blocks.js";
import { createLeNet } from "../models/lenet.js";
import { createVgg9 } from "../models/vgg9.js";
import { createWideResNet } from "../models/wide-resnet.js";
import { loadImages, type StudyData } from "./study.js";

/**
 * "mlp" has one hidden layer of 64 units (13,258 parameters on 14 × 14 pixels) and takes images as rows; "wide-resnet" is
 * WRN-28-2.
 */
export const STUDY_NETWORKS = ["mlp", "lenet", "vgg9", "wide-resnet"] as const;
export type StudyNetwork = (typeof STUDY_NETWORKS)[number];

/** How a network of a study is made. */
export interface StudyNetworkOptions extends NetworkOptions {
  /** Shape of one image. */
  readonly shape: readonly [number, number, number];
  /** Whether a LeNet normalizes; the others have it or not as published. Default true. */
  readonly batchNorm?: boolean;
}

/** Creates a network by its name; equal seeds give equal weights. */
export function createStudyNetwork(network: StudyNetwork, options: StudyNetworkOptions): tf.LayersModel {
  switch (network) {
    case "mlp":
      return createRowNetwork(options);
    case "lenet":
      return createLeNet({ batchNorm: true, ...options });
    case "vgg9":
      return createVgg9(options);
    case "wide-resnet":
      return createWideResNet({ ...options, depth: 28, width: 2 });
    default:
      throw new Error(`network: expected one of ${STUDY_NETWORKS.join(", ")}, got ${network}`);
  }
}

function createRowNetwork({ shape, seed = 1, weightDecay = 0, classes = 10 }: StudyNetworkOptions) {
  const kernel = (layer: number) => ({
    kernelInitializer: tf.initializers.heNormal({ seed: 1 + 10 * seed + layer }),
    ...(weightDecay === 0 ? {} : { kernelRegularizer: tf.regularizers.l2({ l2: weightDecay / 2 }) }),
  });
  const inputShape = [shape[0] * shape[1] * shape[2]];
  return tf.sequential({
    layers: [
      tf.layers.dense({ units: 64, activation: "relu", inputShape, name: "hidden", ...kernel(0) }),
      tf.layers.dense({ units: classes, activation: "softmax", name: "digits", ...kernel(1) }),
    ],
  });
}

/** Images as a network takes them, (n, height, width, channels) or rows (n, pixels), and one-hot labels (n, 10). */
export interface LabelledImages {
  readonly xs: tf.Tensor;
  readonly ys: tf.Tensor2D;
}

/** Loads the first images of a part of a data set for a network; the caller disposes both. */
export function loadNetworkImages(
  settings: StudyData & { readonly network: StudyNetwork },
  split: "train" | "test",
  count: number,
): LabelledImages {
  const { xs, ys } = loadImages(settings, split, count);
  if (settings.network !== "mlp") return { xs, ys };
  const rows = xs.reshape([count, -1]);
  xs.dispose();
  return { xs: rows, ys };
}
