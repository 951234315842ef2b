/**
 * Jumps with the compiled package: `node compiled-jumps.mjs DIRECTORY '{"workers":2}'` prints the runs, or
 * the error, as one line of JSON.
 */
import * as tf from "@tensorflow/tfjs";
import { jumpAndRetrain, LandscapeError, selectBackend } from "../../dist/src/index.js";

const [directory, options] = process.argv.slice(2);
await selectBackend();
const dense = (units, seed, rest) =>
  tf.layers.dense({ units, kernelInitializer: tf.initializers.glorotNormal({ seed }), ...rest });
const model = tf.sequential({
  layers: [
    dense(32, 1, { inputShape: [8], activation: "tanh" }),
    tf.layers.batchNormalization(),
    tf.layers.dropout({ rate: 0.3 }),
    dense(3, 2, { activation: "softmax" }),
  ],
});
const { customLoss, abort, ...given } = JSON.parse(options ?? "{}");
const loss = customLoss ? (a, b) => a.sub(b).square().mean(-1) : "categoricalCrossentropy";
model.compile({ optimizer: "sgd", loss, metrics: ["accuracy"] });
const set = (seed) => {
  const xs = tf.randomNormal([60, 8], 0, 1, "float32", seed);
  return { xs, ys: tf.oneHot(xs.slice([0, 0], [-1, 3]).argMax(1), 3).toFloat() };
};
const stop = new AbortController();
let made = 0;
const onProgress = () => {
  made++;
  if (abort) stop.abort();
};
try {
  const { runs } = await jumpAndRetrain(
    model,
    { train: set(5), validation: set(6), test: set(7) },
    {
      directory,
      seeds: [0, 1],
      distances: [0.5, 1],
      epochs: 4,
      learningRate: 0.05,
      signal: stop.signal,
      onProgress,
      ...given,
    },
  );
  console.log(JSON.stringify({ runs, tensors: tf.memory().numTensors }));
} catch (error) {
  const { name, code, message } = error;
  const own = error instanceof LandscapeError;
  // When all is over: also what went on after the error.
  process.once("exit", () => console.log(JSON.stringify({ error: { name, code, message, own }, made })));
}
