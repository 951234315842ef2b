import type * as tf from "@tensorflow/tfjs";
import { createLeNet } from "../examples/models/lenet.js";
import { createMlp } from "../examples/models/mlp.js";
import { createResNet } from "../examples/models/resnet.js";

/** A network of the surface bench. */
export interface SurfaceModel {
  /** Shape of one image, channels last. */
  readonly shape: readonly [number, number, number];
  /** Images a point. */
  readonly samples: number;
  make(): tf.LayersModel;
}

/** A small γ on each branch keeps the activations of an untrained ResNet of any depth in range. */
const branchScale = 0.3;

/** The networks by case name. */
export const surfaceModels: Readonly<Record<string, SurfaceModel>> = {
  mlp: { shape: [28, 28, 1], samples: 10_000, make: () => createMlp() },
  lenet: { shape: [28, 28, 1], samples: 10_000, make: () => createLeNet() },
  resnet20: { shape: [32, 32, 3], samples: 5_000, make: () => createResNet({ depth: 20, branchScale }) },
  resnet56: { shape: [32, 32, 3], samples: 5_000, make: () => createResNet({ depth: 56, branchScale }) },
};
