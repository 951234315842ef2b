import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadCifar10 } from "../../examples/data/cifar10.js";
import { readIdx } from "../../examples/data/idx.js";
import { loadData, loadMnist } from "../../examples/data/mnist.js";
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
