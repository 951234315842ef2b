import { closeSync, existsSync, fstatSync, openSync, readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs";
import { seededUniform, shuffledOrder } from "./seeded-uniform.js";

/**
 * The images that are asked for, of those that there are.
 *
 * @param {string} where - The set, for errors: "mnist train".
 * @param {number} total - Images that there are.
 * @param {{ count?: number, offset?: number }} wanted - Default all from the first on.
 * @returns {{ offset: number, end: number }}
 * @throws {Error} if they do not exist, or a number is not whole.
 */
export function imagesWanted(where, total, { count, offset = 0 }) {
  const end = offset + (count ?? total - offset);
  const isWhole = Number.isInteger(offset) && Number.isInteger(end);
  if (!isWhole || offset < 0 || end > total || end <= offset) {
    throw new Error(`${where}: expected images between 0 and ${total}, got ${offset} to ${end}`);
  }
  return { offset, end };
}

/**
 * @param {string} where - The set, for the error.
 * @param {unknown} split
 * @throws {Error} if it is neither "train" nor "test".
 */
export function checkSplit(where, split) {
  if (split === "train" || split === "test") return;
  throw new Error(`${where}: expected split "train" or "test", got ${JSON.stringify(split)}`);
}

/**
 * Reads a file of a data set.
 *
 * @param {string} where - What it belongs to, for the error: "the four unpacked IDX files of a set".
 * @param {string} file
 * @returns {Buffer}
 * @throws {Error} as {@link openDataFile} does.
 */
export function readDataFile(where, file) {
  return orPacked(where, file, () => readFileSync(file));
}

/**
 * Opens a file of a data set, to read parts of it.
 *
 * @param {string} where - What it belongs to, for the error.
 * @param {string} file
 * @returns {number} Its descriptor; the caller closes it.
 * @throws {Error} if it does not exist; where it is there but packed (`.gz`), with the command that unpacks it.
 */
export function openDataFile(where, file) {
  return orPacked(where, file, () => {
    const open = openSync(file, "r");
    if (!fstatSync(open).isDirectory()) return open;
    closeSync(open);
    throw Object.assign(new Error(`EISDIR: illegal operation on a directory, read '${file}'`), {
      code: "EISDIR",
    });
  });
}

function orPacked(where, file, read) {
  try {
    return read();
  } catch (cause) {
    if (cause.code !== "ENOENT" && cause.code !== "EISDIR" && cause.code !== "ENOTDIR") throw cause;
    const packed = existsSync(`${file}.gz`)
      ? `only ${file}.gz; run \`gunzip ${file}.gz\``
      : `no file ${file}`;
    throw Object.assign(new Error(`${where}: expected ${file}, got ${packed}`, { cause }), {
      code: cause.code,
    });
  }
}

/**
 * Mean and standard deviation of each channel over a set (the training set, also for test images).
 *
 * @param {tf.Tensor} xs - Images, channels last.
 * @returns {{ mean: number[], deviation: number[] }}
 */
export function channelStatistics(xs) {
  return tf.tidy(() => {
    const axes = Array.from({ length: xs.rank - 1 }, (_, axis) => axis);
    const { mean, variance } = tf.moments(xs, axes);
    return { mean: Array.from(mean.dataSync()), deviation: Array.from(variance.sqrt().dataSync()) };
  });
}

/**
 * Subtracts each channel's mean and divides by its deviation.
 *
 * @template {tf.Tensor} X
 * @param {{ xs: X, ys: tf.Tensor2D }} images - Stay as they are; the caller disposes them.
 * @param {{ mean: number[], deviation: number[] }} [statistics] - Default those of these images.
 * @returns {{ xs: X, ys: tf.Tensor2D }} New images, the same labels.
 * @throws {Error} if the number of channels differs or a deviation is 0.
 */
export function normalizeChannels({ xs, ys }, statistics = channelStatistics(xs)) {
  const { mean, deviation } = statistics;
  const channels = xs.shape.at(-1);
  if (mean.length !== channels || deviation.length !== channels) {
    throw new Error(`images: expected statistics of ${channels} channels, got ${mean.length}`);
  }
  if (deviation.some((value) => !(value > 0))) {
    throw new Error(`images: expected deviations above 0, got ${deviation.join(", ")}`);
  }
  return { xs: tf.tidy(() => xs.sub(tf.tensor1d(mean)).div(tf.tensor1d(deviation))), ys };
}

/**
 * Replaces a share of the labels by another class each; which ones, and by which class, follows from the seed.
 *
 * @template {tf.Tensor} X
 * @param {{ xs: X, ys: tf.Tensor2D }} images
 * @param {number} share - From 0 to 1.
 * @param {number} seed
 * @returns {{ xs: X, ys: tf.Tensor2D }} The same images, new labels.
 * @throws {Error} if the share is not between 0 and 1.
 */
export function corruptLabels({ xs, ys }, share, seed) {
  if (!(share >= 0 && share <= 1)) throw new Error(`share: expected 0 to 1, got ${share}`);
  const classes = ys.shape[1];
  const uniform = seededUniform(seed);
  const labels = Array.from(tf.tidy(() => ys.argMax(1).dataSync()));
  const corrupted = labels.map((label) =>
    uniform() < share ? (label + 1 + Math.floor((classes - 1) * uniform())) % classes : label,
  );
  return { xs, ys: tf.tidy(() => tf.oneHot(tf.tensor1d(corrupted, "int32"), classes).toFloat()) };
}

/**
 * A random subset with (nearly) equally many images of each class; which ones follows from the seed.
 *
 * @template {tf.Tensor} X
 * @param {{ xs: X, ys: tf.Tensor2D }} images
 * @param {number} count - At most the number of images.
 * @param {number} seed
 * @returns {{ xs: X, ys: tf.Tensor2D }} New tensors; the caller disposes them.
 * @throws {Error} if there are fewer images.
 */
export function balancedSubset({ xs, ys }, count, seed) {
  const [total, classes] = ys.shape;
  if (!(Number.isInteger(count) && count >= 1 && count <= total)) {
    throw new Error(`count: expected 1 to ${total}, got ${count}`);
  }
  const labels = tf.tidy(() => ys.argMax(1).dataSync());
  const order = shuffledOrder(total, seededUniform(seed));
  /** Images of each class that are left, in the random order. */
  const left = Array.from({ length: classes }, (_, label) =>
    Array.from(order).filter((i) => labels[i] === label),
  );
  const chosen = [];
  for (let label = 0; chosen.length < count; label = (label + 1) % classes) {
    const next = left[label].shift();
    if (next !== undefined) chosen.push(next);
  }
  return tf.tidy(() => {
    const rows = tf.tensor1d(Int32Array.from(chosen), "int32");
    return { xs: tf.gather(xs, rows), ys: tf.gather(ys, rows) };
  });
}

/**
 * All images in batches, in another order each epoch, flipped and cropped at random where asked for. Everything follows
 * from the seed, so that the same program trains on the same batches.
 *
 * @param {{ xs: tf.Tensor, ys: tf.Tensor2D }} images
 * @param {{ batchSize: number, seed: number, flip?: boolean, crop?: number }} options - `flip`: left-right with
 *   probability ½ per image. `crop`: zeros added on each side before a crop of the old size at a random place (4 for
 *   CIFAR).
 * @returns {tf.data.Dataset<tf.TensorContainer>} For `fitDataset`.
 * @throws {Error} if the batch size or the crop cannot be used.
 * @see Krizhevsky et al. 2012 for both augmentations.
 */
export function shuffledBatches({ xs, ys }, { batchSize, seed, flip = false, crop = 0 }) {
  if (!(Number.isInteger(batchSize) && batchSize >= 1)) {
    throw new Error(`batchSize: expected a whole number of at least 1, got ${batchSize}`);
  }
  if (!(Number.isInteger(crop) && crop >= 0)) {
    throw new Error(`crop: expected a whole number of pixels, got ${crop}`);
  }
  if (xs.shape[0] !== ys.shape[0]) {
    throw new Error(`images: expected as many labels as images, got ${ys.shape[0]} for ${xs.shape[0]}`);
  }
  const count = ys.shape[0];
  const uniform = seededUniform(seed);
  const isMoved = flip || crop > 0;
  function* batches() {
    const order = shuffledOrder(count, uniform);
    for (let start = 0; start < count; start += batchSize) {
      const rows = order.subarray(start, start + batchSize);
      const place = () => ({
        isFlipped: flip && uniform() < 0.5,
        top: Math.floor(uniform() * (2 * crop + 1)),
        left: Math.floor(uniform() * (2 * crop + 1)),
      });
      yield tf.tidy(() => {
        const indices = tf.tensor1d(rows, "int32");
        const chosen = tf.gather(xs, indices);
        const images = isMoved ? moved(chosen, Array.from(rows, place), crop) : chosen;
        return { xs: images, ys: tf.gather(ys, indices) };
      });
    }
  }
  return tf.data.generator(batches);
}

/** Each image of a batch flipped and cropped as its place says. */
function moved(xs, places, crop) {
  const [, height, width] = xs.shape;
  const frame = [
    [0, 0],
    [crop, crop],
    [crop, crop],
    [0, 0],
  ];
  const padded = xs.pad(frame);
  const images = places.map(({ isFlipped, top, left }, i) => {
    const image = padded.slice([i, top, left, 0], [1, height, width, -1]);
    return isFlipped ? image.reverse(2) : image;
  });
  return tf.concat(images, 0);
}
