// A data module whose model runs out of memory in worker processes: once where LANDSCAPE_HUNGRY names a file that is
// not there yet, every time where it is "always".
import { existsSync, writeFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs";
import { loadData as loadTiny } from "../cli/fixtures/tiny-data.js";

export { loadTestData } from "../cli/fixtures/tiny-data.js";
export const loadData = loadTiny;

const isWorker = process.send !== undefined;
const mark = process.env.LANDSCAPE_HUNGRY;
let calls = 0;

/** Arrays that V8 cannot put anywhere: the test gives a process 256 MB. */
function eat() {
  const kept = [];
  for (let i = 0; ; i++) kept.push(new Array(1_000_000).fill(i + 0.5));
}

function isHungry() {
  if (!isWorker || mark === undefined) return false;
  if (mark === "always") return true;
  if (++calls < 40 || existsSync(mark)) return false;
  writeFileSync(mark, "");
  return true;
}

export function loadModel() {
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ units: 4, inputShape: [3], activation: "tanh" }),
      tf.layers.dense({ units: 2, activation: "softmax" }),
    ],
  });
  const loss = (truth, given) => {
    if (isHungry()) eat();
    return tf.metrics.categoricalCrossentropy(truth, given);
  };
  model.compile({ optimizer: "sgd", loss });
  return model;
}
