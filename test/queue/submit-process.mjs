// A submitter in a process of its own: node submit-process.mjs REDIS STORE QUEUE. Prints the losses of a small model at
// its own weights, one from the queue and one from this process.
import * as tf from "@tensorflow/tfjs";
import { selectBackend } from "../../dist/src/backend/select-backend.js";
import { createLossEvaluator } from "../../dist/src/loss/create-loss-evaluator.js";
import { createQueueRunner } from "../../dist/src/queue/queue-runner.js";

const [redis, store, queue] = process.argv.slice(2);
await selectBackend({ backend: "js" });
const model = tf.sequential({
  layers: [tf.layers.dense({ units: 1, inputShape: [2], kernelInitializer: "ones" })],
});
model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
const data = { xs: tf.tensor2d([1, 2, 3, 4], [2, 2]), ys: tf.tensor2d([1, 2], [2, 1]) };
const runner = await createQueueRunner({ redis, store, queue });
for (const options of [{ runner }, {}]) {
  const evaluator = await createLossEvaluator(model, data, { ...options, engine: "tfjs", batchSize: 2 });
  const { loss } = await evaluator.evaluate(Float32Array.of(1, 1, 0));
  console.log(String(loss));
  evaluator.dispose();
}
runner.dispose();
