import * as tf from "@tensorflow/tfjs";
import { readGolden } from "../support/golden.js";

/** One network of g_hessian.json. */
export interface GoldenNetwork {
  readonly activation: "relu" | "elu" | "swish" | "tanh";
  readonly pool: readonly ["max" | "avg", number, number];
  readonly batch_norm: boolean;
  readonly shapes: Readonly<Record<string, number[]>>;
  readonly theta: number[];
  readonly loss: number;
  readonly gradient: number[];
  readonly eigenvalues: number[];
  readonly top_eigenvector: number[];
  readonly trace: number;
  readonly layer_trace: Readonly<Record<string, number>>;
  readonly layer_top_eigenvalue: Readonly<Record<string, number>>;
  readonly u: number[];
  readonly v: number[];
  readonly H_u: number[];
  readonly u_H_v: number;
  readonly gauss_newton_eigenvalues_top5: number[];
  readonly gauss_newton_trace: number;
  readonly G_u: number[];
}

/** The whole file. */
export interface GoldenNetworks {
  readonly seed: number;
  readonly samples: number;
  readonly cases: Readonly<Record<string, GoldenNetwork>>;
}

/** Reads g_hessian.json. */
export function readGoldenNetworks(): GoldenNetworks {
  return readGolden<GoldenNetworks>("g_hessian.json");
}

/** s = (1664525 s + 1013904223) mod 2^32; value = s / 2^32 · 2 − 1. */
function generated(seed: number, count: number): Float64Array {
  const values = new Float64Array(count);
  let state = seed >>> 0;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    values[i] = (state / 2 ** 32) * 2 - 1;
  }
  return values;
}

/** The images and labels that the file describes. */
export function goldenImages({ seed, samples }: GoldenNetworks): { xs: tf.Tensor; ys: tf.Tensor } {
  const raw = generated(seed, samples * 64);
  const images = new Float64Array(samples * 64);
  for (let n = 0; n < samples; n++) {
    for (let i = 0; i < 8; i++) {
      for (let j = 0; j < 8; j++) {
        const at = (row: number, column: number) => raw[n * 64 + (row % 8) * 8 + (column % 8)] as number;
        images[n * 64 + i * 8 + j] = (at(i, j) + at(i, j + 1) + at(i + 1, j)) / 3;
      }
    }
  }
  const teacher = generated(seed + 1, 64 * 3);
  const labels = Int32Array.from({ length: samples }, (_, n) => {
    const scores = [0, 1, 2].map((k) => {
      let sum = 0;
      for (let p = 0; p < 64; p++) sum += (images[n * 64 + p] as number) * (teacher[p * 3 + k] as number);
      return sum;
    });
    return scores.indexOf(Math.max(...scores));
  });
  return {
    xs: tf.tensor4d(Float32Array.from(images), [samples, 8, 8, 1]),
    ys: tf.tensor2d(Float32Array.from(labels), [samples, 1]),
  };
}

/** The network, compiled; its weights are not those of the file. */
export function goldenNetwork({ activation, pool, batch_norm }: GoldenNetwork): tf.LayersModel {
  const own = () => tf.layers.activation({ activation });
  const [kind, poolSize, strides] = pool;
  const model = tf.sequential();
  model.add(tf.layers.conv2d({ inputShape: [8, 8, 1], filters: 4, kernelSize: 3 }));
  if (batch_norm) model.add(tf.layers.batchNormalization({ epsilon: 1e-3 }));
  model.add(own());
  model.add(
    kind === "max"
      ? tf.layers.maxPooling2d({ poolSize, strides })
      : tf.layers.averagePooling2d({ poolSize, strides }),
  );
  model.add(tf.layers.flatten());
  model.add(tf.layers.dense({ units: 8 }));
  model.add(own());
  model.add(tf.layers.dense({ units: 3, activation: "softmax" }));
  model.compile({ optimizer: "sgd", loss: "sparseCategoricalCrossentropy" });
  return model;
}

/** θ of the file: its trained weights, then the statistics of batch norm that it describes. */
export function goldenTheta({ seed }: GoldenNetworks, { theta, batch_norm }: GoldenNetwork): Float32Array {
  const mean = Array.from(generated(seed + 9, 4), (value) => 0.1 * value);
  const variance = Array.from(generated(seed + 10, 4), (value) => Math.abs(value) / 2 + 0.1);
  return Float32Array.from(batch_norm ? [...theta, ...mean, ...variance] : theta);
}
