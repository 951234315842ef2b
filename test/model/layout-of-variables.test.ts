import * as tf from "@tensorflow/tfjs";
import { beforeAll, expect, test } from "vitest";
import { layoutOfVariables } from "../../src/model/layout-of-model.js";
import { useTestBackend } from "../support/backend.js";

beforeAll(async () => {
  await useTestBackend();
});

const zeros = (shape: number[], trainable = true, name?: string) =>
  tf.variable(tf.zeros(shape), trainable, name);

test("a record gives the names, trainable variables come first", () => {
  const layout = layoutOfVariables({ state: zeros([2], false), w: zeros([2, 3]), b: zeros([3]) });
  expect(
    layout.parameters.map(({ name, offset, size, trainable }) => [name, offset, size, trainable]),
  ).toEqual([
    ["w", 0, 6, true],
    ["b", 6, 3, true],
    ["state", 9, 2, false],
  ]);
  expect(layout.trainableCount).toBe(9);
  expect(new Set(layout.parameters.map((p) => `${p.role} ${p.layerType} ${p.filterAxes}`))).toEqual(
    new Set(["other Variable null"]),
  );
});

test("in a list, names that TF.js made up give way to the index", () => {
  const make = () => layoutOfVariables([zeros([2]), zeros([1])]);
  const [a, b] = [make(), make()];
  expect(a.parameters.map((p) => p.name)).toEqual(["variable_0", "variable_1"]);
  expect(a).toEqual(b);
  const named = layoutOfVariables([zeros([2], true, "mine-1")]);
  expect(named.parameters[0]?.name).toBe("mine-1");
});

test("describe gives roles and axes, and enters the digest", () => {
  const variables = { w: zeros([2, 3]) };
  const plain = layoutOfVariables(variables);
  const described = layoutOfVariables(variables, { describe: () => ({ role: "kernel", filterAxes: [1] }) });
  expect(described.parameters[0]).toMatchObject({ role: "kernel", filterAxes: [1] });
  expect(described.digest).not.toBe(plain.digest);
});

test("refusals: none at all, one variable twice, complex numbers", () => {
  expect(() => layoutOfVariables([])).toThrow(/variables: expected at least one weight.*got no weights/);
  const w = zeros([2], true, "mine-2");
  expect(() => layoutOfVariables([w, w])).toThrow(
    /a different name for every weight, got two weights named "mine-2"/,
  );
  const complex = {
    z: { name: "z", dtype: "complex64", shape: [1], trainable: true } as unknown as tf.Variable,
  };
  expect(() => layoutOfVariables(complex)).toThrow(
    /z: expected a variable of type float32, int32 or bool, got complex64/,
  );
});
