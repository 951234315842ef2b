import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { requireOnnxRuntime } from "../../../src/backend/onnx-runtime.js";
import { createEngineEvaluator } from "../../../src/loss/engine/create-engine-evaluator.js";
import { createFusedEngine } from "../../../src/loss/engine/fused/fused-engine.js";
import type { GraphEngine } from "../../../src/loss/engine/graph-program.js";
import { createOnnxEngine } from "../../../src/loss/engine/onnx/onnx-engine.js";
import {
  createGraphBuilder,
  type GraphBuilder,
  type LayerActivation,
  type UnaryKind,
  type ValueId,
} from "../../../src/loss/engine/plan/graph.js";
import { lowerActivation } from "../../../src/loss/engine/plan/lower-activation.js";
import { createTfEngine, isTensorFlowActive } from "../../../src/loss/engine/tensorflow/tf-engine.js";
import type { EngineChoice } from "../../../src/loss/loss-options.js";
import { useTestBackend } from "../../support/backend.js";

let engines: GraphEngine[] = [];
let choices: EngineChoice[] = [];

beforeAll(async () => {
  await useTestBackend();
  const native = isTensorFlowActive() ? [createTfEngine()] : [];
  engines = [createFusedEngine(), createOnnxEngine(requireOnnxRuntime(), 1), ...native];
  choices = ["auto", "tfjs", ...engines.map(({ name }) => name)];
});

/** ±1e-30 to ±1e4 in equal ratios, and −110 to 110 in equal steps; float32 numbers. */
const POINTS = [
  ...Array.from({ length: 273 }, (_, i) => 10 ** (i / 8 - 30)).flatMap((x) => [x, -x]),
  ...Array.from({ length: 1761 }, (_, i) => i / 8 - 110 + 0.013),
].map(Math.fround);

/** By series below 3, by continued fraction above. */
function erf(x: number): number {
  const a = Math.abs(x);
  if (a < 3) {
    let [sum, term] = [0, a];
    for (let n = 0; n < 100; n++) {
      sum += term / (2 * n + 1);
      term *= (-a * a) / (n + 1);
    }
    return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI);
  }
  let fraction = 0;
  for (let k = 60; k > 0; k--) fraction = k / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / (a + fraction));
}

const sigmoid = (x: number) => (x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x)));
const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const elu = (x: number) => (x > 0 ? x : Math.expm1(x));

type Reference = (x: number) => number;

/** Functions that may be small where it matters, since a logarithm or a product follows: 1e-6 relative. */
const relative: Readonly<Record<string, Reference>> = {
  relu: (x) => Math.max(0, x),
  relu6: (x) => Math.min(6, Math.max(0, x)),
  sigmoid,
  tanh: Math.tanh,
  softplus,
  softsign: (x) => x / (1 + Math.abs(x)),
  erf,
  exp: Math.exp,
  log: Math.log,
  abs: Math.abs,
  neg: (x) => -x,
  sqrt: Math.sqrt,
  softmax: sigmoid,
  swish: (x) => x * sigmoid(x),
  mish: (x) => x * Math.tanh(softplus(x)),
};

/** Functions that are differences of numbers near 1, in TF.js's own ops too: 4e-7, times |x| where that is larger. */
const absolute: Readonly<Record<string, Reference>> = {
  elu,
  selu: (x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * elu(x)),
  hardSigmoid: (x) => Math.min(1, Math.max(0, 0.2 * x + 0.5)),
  gelu: (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
  gelu_new: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  logSoftmax: (x) => -softplus(-x),
};

const unaryKinds: readonly string[] = ["erf", "exp", "log", "abs", "neg", "sqrt"] satisfies UnaryKind[];

/** A graph of one activation; softmax is over [x, 0]. */
function lowered(builder: GraphBuilder, name: string): ValueId {
  const x = builder.input("x0", [/softmax/i.test(name) ? 2 : 1]);
  if (unaryKinds.includes(name)) return builder.unary(name as UnaryKind, x);
  return lowerActivation(builder, x, { getClassName: () => name } as LayerActivation);
}

async function computed(engine: GraphEngine, name: string): Promise<readonly number[]> {
  const builder = createGraphBuilder();
  const program = await engine.compile(builder.build([lowered(builder, name)]));
  const width = /softmax/i.test(name) ? 2 : 1;
  const values = Float32Array.from(POINTS.flatMap((x) => (width === 2 ? [x, 0] : [x])));
  const data = { samples: POINTS.length, columns: [{ name: "x0", shape: [width], values }] };
  const batches = program.cut(data, POINTS.length);
  await program.setWeights([]);
  const output = await batches.run(0);
  batches.dispose();
  program.dispose();
  return POINTS.map((_, i) => output[i * width] as number);
}

/** Smallest float32 that has all its digits. */
const NORMAL = 2 ** -126;

function worst(
  values: readonly number[],
  reference: Reference,
  errorOf: (error: number, exact: number, x: number) => number,
): { error: number; at: number } {
  let found = { error: 0, at: 0 };
  POINTS.forEach((x, i) => {
    const [value, exact] = [values[i] as number, reference(x)];
    if (!Number.isFinite(Math.fround(exact))) {
      expect(value, `at ${x}`).toBe(Math.fround(exact));
      return;
    }
    const error = errorOf(Math.abs(value - exact), exact, x);
    // NaN is worse than anything.
    if (!(error <= found.error)) found = { error, at: x };
  });
  return found;
}

describe("activations against float64, over ±1e-30 … ±1e4", () => {
  it.each(Object.keys(relative))("%s to 1e-6 relative", async (name) => {
    for (const engine of engines) {
      // A product with a number that is no longer normal has no more digits than it; the softmax of oneDNN, which
      // TensorFlow uses on some processors, is 0 a little above.
      const errorOf = (error: number, exact: number, x: number) =>
        Math.abs(exact) < NORMAL || (["swish", "mish"].includes(name) && x < -80)
          ? Math.max(0, error - NORMAL)
          : name === "softmax" && Math.abs(exact) < 2 * NORMAL
            ? Math.max(0, error - 2 * NORMAL)
            : error / Math.abs(exact);
      const { error, at } = worst(await computed(engine, name), relative[name] as Reference, errorOf);
      expect(error, `${engine.name} at ${at}`).toBeLessThan(1e-6);
    }
  });

  it.each(Object.keys(absolute))("%s to 4e-7 absolute", async (name) => {
    for (const engine of engines) {
      const errorOf = (error: number, _exact: number, x: number) => error / Math.max(1, Math.abs(x));
      const { error, at } = worst(await computed(engine, name), absolute[name] as Reference, errorOf);
      expect(error, `${engine.name} at ${at}`).toBeLessThan(4e-7);
    }
  });
});

describe("losses of small sigmoids", () => {
  const ending = (units: number, loss: string) => {
    const model = tf.sequential({
      layers: [tf.layers.dense({ inputShape: [1], units, activation: "sigmoid", useBias: false })],
    });
    model.compile({ optimizer: "sgd", loss });
    return model;
  };

  it("binary crossentropy of a sample of class 1 at z", async () => {
    const model = ending(1, "binaryCrossentropy");
    const data = { xs: tf.ones([3, 1]), ys: tf.ones([3, 1]) };
    for (const engine of choices) {
      const evaluator = await createEngineEvaluator(model, data, { engine });
      const exact = { 5: softplus(5), 12: softplus(12), 15: softplus(15), 16: softplus(16) };
      for (const [z, loss] of Object.entries(exact)) {
        const value = await evaluator.evaluate(Float32Array.of(-z));
        expect(Math.abs(value.loss - loss), `${engine} at -${z}: ${value.loss}`).toBeLessThan(2e-6 * loss);
        const rows = await evaluator.perSample?.open(Int32Array.of(0, 2));
        const own = (await rows?.evaluate(Float32Array.of(-z)))?.loss ?? [];
        for (const one of own) expect(Math.abs(one - loss)).toBeLessThan(2e-6 * loss);
        expect(own).toHaveLength(2);
        rows?.dispose();
      }
      evaluator.dispose();
    }
  });

  it("categorical crossentropy over the sigmoids of z, z − 2, z − 4", async () => {
    const model = ending(3, "categoricalCrossentropy");
    const data = { xs: tf.ones([3, 1]), ys: tf.tensor2d([1, 0, 0, 1, 0, 0, 1, 0, 0], [3, 3]) };
    const exact = Math.log(1 + Math.exp(-2) + Math.exp(-4));
    for (const engine of choices) {
      const evaluator = await createEngineEvaluator(model, data, { engine });
      for (const z of [-14, -16, -18, -60]) {
        const { loss } = await evaluator.evaluate(Float32Array.of(z, z - 2, z - 4));
        expect(Math.abs(loss - exact), `${engine} at ${z}: ${loss}`).toBeLessThan(1e-6);
      }
      evaluator.dispose();
    }
  });
});
