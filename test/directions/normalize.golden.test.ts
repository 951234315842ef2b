import * as tf from "@tensorflow/tfjs";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Normalization, normalizeDirection } from "../../src/directions/normalize.js";
import { assignWeights, readWeights } from "../../src/model/bound-weights.js";
import type { ParameterRole } from "../../src/model/layout.js";
import { layoutOfModel } from "../../src/model/layout-of-model.js";
import { expectAllClose } from "../support/allclose.js";
import { useTestBackend } from "../support/backend.js";
import { readGolden } from "../support/golden.js";
import { makeLayout } from "../support/layout.js";

interface Tensor {
  readonly keras: unknown[];
  readonly keras_shape: number[];
}
interface Golden {
  readonly order: string[];
  readonly weights: Record<string, Tensor>;
  readonly direction: Record<string, Tensor>;
  readonly results: Record<string, Record<string, { readonly keras: unknown[] }>>;
}

const golden = readGolden<Golden>("b_normalize.json");
const ROLES: Record<string, ParameterRole> = { bias: "bias", bn_gamma: "scale", bn_beta: "offset" };
const layout = makeLayout(
  golden.order.map((name) => ({
    name,
    shape: golden.weights[name].keras_shape,
    role: ROLES[name] ?? "kernel",
    ...(name === "depthwise" ? { filterAxes: [2, 3] } : {}),
  })),
);

function flatten(tensors: Record<string, { readonly keras: unknown[] }>): Float32Array {
  return Float32Array.from(golden.order.flatMap((name) => tensors[name].keras.flat(8) as number[]));
}

describe("normalizeDirection against the reference", () => {
  const theta = flatten(golden.weights);
  const direction = flatten(golden.direction);

  it.each(Object.keys(golden.results))("%s", (name) => {
    const [, norm, ignored] = /^norm=(.*)\|ignore=(.*)$/.exec(name) ?? [];
    const result = normalizeDirection(direction, theta, layout, {
      normalize: (norm || "none") as Normalization,
      oneDimensional: "reference",
      ...(ignored === "" ? { ignore: [] } : {}),
    });
    expectAllClose(result, flatten(golden.results[name]), { absolute: 1e-6 });
  });
});

describe("normalizeDirection against the reference, on a TensorFlow.js model", () => {
  beforeAll(async () => void (await useTestBackend()));
  afterEach(() => tf.disposeVariables());

  /** The golden tensors as weights of layers of their kind. */
  function build(): tf.LayersModel {
    const inputs = [
      tf.input({ shape: [5, 5, 3] }),
      tf.input({ shape: [3, 3, 2] }),
      tf.input({ shape: [5] }),
    ] as const;
    const conv = tf.layers.conv2d({ filters: 4, kernelSize: 3, name: "conv" }).apply(inputs[0]);
    const norm = tf.layers.batchNormalization({ name: "bn" }).apply(conv);
    const depthwise = tf.layers.depthwiseConv2d({ kernelSize: 3, useBias: false, name: "depthwise" });
    const zero = tf.layers.conv2d({ filters: 3, kernelSize: 3, useBias: false, name: "zero" });
    const dense = tf.layers.dense({ units: 6, useBias: false, name: "dense" });
    const outputs = [depthwise.apply(norm), zero.apply(inputs[1]), dense.apply(inputs[2])];
    return tf.model({ inputs: [...inputs], outputs: outputs as tf.SymbolicTensor[] });
  }
  const NAMES: Readonly<Record<string, string>> = {
    "conv/kernel": "conv",
    "conv/bias": "bias",
    "bn/gamma": "bn_gamma",
    "bn/beta": "bn_beta",
    "depthwise/depthwise_kernel": "depthwise",
    "zero/kernel": "conv_with_zero_filter",
    "dense/kernel": "dense",
  };

  /** TensorFlow.js numbers names that it has given before: "conv/kernel_1". */
  const tensorOf = (weight: string): string | undefined => NAMES[weight.replace(/_\d+$/, "")];

  it.each(Object.keys(golden.results))("%s", async (name) => {
    const model = build();
    const layout = layoutOfModel(model);
    /** A vector of θ out of golden tensors; what the reference does not have is `rest`. */
    const vectorOf = (tensors: Record<string, { readonly keras: unknown[] }>, rest: number) =>
      Float32Array.from(
        layout.parameters.flatMap(({ name: weight, shape, size }) => {
          const tensor = tensorOf(weight);
          if (tensor === undefined) return Array.from({ length: size }, () => rest);
          expect([weight, golden.weights[tensor].keras_shape]).toEqual([weight, shape]);
          return tensors[tensor].keras.flat(8) as number[];
        }),
      );
    assignWeights(model, layout, vectorOf(golden.weights, 1));
    const theta = await readWeights(model, layout);
    expect(layout.parameters.filter(({ name: weight }) => tensorOf(weight) === undefined).length).toBe(2);
    const [, norm, ignored] = /^norm=(.*)\|ignore=(.*)$/.exec(name) ?? [];
    const result = normalizeDirection(vectorOf(golden.direction, 5), theta, layout, {
      normalize: (norm || "none") as Normalization,
      oneDimensional: "reference",
      ...(ignored === "" ? { ignore: [] } : {}),
    });
    // Moving statistics are no part of a random direction.
    expectAllClose(result, vectorOf(golden.results[name], 0), { absolute: 1e-6 });
  });
});
