import { readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs";

const SIDE = 32;
const PLANE = SIDE * SIDE;
const RECORD = 1 + 3 * PLANE;

/**
 * Loads CIFAR-10 from its binary version (`cifar-10-binary.tar.gz`, unpacked: `data_batch_1.bin` …
 * `data_batch_5.bin`, `test_batch.bin`).
 *
 * A record is one label byte and 3 × 1024 pixel bytes, red plane first; images come out channels last.
 *
 * @param {string | string[]} files - One or more of those files.
 * @param {{ count?: number }} [options] - How many images to keep (default all).
 * @returns {{ xs: tf.Tensor4D, ys: tf.Tensor2D }} Images (count, 32, 32, 3) in [0, 1] and one-hot
 *   labels (count, 10). The caller disposes both.
 * @throws {Error} if a file's length is not a whole number of records or a label exceeds 9.
 * @see https://www.cs.toronto.edu/~kriz/cifar.html
 */
export function loadCifar10(files, { count = Number.POSITIVE_INFINITY } = {}) {
  const records = [].concat(files).flatMap((file) => splitRecords(file, readFileSync(file)));
  const kept = records.slice(0, count);
  if (kept.length === 0) throw new Error("cifar10: expected at least one image, got none");
  const pixels = new Float32Array(kept.length * 3 * PLANE);
  kept.forEach((record, index) => {
    copyImageInto(pixels, index * 3 * PLANE, record);
  });
  const xs = tf.tensor4d(pixels, [kept.length, SIDE, SIDE, 3]);
  const ys = tf.tidy(() => {
    const labels = Int32Array.from(kept, (record) => record[0]);
    return tf.oneHot(tf.tensor1d(labels, "int32"), 10).toFloat();
  });
  return { xs, ys };
}

function splitRecords(file, bytes) {
  if (bytes.length === 0 || bytes.length % RECORD !== 0) {
    throw new Error(`${file}: expected records of ${RECORD} bytes, got ${bytes.length} bytes`);
  }
  return Array.from({ length: bytes.length / RECORD }, (_, index) => {
    const record = bytes.subarray(index * RECORD, (index + 1) * RECORD);
    if (record[0] > 9)
      throw new Error(`${file}: expected a label from 0 to 9 in record ${index}, got ${record[0]}`);
    return record;
  });
}

function copyImageInto(pixels, offset, record) {
  for (let pixel = 0; pixel < PLANE; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      pixels[offset + 3 * pixel + channel] = record[1 + channel * PLANE + pixel] / 255;
    }
  }
}
