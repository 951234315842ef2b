// One case of the compiled capture in a process of its own: `node compiled-cases.mjs CASE DIRECTORY`.
// Prints what happened as one line of JSON.
import * as tf from "@tensorflow/tfjs";
import { trajectoryCallback } from "../../dist/callbacks/trajectory-callback.js";
import { createTrajectoryRecorder } from "../../dist/src/capture/create-recorder.js";

const [name, directory] = process.argv.slice(2);
console.warn = () => undefined;
console.log = () => undefined;

class FailFirst extends tf.CustomCallback {
  async onEpochBegin() {
    throw new Error("bad luck");
  }
}

class FailAfter extends tf.CustomCallback {
  async onEpochEnd(epoch) {
    if (epoch === 2) throw new Error("bad luck");
  }
}

const model = tf.sequential({ layers: [tf.layers.dense({ units: 256, inputShape: [256] })] });
model.compile({ optimizer: tf.train.sgd(0.001), loss: "meanSquaredError" });
const xs = tf.randomNormal([32, 256]);
const before = tf.memory().numTensors;

const cases = {
  "failed-in-first-batch": async () => {
    const callbacks = [trajectoryCallback({ directory })];
    const ys = tf.ones([32, 256]);
    model.compile({
      optimizer: "sgd",
      loss: () => {
        throw new Error("bad luck");
      },
    });
    return model.fit(xs, ys, { epochs: 2, verbose: 0, callbacks }).catch((error) => error.message);
  },
  "nothing-recorded": async () => {
    const recorder = await createTrajectoryRecorder({ directory, model });
    return recorder.warnings;
  },
  "failed-before-first-batch": async () => {
    const callbacks = [trajectoryCallback({ directory }), new FailFirst({})];
    return model.fit(xs, xs, { epochs: 2, verbose: 0, callbacks }).catch((error) => error.message);
  },
  "same-directory": async () => {
    const callbacks = [trajectoryCallback({ directory }), trajectoryCallback({ directory })];
    return model.fit(xs, xs, { epochs: 2, verbose: 0, callbacks }).catch((error) => error.name);
  },
  // Nothing waits for the disk and nothing is closed: the process must not end before all is written.
  "not-closed": async () => {
    const callback = trajectoryCallback({ directory });
    const fit = model.fit(xs, xs, { epochs: 9, verbose: 0, callbacks: [callback, new FailAfter({})] });
    return fit.catch((error) => error.message);
  },
  // A limit on file sizes stands for a full disk (see the test).
  "disk-error": async () => {
    const callback = trajectoryCallback({ directory });
    const error = await model.fit(xs, xs, { epochs: 500, verbose: 0, callbacks: [callback] }).catch((e) => e);
    await callback.close();
    let cause = error;
    while (cause.cause !== undefined) cause = cause.cause;
    return { name: error.name, code: error.code, message: error.message, cause: cause.code };
  },
  many: async () => {
    const callback = trajectoryCallback({ directory, schedule: { everyBatches: 1 }, maxPending: 3 });
    await model.fit(xs, xs, { epochs: 10, batchSize: 8, verbose: 0, callbacks: [callback] });
    return callback.warnings;
  },
};

const result = await cases[name]();
process.stdout.write(JSON.stringify({ result, tensors: tf.memory().numTensors - before }));
