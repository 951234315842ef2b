import * as tf from "@tensorflow/tfjs";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { InvalidDataError, LayoutError } from "../../src/base/errors.js";
import {
  assignWeights,
  bindModel,
  bindVariables,
  readWeights,
  readWeightsSync,
} from "../../src/model/bound-weights.js";
import { layoutOfModel, layoutOfVariables } from "../../src/model/layout-of-model.js";
import { useTestBackend } from "../support/backend.js";

beforeAll(async () => {
  await useTestBackend();
});

function network(): tf.Sequential {
  return tf.sequential({
    layers: [
      tf.layers.dense({ units: 4, inputShape: [3], kernelConstraint: tf.constraints.nonNeg() }),
      tf.layers.batchNormalization(),
      tf.layers.dense({ units: 2 }),
    ],
  });
}

const bits = (values: Float32Array) => [...new Int32Array(values.slice().buffer)];

const theta = (length: number) =>
  fc.array(fc.float(), { minLength: length, maxLength: length }).map((values) => Float32Array.from(values));

describe("models", () => {
  test("what was assigned is read back bit for bit: NaN, −0, ±∞, subnormal, against a constraint", async () => {
    const model = network();
    const layout = layoutOfModel(model);
    await fc.assert(
      fc.asyncProperty(theta(layout.parameterCount), async (values) => {
        assignWeights(model, layout, values);
        expect(bits(await readWeights(model, layout))).toEqual(bits(values));
        expect(bits(readWeightsSync(model, layout))).toEqual(bits(values));
      }),
      { numRuns: 30 },
    );
  });

  test("each weight goes to its own variable, in its shape", () => {
    const model = network();
    const layout = layoutOfModel(model);
    assignWeights(
      model,
      layout,
      Float32Array.from({ length: layout.parameterCount }, (_, i) => i),
    );
    for (const variable of model.weights) {
      const parameter = layout.parameters.find(({ name }) => name === variable.name);
      const values = [...variable.read().dataSync()];
      expect(values).toEqual(values.map((_, i) => (parameter?.offset ?? -1) + i));
      expect(variable.read().shape).toEqual(parameter?.shape);
    }
  });

  test("no tensor is leaked or disposed, inside a tidy or not; the model still predicts", () => {
    const model = network();
    const weights = bindModel(model, layoutOfModel(model));
    const before = tf.memory().numTensors;
    const values = weights.readSync();
    weights.assign(values);
    tf.tidy(() => weights.assign(values));
    weights.readSync(values);
    expect(tf.memory().numTensors).toBe(before);
    const shape = tf.tidy(() => [...(model.predict(tf.ones([1, 3])) as tf.Tensor).shape]);
    expect(shape).toEqual([1, 2]);
    expect(() => weights.assign(new Float32Array(3))).toThrow(/theta: expected 42 weights, got 3/);
    expect(tf.memory().numTensors).toBe(before);
  });

  test("the buffer may be reused at once", () => {
    const model = network();
    const weights = bindModel(model, layoutOfModel(model));
    const values = new Float32Array(weights.layout.parameterCount).fill(1);
    weights.assign(values);
    values.fill(2);
    expect(new Set(weights.readSync())).toEqual(new Set([1]));
  });

  test("reads into a buffer of the right length only", async () => {
    const weights = bindModel(network(), layoutOfModel(network()));
    const out = new Float32Array(weights.layout.parameterCount);
    expect(await weights.read(out)).toBe(out);
    await expect(weights.read(new Float32Array(2))).rejects.toThrow(InvalidDataError);
  });

  test("a layout of another process binds by architecture; a part leaves the rest alone", () => {
    const model = network();
    const kernels = layoutOfModel(network(), { select: ({ role }) => role === "kernel" });
    const whole = layoutOfModel(model);
    const before = readWeightsSync(model, whole);
    assignWeights(model, kernels, new Float32Array(kernels.parameterCount).fill(7));
    const after = readWeightsSync(model, whole);
    for (const { role, offset, size } of whole.parameters) {
      const part = after.subarray(offset, offset + size);
      if (role === "kernel") expect(new Set(part)).toEqual(new Set([7]));
      else expect(bits(part)).toEqual(bits(before.subarray(offset, offset + size)));
    }
  });

  test("another architecture is refused", () => {
    const other = tf.sequential({ layers: [tf.layers.dense({ units: 9, inputShape: [3] })] });
    expect(() => bindModel(other, layoutOfModel(network()))).toThrow(LayoutError);
  });

  test("weights read later are those of the call: an update in between does not show", async () => {
    const variable = tf.variable(tf.tensor1d([1, 2]));
    const weights = bindVariables({ variable }, layoutOfVariables({ variable }));
    const reading = weights.read();
    variable.assign(tf.tensor1d([8, 9]));
    expect([...(await reading)]).toEqual([1, 2]);
    variable.dispose();
  });
});

describe("variables", () => {
  test("integers and booleans pass through if float32 can hold them", () => {
    const variables = {
      w: tf.variable(tf.tensor2d([[1.5, -0]])),
      steps: tf.variable(tf.tensor1d([3, -16777216], "int32"), false),
      mask: tf.variable(tf.tensor1d([1, 0], "bool"), false),
    };
    const weights = bindVariables(variables, layoutOfVariables(variables));
    expect([...weights.readSync()]).toEqual([1.5, -0, 3, -16777216, 1, 0]);
    weights.assign(Float32Array.of(2.5, 0, -7, 8, 0, 1));
    expect(variables.steps.dtype).toBe("int32");
    expect([...variables.steps.dataSync()]).toEqual([-7, 8]);
    expect([...variables.mask.dataSync()]).toEqual([0, 1]);
  });

  test("a fraction for an integer changes nothing, an integer too large for float32 is refused", () => {
    const variables = { w: tf.variable(tf.tensor1d([1])), n: tf.variable(tf.tensor1d([5], "int32"), false) };
    const weights = bindVariables(variables, layoutOfVariables(variables));
    expect(() => weights.assign(Float32Array.of(2, 0.5))).toThrow(/n: expected a value of int32, got 0.5/);
    expect([...weights.readSync()]).toEqual([1, 5]);
    variables.n.assign(tf.tensor1d([16777217], "int32"));
    expect(() => weights.readSync()).toThrow(/n: expected an integer that float32 can hold, got 16777217/);
  });
});
