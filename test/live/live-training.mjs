// Trains with a live page, from the compiled package: `npm run build` first.
// Arguments: case, run directory, name of the run. Prints the address, and a line at the end. The case "paced"
// trains an epoch for each line that it reads, and on without a stop when there is no more.
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import * as tf from "@tensorflow/tfjs";
import { trajectoryCallback } from "../../dist/callbacks/index.js";
import { selectBackend } from "../../dist/src/index.js";

const [kind, directory, name] = process.argv.slice(2);
await selectBackend({ backend: process.env.TFJS_LANDSCAPE_BACKEND || "wasm" });
const xs = tf.randomNormal([12, 3], 0, 1, "float32", 7);
const ys = tf.randomNormal([12, 1], 0, 1, "float32", 8);
const model = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [3] })] });
model.compile({ optimizer: "sgd", loss: "meanSquaredError" });

const isPaced = kind === "paced";
const lines = isPaced ? createInterface({ input: process.stdin })[Symbol.asyncIterator]() : null;

/** Gives a reader the time to look. */
class Pause extends tf.CustomCallback {
  async onEpochBegin() {
    await lines?.next();
  }
}

const heard = [];
process.on("warning", ({ message, code }) => heard.push(`${code}: ${message}`));
const asked = kind === "silent" ? {} : { onLive: (url) => console.log(url) };
const port = kind === "taken" ? { port: Number(process.env.TAKEN_PORT) } : true;
const measured = isPaced ? { stability: { data: { xs, ys }, every: 2 } } : {};
const callback = trajectoryCallback({ directory, name, live: port, ...asked, ...measured });
await model.fit(xs, ys, {
  epochs: isPaced ? 12 : 4,
  verbose: 0,
  callbacks: [callback, new Pause({})],
});
await sleep(50);
console.log(JSON.stringify({ url: callback.liveUrl, warnings: callback.warnings, heard }));
