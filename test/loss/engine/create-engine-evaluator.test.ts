import { availableParallelism } from "node:os";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { createPlanePoint } from "../../../src/directions/slice-map.js";
import { createEngineEvaluator } from "../../../src/loss/engine/create-engine-evaluator.js";
import type { EngineEvaluator, PlaneVectors } from "../../../src/loss/loss-evaluator.js";
import type { EngineChoice } from "../../../src/loss/loss-options.js";
import { createModelEvaluator } from "../../../src/loss/model-evaluator.js";
import { bindModel } from "../../../src/model/bound-weights.js";
import { layoutOfModel } from "../../../src/model/layout-of-model.js";
import { useTestBackend } from "../../support/backend.js";
import { zoo } from "./model-zoo.js";

/** What "auto" tries here. */
let installed: EngineChoice[] = [];
/** Every engine that can be asked for here. */
let engines: EngineChoice[] = [];

beforeAll(async () => {
  installed = (await useTestBackend()) === "native" ? ["onnx", "tensorflow"] : ["onnx"];
  engines = [...installed, "tfjs-fused"];
});

function made(name: string) {
  const found = zoo.find((zooCase) => zooCase.name === name);
  if (found === undefined) throw new Error(name);
  return found.make();
}

const thetaOf = (model: tf.LayersModel) => bindModel(model, layoutOfModel(model)).readSync();

/** A first layer on a wide input, so that its outputs are worth keeping, and `units` behind it. */
function wideMlp(units = 8) {
  const model = tf.sequential({
    layers: [
      tf.layers.flatten({ inputShape: [20, 20, 1] }),
      tf.layers.dense({ units: 12 }),
      tf.layers.batchNormalization(),
      tf.layers.reLU(),
      tf.layers.dense({ units }),
      tf.layers.dense({ units: 4, activation: "softmax" }),
    ],
  });
  model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy", metrics: ["accuracy"] });
  const xs = tf.randomNormal([50, 20, 20, 1], 0, 1, "float32", 1);
  const ys = tf.oneHot(tf.randomUniform([50], 0, 4, "int32", 2), 4).cast("float32");
  return { model, data: { xs, ys } };
}

describe("createEngineEvaluator", () => {
  it("measures engine and batch size once, and says what it chose", async () => {
    const { model, data } = made("lenet");
    const evaluator = await createEngineEvaluator(model, data);
    expect(["tfjs", ...installed]).toContain(evaluator.engine.name);
    expect(evaluator.engine.batchSize).toBe(37);
    const { tfjs = Number.NaN, ...graphs } = evaluator.measured ?? {};
    expect(Object.keys(graphs).sort()).toEqual([...installed].sort());
    // The model's own ops are taken only where they are clearly faster than every graph.
    const best = Math.min(...Object.values(graphs));
    expect(evaluator.engine.name === "tfjs").toBe(tfjs < 0.75 * best);
    expect(evaluator.warnings).toEqual([]);
    evaluator.dispose();
  });

  it("does not time what it takes from an earlier choice, and gives the same bits; other choices are timed", async () => {
    const { model, data } = made("lenet");
    const theta = thetaOf(model);
    for (const engine of engines) {
      const first = await createEngineEvaluator(model, data, { engine });
      expect(Object.keys(first.measured ?? {})).toEqual([engine]);
      const again = await createEngineEvaluator(model, data, { reuse: first.engine });
      expect(again.measured).toEqual({});
      expect(again.engine).toEqual(first.engine);
      expect(await again.evaluate(theta)).toEqual(await first.evaluate(theta));
      first.dispose();
      again.dispose();
    }
    // A batch size alone leaves the engine to be chosen.
    const sized = await createEngineEvaluator(model, data, { batchSize: 16 });
    expect(Object.keys(sized.measured ?? {}).sort()).toEqual([...installed, "tfjs"].sort());
    sized.dispose();
  });

  it("takes all threads in ONNX Runtime, or as many as it is told, and the same again", async () => {
    const { model, data } = made("mlp, relu");
    const open = await createEngineEvaluator(model, data, { engine: "onnx" });
    expect(open.engine.threads).toBe(availableParallelism());
    const again = await createEngineEvaluator(model, data, { reuse: open.engine });
    expect(again.engine).toEqual(open.engine);
    expect(await again.evaluate(thetaOf(model))).toEqual(await open.evaluate(thetaOf(model)));
    const told = await createEngineEvaluator(model, data, { engine: "onnx", threads: 3 });
    expect(told.engine.threads).toBe(3);
    for (const evaluator of [open, again, told]) evaluator.dispose();
  });

  it("leaves weights and tensors as they were, also when aborted", async () => {
    const { model, data } = made("resnet-8");
    const theta = thetaOf(model);
    const before = tf.memory().numTensors;
    for (const engine of [...engines, "tfjs" as const]) {
      const evaluator = await createEngineEvaluator(model, data, { engine, batchSize: 8 });
      await evaluator.evaluate(theta.map((value) => value * 1.1));
      const controller = new AbortController();
      const aborted = evaluator.evaluate(theta, controller.signal);
      setImmediate(() => controller.abort(new Error("enough")));
      await expect(aborted).rejects.toThrow("enough");
      const after = await evaluator.evaluate(theta);
      expect(after.loss).toBeGreaterThan(0);
      evaluator.dispose();
      evaluator.dispose();
      await expect(evaluator.evaluate(theta)).rejects.toThrow("disposed");
    }
    expect(tf.memory().numTensors).toBe(before);
    expect(thetaOf(model)).toEqual(theta);
  });

  it("gives the same bits for the same θ again", async () => {
    const { model, data } = made("lenet");
    const theta = thetaOf(model);
    for (const engine of engines) {
      const evaluator = await createEngineEvaluator(model, data, { engine, batchSize: 10 });
      const first = await evaluator.evaluate(theta);
      await evaluator.evaluate(theta.map((value) => -value));
      expect(await evaluator.evaluate(theta)).toEqual(first);
      evaluator.dispose();
    }
  });

  it("gives NaN where a moving variance is negative or a weight is NaN, and infinity its own value", async () => {
    const { model, data } = made("resnet-8");
    const layout = layoutOfModel(model);
    const { offset } = layout.parameters.find(
      ({ role, name }) => role === "state" && name.includes("variance"),
    ) ?? {
      offset: -1,
    };
    const own = await createModelEvaluator(model, data);
    for (const engine of engines) {
      const evaluator = await createEngineEvaluator(model, data, { engine });
      for (const [index, value] of [
        [offset, -1],
        [0, Number.NaN],
        [0, Number.POSITIVE_INFINITY],
      ] as const) {
        const theta = thetaOf(model);
        theta[index] = value;
        expect(await evaluator.evaluate(theta)).toEqual(await own.evaluate(theta));
      }
      evaluator.dispose();
    }
    own.dispose();
  });

  it("computes with the model's own ops, and says so, what it does not know", async () => {
    const model = tf.sequential({
      layers: [
        tf.layers.simpleRNN({ units: 3, inputShape: [4, 2] }),
        tf.layers.dense({ units: 2, activation: "softmax" }),
      ],
    });
    model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy" });
    const data = {
      xs: tf.ones([6, 4, 2]),
      ys: tf.oneHot(tf.tensor1d([0, 1, 0, 1, 1, 1], "int32"), 2).cast("float32"),
    };
    const evaluator = await createEngineEvaluator(model, data);
    expect(evaluator.engine.name).toBe("tfjs");
    expect(evaluator.warnings).toEqual([
      {
        code: "engine-passed-over",
        message: expect.stringMatching(/simple_rnn_SimpleRNN\d+" \(SimpleRNN\)/),
      },
    ]);
    evaluator.dispose();
    await expect(createEngineEvaluator(model, data, { engine: "onnx" })).rejects.toThrow(
      /^engine "onnx": expected a model, loss and data that it can take, got layer "simple_rnn/,
    );
  });

  it("passes over an engine that does not agree with the model's own ops", async () => {
    const { model, data } = made("mlp, tanh");
    const layer = model.layers[1] as unknown as { activation: object };
    layer.activation = { getClassName: () => "tanh", apply: (x: tf.Tensor) => tf.tanh(x).mul(2) };
    const evaluator = await createEngineEvaluator(model, data);
    expect(evaluator.engine.name).toBe("tfjs");
    expect(evaluator.warnings?.map(({ message }) => message).join()).toContain("does not agree");
    expect(evaluator.warnings).toHaveLength(installed.length);
    evaluator.dispose();
    await expect(createEngineEvaluator(model, data, { engine: "onnx" })).rejects.toThrow("does not agree");
    // An earlier choice is not timed, but it is compared all the same.
    const reuse = { name: "onnx", batchSize: 8, threads: 1 };
    await expect(createEngineEvaluator(model, data, { reuse })).rejects.toThrow("does not agree");
  });

  it("takes a tf.data.Dataset that is kept, and refuses NaN in the data, or leaves it to the model's own ops", async () => {
    const { model, data } = made("lenet");
    const { xs, ys } = data as { xs: tf.Tensor; ys: tf.Tensor };
    const set = tf.data
      .zip({ xs: tf.data.array(tf.unstack(xs)), ys: tf.data.array(tf.unstack(ys)) })
      .batch(9);
    const whole = await createEngineEvaluator(model, data, { engine: "onnx" });
    const streamed = await createEngineEvaluator(model, set as never, { engine: "onnx", batchSize: 37 });
    const theta = thetaOf(model);
    expect((await streamed.evaluate(theta)).loss).toBeCloseTo((await whole.evaluate(theta)).loss, 5);
    whole.dispose();
    streamed.dispose();
    const values = xs.dataSync().slice();
    values[5] = Number.NaN;
    const broken = { xs: tf.tensor(values, xs.shape), ys };
    await expect(createEngineEvaluator(model, broken)).rejects.toThrow(
      "xs: expected finite numbers, got data of which 1 of 37 rows hold NaN or infinity, first row 0",
    );
    const kept = await createEngineEvaluator(model, broken, { nonFiniteData: "keep" });
    expect(kept.engine.name).toBe("tfjs");
    kept.dispose();
  });

  it("refuses options that cannot be used", async () => {
    const { model, data } = made("mlp, relu");
    await expect(createEngineEvaluator(model, data, { engine: "torch" as never })).rejects.toThrow(
      'engine: expected one of auto, tfjs, tfjs-fused, onnx, tensorflow, got "torch"',
    );
    await expect(createEngineEvaluator(model, data, { threads: 0 })).rejects.toThrow(
      "threads: expected a whole number of at least 1, got 0",
    );
    if (!engines.includes("tensorflow")) {
      await expect(createEngineEvaluator(model, data, { engine: "tensorflow" })).rejects.toThrow(
        'engine "tensorflow": expected the native backend, got the backend "wasm"',
      );
    }
  });
});

async function openPlane({ openPlane: open }: EngineEvaluator, plane: PlaneVectors) {
  if (open === undefined) throw new Error("expected an engine that opens planes");
  return open(plane);
}

describe("openPlane", () => {
  it.each([
    ["in one batch", 8],
    ["in four, the last smaller, for 16 samples fill a core's cache (1 MiB)", 16_384],
  ])("gives what evaluate gives, with the first layer's outputs kept: %s", async (_, units) => {
    const { model, data } = wideMlp(units);
    const center = thetaOf(model);
    const layout = layoutOfModel(model);
    const direction = (by: number) =>
      center.map((_, i) => (i < layout.trainableCount ? 0.1 * Math.sin(by * (i + 1)) : 0));
    const plane = { center, vectors: [direction(1), direction(2)] };
    const { theta, moveTo } = createPlanePoint(plane);
    const before = tf.memory().numTensors;
    for (const engine of engines) {
      const evaluator = await createEngineEvaluator(model, data, { engine, batchSize: 16 });
      const opened = await openPlane(evaluator, plane);
      expect(opened.isCached).toBe(true);
      for (const [alpha, beta] of [
        [0, 0],
        [0.7, -0.3],
        [-1, 1],
        [3, 2],
      ] as const) {
        moveTo(alpha, beta);
        const value = await opened.evaluate(theta, alpha, beta);
        const expected = await evaluator.evaluate(theta);
        expect(Math.abs(value.loss / expected.loss - 1)).toBeLessThan(1e-5);
        expect(value.metrics).toEqual(expected.metrics);
      }
      opened.dispose();
      evaluator.dispose();
    }
    expect(tf.memory().numTensors).toBe(before);
  });

  it("leaves weights that the layout leaves out where they are", async () => {
    const { model, data } = wideMlp();
    const layout = layoutOfModel(model, { select: ({ name }) => !name.endsWith("bias") });
    const center = bindModel(model, layout).readSync();
    const vectors = [center.map((_, i) => (i < layout.trainableCount ? 0.1 * Math.cos(i) : 0))];
    (model.layers[1] as tf.layers.Layer).setWeights([
      (model.layers[1] as tf.layers.Layer).getWeights()[0] as tf.Tensor,
      tf.ones([12]),
    ]);
    const { theta, moveTo } = createPlanePoint({ center, vectors });
    const evaluator = await createEngineEvaluator(model, data, { engine: "onnx", layout });
    const opened = await openPlane(evaluator, { center, vectors });
    moveTo(2, 0);
    const own = await createModelEvaluator(model, data, { layout });
    const expected = await own.evaluate(theta);
    expect(Math.abs((await opened.evaluate(theta, 2, 0)).loss / expected.loss - 1)).toBeLessThan(1e-5);
    opened.dispose();
    evaluator.dispose();
    own.dispose();
  });

  it("keeps nothing where the first layer is a convolution", async () => {
    const { model, data } = made("lenet");
    const center = thetaOf(model);
    const evaluator = await createEngineEvaluator(model, data, { engine: "onnx" });
    const opened = await openPlane(evaluator, { center, vectors: [center] });
    expect(opened.isCached).toBe(false);
    expect(await opened.evaluate(center, 0, 0)).toEqual(await evaluator.evaluate(center));
    opened.dispose();
    evaluator.dispose();
  });
});
