import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { checkSplit, readDataFile } from "./images.js";

const SIDE = 32;
const PLANE = SIDE * SIDE;

/** Label bytes before the pixels, classes of the last of them, and the files of each split. */
const FORMATS = {
  cifar10: {
    labels: 1,
    classes: 10,
    files: { train: [1, 2, 3, 4, 5].map((n) => `data_batch_${n}.bin`), test: ["test_batch.bin"] },
  },
  cifar100: { labels: 2, classes: 100, files: { train: ["train.bin"], test: ["test.bin"] } },
};

/**
 * Loads CIFAR-10 from its binary version: `cifar-10-binary.tar.gz`, unpacked.
 *
 * A record is one label byte and 3 × 1024 pixel bytes, red plane first; images come out channels last.
 *
 * @param {string | string[]} source - The unpacked folder, or the files to read.
 * @param {{ split?: "train" | "test", count?: number }} [options] - `split`: which files of the folder (default
 *   "train": 50,000 images). `count`: how many images to keep (default all).
 * @returns {{ xs: tf.Tensor4D, ys: tf.Tensor2D }} Images (count, 32, 32, 3) in [0, 1] and one-hot
 *   labels (count, 10). The caller disposes both.
 * @throws {Error} if a file does not exist, its length is not a whole number of records, a label exceeds 9, or there are fewer images.
 * @see https://www.cs.toronto.edu/~kriz/cifar.html
 */
export function loadCifar10(source, options = {}) {
  return loadCifar("cifar10", source, options);
}

/**
 * Loads CIFAR-100 from its binary version, `cifar-100-binary.tar.gz`, unpacked: as {@link loadCifar10}, with two label
 * bytes per record, coarse and fine, of which the fine one (100 classes) is taken.
 *
 * @param {string | string[]} source
 * @param {{ split?: "train" | "test", count?: number }} [options]
 * @returns {{ xs: tf.Tensor4D, ys: tf.Tensor2D }} Images (count, 32, 32, 3) and one-hot labels (count, 100).
 */
export function loadCifar100(source, options = {}) {
  return loadCifar("cifar100", source, options);
}

function loadCifar(name, source, { split = "train", count } = {}) {
  const { labels, classes, files } = FORMATS[name];
  checkSplit(name, split);
  if (count !== undefined && !(Number.isInteger(count) && count >= 1)) {
    throw new Error(`${name}: expected a count of at least 1, got ${count}`);
  }
  if (typeof source !== "string" && !Array.isArray(source)) {
    throw new Error(`${name}: expected the folder of its unpacked binary version, got ${source}`);
  }
  const paths = Array.isArray(source)
    ? source
    : source.endsWith(".bin")
      ? [source]
      : files[split].map((file) => join(source, file));
  const records = [];
  for (const path of paths) {
    if (count !== undefined && records.length >= count) break;
    records.push(
      ...splitRecords(path, readDataFile(`${name}, unpacked binary version`, path), labels, classes),
    );
  }
  const kept = records.slice(0, count ?? records.length);
  if (kept.length === 0 || (count !== undefined && kept.length < count)) {
    throw new Error(`${name}: expected at least ${count ?? 1} images, got ${records.length}`);
  }
  const pixels = new Float32Array(kept.length * 3 * PLANE);
  kept.forEach((record, index) => {
    copyImageInto(pixels, index * 3 * PLANE, record.subarray(labels));
  });
  const xs = tf.tensor4d(pixels, [kept.length, SIDE, SIDE, 3]);
  const ys = tf.tidy(() => {
    const numbers = Int32Array.from(kept, (record) => record[labels - 1]);
    return tf.oneHot(tf.tensor1d(numbers, "int32"), classes).toFloat();
  });
  return { xs, ys };
}

function splitRecords(file, bytes, labels, classes) {
  const length = labels + 3 * PLANE;
  if (bytes.length === 0 || bytes.length % length !== 0) {
    throw new Error(`${file}: expected records of ${length} bytes, got ${bytes.length} bytes`);
  }
  return Array.from({ length: bytes.length / length }, (_, index) => {
    const record = bytes.subarray(index * length, (index + 1) * length);
    const label = record[labels - 1];
    if (label >= classes) {
      throw new Error(`${file}: expected a label from 0 to ${classes - 1} in record ${index}, got ${label}`);
    }
    return record;
  });
}

function copyImageInto(pixels, offset, planes) {
  for (let pixel = 0; pixel < PLANE; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      pixels[offset + 3 * pixel + channel] = planes[channel * PLANE + pixel] / 255;
    }
  }
}
