import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { createEngineEvaluator } from "../../../src/loss/engine/create-engine-evaluator.js";
import { createFiniteness } from "../../../src/loss/engine/finiteness.js";
import { createFusedEngine } from "../../../src/loss/engine/fused/fused-engine.js";
import { cutColumns, type GraphEngine, readColumns } from "../../../src/loss/engine/graph-program.js";
import { networkNodes } from "../../../src/loss/engine/plan/audit-graph.js";
import { sizeOf } from "../../../src/loss/engine/plan/graph.js";
import { interpretSample } from "../../../src/loss/engine/plan/interpret-graph.js";
import { type ModelPlan, planModel, weightsAt } from "../../../src/loss/engine/plan/plan-model.js";
import type { TensorData } from "../../../src/loss/evaluation-data.js";
import type { EngineEvaluator } from "../../../src/loss/loss-evaluator.js";
import { type EngineChoice, resolveModelLossOptions } from "../../../src/loss/loss-options.js";
import { planLoss } from "../../../src/loss/loss-plan.js";
import { portsOf } from "../../../src/loss/model-ports.js";
import { openSamples } from "../../../src/loss/model-samples.js";
import { bindModel } from "../../../src/model/bound-weights.js";
import { layoutOfModel } from "../../../src/model/layout-of-model.js";
import { expectAllClose } from "../../support/allclose.js";
import { useTestBackend } from "../../support/backend.js";
import { zoo } from "./model-zoo.js";

let engines: EngineChoice[] = [];

beforeAll(async () => {
  const native = (await useTestBackend()) === "native" ? (["tensorflow"] as const) : [];
  engines = ["auto", "tfjs", "tfjs-fused", "onnx", ...native];
});

const thetaOf = (model: tf.LayersModel) => bindModel(model, layoutOfModel(model)).readSync();

/** Images of which a third is 0, as the background of a digit is. */
function images(samples: number, size: number): tf.Tensor {
  return tf.relu(tf.randomUniform([samples, size, size, 1], -0.5, 1, "float32", 5));
}

function lenet(): { readonly model: tf.Sequential; readonly data: { xs: tf.Tensor; ys: tf.Tensor } } {
  const init = (seed: number) => tf.initializers.glorotNormal({ seed });
  const model = tf.sequential({
    layers: [
      tf.layers.conv2d({
        inputShape: [14, 14, 1],
        filters: 16,
        kernelSize: 3,
        activation: "relu",
        kernelInitializer: init(1),
      }),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.conv2d({ filters: 16, kernelSize: 3, activation: "relu", kernelInitializer: init(2) }),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 20, activation: "relu", kernelInitializer: init(3) }),
      tf.layers.dense({ units: 10, activation: "softmax", kernelInitializer: init(4) }),
    ],
  });
  model.compile({ optimizer: "sgd", loss: "categoricalCrossentropy", metrics: ["accuracy"] });
  const labels = tf.randomUniform([40], 0, 10, "int32", 6);
  return { model, data: { xs: images(40, 14), ys: tf.oneHot(labels, 10).cast("float32") } };
}

/** Finds where a parameter lies in θ. */
function offsetOf(model: tf.LayersModel, name: RegExp): number {
  const found = layoutOfModel(model).parameters.find((parameter) => name.test(parameter.name));
  if (found === undefined) throw new Error(String(name));
  return found.offset;
}

type Change = (theta: Float32Array) => void;

/** What gives the losses of every engine at changed weights: over the set, on a plane, and as the mean of its samples. */
async function openEngines(model: tf.LayersModel, data: TensorData, keep = false) {
  const chosen = keep ? engines.slice(0, 2) : engines;
  const evaluators: EngineEvaluator[] = [];
  for (const engine of chosen) {
    const options = keep ? ({ engine, nonFiniteData: "keep" } as const) : { engine };
    evaluators.push(await createEngineEvaluator(model, data, options));
  }
  return {
    async at(change: Change): Promise<readonly number[]> {
      const theta = thetaOf(model);
      change(theta);
      const losses: number[] = [];
      for (const evaluator of evaluators) {
        const value = await evaluator.evaluate(theta);
        const plane = await evaluator.openPlane?.({ center: theta.map(() => 0), vectors: [theta] });
        const onPlane = await plane?.evaluate(theta, 1, 0);
        const samples = await evaluator.perSample?.open(null);
        const values = (await samples?.evaluate(theta))?.loss ?? new Float64Array();
        losses.push(value.loss, onPlane?.loss ?? -1, values.reduce((a, b) => a + b, 0) / values.length);
        if (Number.isNaN(value.loss)) {
          const metrics = Object.values(value.metrics);
          expect(metrics.every(Number.isNaN), `metrics of ${evaluator.engine.name}`).toBe(true);
        }
        samples?.dispose();
        plane?.dispose();
      }
      return losses;
    },
    dispose: () => {
      for (const evaluator of evaluators) evaluator.dispose();
    },
  };
}

const times =
  (by: number): Change =>
  (theta) =>
    theta.set(theta.map((w) => by * w));

function expectNoLoss(losses: readonly number[]): void {
  expect(losses).toEqual(losses.map(() => Number.NaN));
}

function expectOneLoss(losses: readonly number[]): void {
  expect(losses[0]).toBeGreaterThan(0);
  expectAllClose(
    losses,
    losses.map(() => losses[0] as number),
    { relative: 1e-5 },
  );
}

describe("one definition of where there is no loss, on every engine", () => {
  it("an infinite weight on pixels that are 0 is NaN; in front of a ReLU −∞ is 0", async () => {
    const { model, data } = lenet();
    const kernel = offsetOf(model, /conv2d.*kernel/);
    const bias = offsetOf(model, /conv2d.*bias/);
    const all = await openEngines(model, data);
    const at = (offset: number, value: number) =>
      all.at((theta) => {
        theta[offset] = value;
      });
    expectNoLoss(await at(kernel + 10, Number.NEGATIVE_INFINITY));
    expectNoLoss(await at(kernel + 10, Number.POSITIVE_INFINITY));
    expectOneLoss(await at(bias + 3, Number.NEGATIVE_INFINITY));
    expectNoLoss(await at(bias + 3, Number.POSITIVE_INFINITY));
    all.dispose();
    // Without a 0 among the pixels −∞·x is −∞, and 0 behind the ReLU.
    const bright = await openEngines(model, { xs: tf.add(data.xs, 0.25), ys: data.ys });
    const losses = await bright.at((theta) => {
      theta[kernel + 10] = Number.NEGATIVE_INFINITY;
    });
    expectOneLoss(losses);
    bright.dispose();
  });

  it("an overflow is NaN, also behind max pooling and ReLU", async () => {
    const { model, data } = lenet();
    const all = await openEngines(model, data);
    for (const by of [1, 30]) expectOneLoss(await all.at(times(by)));
    for (const by of [1e19, 1e25, 1e38]) expectNoLoss(await all.at(times(by)));
    all.dispose();
  });

  it("an overflow that a saturating activation would hide is NaN", async () => {
    const model = tf.sequential({
      layers: [
        tf.layers.dense({ inputShape: [400], units: 8, activation: "relu" }),
        tf.layers.dense({ units: 8, activation: "tanh" }),
        tf.layers.dense({ units: 1, activation: "sigmoid" }),
      ],
    });
    model.compile({ optimizer: "sgd", loss: "binaryCrossentropy", metrics: ["accuracy"] });
    const data = { xs: tf.randomUniform([30, 400], 0, 1, "float32", 3), ys: tf.ones([30, 1]) };
    const all = await openEngines(model, data);
    const bias = offsetOf(model, /bias/);
    expectOneLoss(await all.at(times(1e10)));
    expectNoLoss(await all.at(times(1e25)));
    expectOneLoss(await all.at((theta) => theta.fill(Number.NEGATIVE_INFINITY, bias, bias + 4)));
    all.dispose();
  });

  it("only the samples without a value are NaN one by one", async () => {
    const { model, data } = lenet();
    const bright = tf.concat([tf.add(data.xs.slice(0, 20), 0.25), data.xs.slice(20)]);
    const theta = thetaOf(model);
    theta[offsetOf(model, /conv2d.*kernel/) + 10] = Number.NEGATIVE_INFINITY;
    for (const engine of engines) {
      const evaluator = await createEngineEvaluator(model, { xs: bright, ys: data.ys }, { engine });
      const samples = await evaluator.perSample?.open(Int32Array.of(1, 5, 19, 20, 39));
      const values = await samples?.evaluate(theta);
      expect(Array.from(values?.loss ?? [], Number.isFinite), engine).toEqual([
        true,
        true,
        true,
        false,
        false,
      ]);
      expect(Array.from(values?.metrics.acc ?? [], Number.isFinite), engine).toEqual([
        true,
        true,
        true,
        false,
        false,
      ]);
      samples?.dispose();
      evaluator.dispose();
    }
  });

  it("NaN in data that are kept is NaN, also behind max pooling; −∞ in front of a ReLU is not", async () => {
    const { model, data } = lenet();
    const values = data.xs.dataSync().slice();
    values[1000] = Number.NaN;
    const lossesOn = async (change: Change) => {
      const xs = tf.tensor(values.slice(), data.xs.shape);
      const kept = await openEngines(model, { xs, ys: data.ys }, true);
      const losses = await kept.at(change);
      kept.dispose();
      return losses;
    };
    expectNoLoss(await lossesOn(times(1)));
    values[1000] = Number.POSITIVE_INFINITY;
    expectNoLoss(await lossesOn(times(1)));
    const kernel = offsetOf(model, /conv2d.*kernel/);
    expectOneLoss(await lossesOn((theta) => theta.fill(-0.1, kernel, kernel + 9 * 16)));
  });

  it("tensors are left as they were", async () => {
    const { model, data } = lenet();
    const theta = thetaOf(model);
    const before = tf.memory().numTensors;
    for (const engine of engines) {
      const evaluator = await createEngineEvaluator(model, data, { engine });
      for (const by of [1, 1e19, Number.POSITIVE_INFINITY])
        await evaluator.evaluate(theta.map((w) => w * by));
      evaluator.dispose();
    }
    expect(tf.memory().numTensors).toBe(before);
    expect(thetaOf(model)).toEqual(theta);
  });
});

async function planned(model: tf.LayersModel, data: TensorData) {
  const options = resolveModelLossOptions({});
  const plan = planModel(model, planLoss(model, options), layoutOfModel(model)) as ModelPlan;
  const source = await openSamples(portsOf(model), data, options);
  const columns = cutColumns(await readColumns(source, plan), plan.graph);
  source.dispose();
  return { plan, columns };
}

describe("the audit", () => {
  it("is not run at ordinary points: sizes of data and weights exclude an overflow", async () => {
    const idle: GraphEngine = {
      ...createFusedEngine(),
      compile: async () => {
        throw new Error("an audit was run");
      },
    };
    for (const name of ["mlp, relu", "lenet", "resnet-8", "separable, depthwise, prelu", "sequence"]) {
      const { model, data } = (zoo.find((one) => one.name === name) as (typeof zoo)[0]).make();
      const { plan, columns } = await planned(model, data);
      const finiteness = createFiniteness({ plan, engine: idle, data: columns, batchSize: 16 });
      const theta = thetaOf(model);
      for (const by of [0, 1, -1, 5]) {
        const point = theta.map((w, i) => (w > 0 ? Math.abs(by + Math.sin(i)) * w : by * w));
        expect(await finiteness.isFinite(point), `${name} times ${by}`).toBe(true);
      }
      if (name !== "lenet") continue;
      await expect(finiteness.isFinite(theta.map((w) => w * 1e19))).rejects.toThrow("an audit was run");
    }
  });

  it("of a deep network is run once, and then only where weights have grown", async () => {
    let runs = 0;
    const fused = createFusedEngine();
    const counting: GraphEngine = {
      ...fused,
      async compile(graph) {
        const program = await fused.compile(graph);
        return {
          ...program,
          setWeights: async (weights) => {
            runs++;
            await program.setWeights(weights);
          },
        };
      },
    };
    const model = tf.sequential();
    for (let i = 0; i < 60; i++) {
      const inputShape = i === 0 ? { inputShape: [30] } : {};
      const kernelInitializer = tf.initializers.randomNormal({ stddev: Math.sqrt(2 / 30), seed: i });
      model.add(tf.layers.dense({ units: 30, activation: "relu", kernelInitializer, ...inputShape }));
    }
    model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
    const data = { xs: tf.randomNormal([16, 30], 0, 1, "float32", 1), ys: tf.zeros([16, 30]) };
    const { plan, columns } = await planned(model, data);
    const finiteness = createFiniteness({ plan, engine: counting, data: columns, batchSize: 16 });
    const theta = thetaOf(model);
    for (const by of [1, 0.5, 1.5, -1, 1]) {
      expect(await finiteness.isFinite(theta.map((w) => by * w))).toBe(true);
    }
    expect(runs).toBe(1);
    expect(await finiteness.isFinite(theta.map((w) => 20 * w))).toBe(false);
    expect(runs).toBe(2);
    finiteness.dispose();
  });
});

describe("float64 arithmetic of a plan", () => {
  it.each(zoo)("is that of the model: $name", async ({ make }) => {
    const { model, data } = make();
    const { plan, columns } = await planned(model, data);
    const nodes = networkNodes(plan.raw, plan.totals);
    const weights = weightsAt(plan.raw, plan.reader(thetaOf(model)));
    const predicted = model.predict(data.xs as tf.Tensor) as tf.Tensor | tf.Tensor[];
    const outputs = (Array.isArray(predicted) ? predicted : [predicted]).map((tensor) => tensor.dataSync());
    for (const row of [0, 36]) {
      const values = new Map<number, Float64Array>();
      const input = (name: string) => {
        const column = columns.columns.find((one) => one.name === name) as (typeof columns.columns)[0];
        const size = sizeOf(column.shape);
        return column.values.subarray(row * size, (row + 1) * size);
      };
      interpretSample({ graph: plan.raw, weights, input }, nodes, (id, value) => {
        values.set(id, value);
        return true;
      });
      const found = outputs.map((output) => {
        const size = output.length / 37;
        const own = output.slice(row * size, (row + 1) * size);
        return [...values.values()].some(
          (value) => value.length === size && value.every((x, i) => Math.abs(x - own[i]) < 2e-5),
        );
      });
      expect(found).toEqual(found.map(() => true));
    }
  });
});
