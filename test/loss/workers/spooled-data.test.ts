import { mkdirSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { BatchDataset } from "../../../src/loss/evaluation-data.js";
import { portsOf } from "../../../src/loss/model-ports.js";
import { readSpooled, spoolData } from "../../../src/loss/workers/spooled-data.js";
import { useTestBackend } from "../../support/backend.js";
import { temporaryFolders } from "../../support/tiny-training.js";

const newFolder = temporaryFolders();
let model: tf.Sequential;

beforeAll(async () => {
  await useTestBackend();
  const pool = tf.layers.globalAveragePooling1d({ inputShape: [null, 8] as unknown as number[] });
  model = tf.sequential({ layers: [pool, tf.layers.dense({ units: 1 })] });
  model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
});
afterAll(() => model.dispose());

function spool(batches: () => Iterable<{ xs: tf.Tensor; ys: tf.Tensor }>) {
  const folder = newFolder();
  mkdirSync(folder, { recursive: true });
  const data = tf.data.generator(function* () {
    yield* batches();
  });
  const file = (name: string) => join(folder, name);
  return spoolData({ path: folder, file, remove() {} }, "data", portsOf(model), data, {
    sampleLimit: Number.POSITIVE_INFINITY,
    signal: undefined,
  });
}

test("batches whose samples differ in length or type are refused, and none of their tensors stays", async () => {
  const before = tf.memory().numTensors;
  const lengths = spool(function* () {
    for (const length of [5, 7]) yield { xs: tf.ones([3, length, 8]), ys: tf.ones([3, 1]) };
  });
  await expect(lengths).rejects.toThrow("expected samples of float32 [5, 8] throughout, got float32 [7, 8]");
  const types = spool(function* () {
    for (const type of ["float32", "int32"] as const) {
      yield { xs: tf.ones([3, 5, 8]), ys: tf.ones([3, 1], type) };
    }
  });
  await expect(types).rejects.toThrow("expected samples of float32 [1] throughout, got int32 [1]");
  expect(tf.memory().numTensors).toBe(before);
});

test("one number for each sample may have an axis of its own or none", async () => {
  const spooled = await spool(function* () {
    yield { xs: tf.ones([2, 5, 8]), ys: tf.tensor1d([1, 2]) };
    yield { xs: tf.ones([1, 5, 8]), ys: tf.tensor2d([[3]]) };
  });
  const iterator = await ((await readSpooled(spooled)) as BatchDataset).iterator();
  const found: number[] = [];
  for (let item = await iterator.next(); !item.done; item = await iterator.next()) {
    const { xs, ys } = item.value as { xs: tf.Tensor[]; ys: tf.Tensor[] };
    found.push(...(ys[0] as tf.Tensor).dataSync());
    tf.dispose([xs, ys]);
  }
  expect(found).toEqual([1, 2, 3]);
});
