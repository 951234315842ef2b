// Losses of small networks on WebGPU and on the processor, as JSON: for onnx-device.test.ts, which brings a driver along.
import * as tf from "@tensorflow/tfjs";
import { createLossEvaluator, selectBackend } from "../../../../dist/src/index.js";

await selectBackend({ backend: "wasm" });
const image = { inputShape: [12, 12, 2] };
const networks = {
  mlp: [tf.layers.flatten(image), tf.layers.dense({ units: 8, activation: "tanh" })],
  convolutions: [
    tf.layers.conv2d({ ...image, filters: 4, kernelSize: 3, padding: "same" }),
    tf.layers.batchNormalization(),
    tf.layers.reLU(),
    tf.layers.maxPooling2d({ poolSize: 2 }),
    tf.layers.conv2d({ filters: 6, kernelSize: 3, strides: 2, activation: "relu" }),
    tf.layers.globalAveragePooling2d({}),
  ],
};
const found = {};
for (const [name, layers] of Object.entries(networks)) {
  const model = tf.sequential({ layers: [...layers, tf.layers.dense({ units: 5, activation: "softmax" })] });
  model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy", metrics: ["accuracy"] });
  const xs = tf.randomUniform([100, 12, 12, 2], 0, 1, "float32", 1);
  const ys = tf.tidy(() => tf.oneHot(tf.randomUniform([100], 0, 5, "int32", 2), 5).toFloat());
  const theta = Float32Array.from(model.getWeights().flatMap((weight) => [...weight.dataSync()]));
  const losses = [];
  let device;
  for (const options of [{ device: "webgpu" }, { engine: "onnx" }]) {
    const evaluator = await createLossEvaluator(model, { xs, ys }, options);
    device ??= evaluator.facts.engine.device;
    losses.push((await evaluator.evaluate(theta)).loss);
    evaluator.dispose();
  }
  found[name] = { device, losses };
}
process.stdout.write(JSON.stringify(found));
