import { describe, expect, it } from "vitest";
import { InvalidDataError, InvalidOptionError } from "../../src/base/errors.js";
import { weightKeys } from "../../src/directions/directions.js";
import { randomDirections } from "../../src/directions/random.js";
import { makeLayout } from "../support/layout.js";

const dense = (first: number) => [
  { name: `dense_Dense${first}/kernel`, shape: [40, 30] },
  { name: `dense_Dense${first}/bias`, shape: [30] },
  { name: `dense_Dense${first + 1}/kernel`, shape: [30, 30] },
  { name: `dense_Dense${first + 1}/bias`, shape: [30] },
];
const layout = makeLayout(dense(1));
const theta = new Float32Array(layout.parameterCount).fill(0.5);

function cosine(a: Float32Array, b: Float32Array): number {
  let [ab, aa, bb] = [0, 0, 0];
  a.forEach((value, i) => {
    ab += value * b[i];
    aa += value * value;
    bb += b[i] * b[i];
  });
  return ab / Math.sqrt(aa * bb);
}

describe("randomDirections", () => {
  it("repeats for the same seed, seed 0 included, and for no other", () => {
    const first = randomDirections(layout, theta, { seed: 0 });
    expect(randomDirections(layout, theta, { seed: 0 }).vectors).toEqual(first.vectors);
    expect(randomDirections(layout, theta).vectors).toEqual(first.vectors);
    for (const seed of [1, -1, 2 ** 32, 2 ** 40]) {
      const other = randomDirections(layout, theta, { seed });
      expect(Math.abs(cosine(other.vectors[0], first.vectors[0]))).toBeLessThan(0.1);
      expect(other.seed).toBe(seed);
    }
  });

  it("has independent axes, near E|cos| = √(2/(πD))", () => {
    let sum = 0;
    for (let seed = 0; seed < 100; seed++) {
      const { vectors } = randomDirections(layout, theta, { seed, normalize: "none", ignore: [] });
      sum += Math.abs(cosine(vectors[0], vectors[1]));
    }
    const expected = Math.sqrt(2 / (Math.PI * layout.parameterCount));
    expect(sum / 100 / expected).toBeGreaterThan(0.7);
    expect(sum / 100 / expected).toBeLessThan(1.3);
  });

  it("draws weights independently of one another: taking one away leaves the others", () => {
    const all = randomDirections(layout, theta, { normalize: "none", ignore: [] });
    const kernels = randomDirections(layout, theta, { normalize: "none" });
    const [first, bias, second] = layout.parameters;
    const entries = (vector: Float32Array, { offset, size }: { offset: number; size: number }) =>
      vector.subarray(offset, offset + size);
    for (const parameter of [first, second]) {
      expect(entries(kernels.vectors[0], parameter)).toEqual(entries(all.vectors[0], parameter));
    }
    expect(entries(kernels.vectors[0], bias).every((value) => value === 0)).toBe(true);
    expect(entries(all.vectors[0], first).subarray(0, 5)).not.toEqual(
      entries(all.vectors[0], second).subarray(0, 5),
    );
  });

  it("is the same for the same architecture built again, and with other trainable flags", () => {
    const again = makeLayout(dense(9));
    expect(weightKeys(again)).toEqual(weightKeys(layout));
    const { vectors } = randomDirections(again, theta, { seed: 3 });
    expect(vectors).toEqual(randomDirections(layout, theta, { seed: 3 }).vectors);
    const [k1, b1, k2, b2] = dense(1);
    const reordered = makeLayout([k2, b2, { ...k1, trainable: false }, b1]);
    const moved = randomDirections(reordered, theta, { seed: 3 });
    expect(moved.vectors[0].subarray(0, 900)).toEqual(vectors[0].subarray(1230, 2130));
    expect(moved.vectors[0].subarray(930).every((value) => value === 0)).toBe(true);
  });

  it("is the same for a second model with the same layer names, whose weights TF.js numbers", () => {
    const twin = makeLayout(dense(1).map((one) => ({ ...one, name: `${one.name}_1` })));
    expect(weightKeys(twin)).toEqual(weightKeys(makeLayout(dense(1))));
    // Numbers that are the user's own still tell variables apart.
    const own = ["block/w", "block/w_1", "block/w_2"].map((name) => ({ ...dense(1)[0], name }));
    expect(new Set(weightKeys(makeLayout(own))).size).toBe(3);
  });

  it("carries what made it", () => {
    const directions = randomDirections(layout, theta, { count: 3, seed: 5 });
    expect(directions.labels).toEqual(["random 1", "random 2", "random 3"]);
    expect(directions.center).toBe(theta);
    expect(directions.explainedVarianceRatio).toBeNull();
    expect(directions.options).toEqual({
      normalize: "filter",
      ignore: ["bias", "scale", "offset"],
      oneDimensional: "vector",
    });
  });

  it("says where no filter axes are known", () => {
    const variables = makeLayout([{ name: "w", shape: [4, 5], filterAxes: null, layerType: "Variable" }]);
    const { warnings } = randomDirections(variables, new Float32Array(20).fill(1));
    expect(warnings).toEqual([
      { code: "no-filter-axes", message: "no filter axes are known for w: each is normalized as one filter" },
    ]);
  });

  it("refuses what cannot be", () => {
    expect(() => randomDirections(layout, theta, { seed: 0.5 })).toThrow(
      "seed: expected a safe integer, got 0.5",
    );
    expect(() => randomDirections(layout, theta, { seed: Number.NaN })).toThrow(InvalidOptionError);
    expect(() => randomDirections(layout, theta, { count: 4 })).toThrow("count: expected 1, 2 or 3, got 4");
    const zero = new Float32Array(layout.parameterCount);
    expect(() => randomDirections(layout, zero)).toThrow(InvalidDataError);
    expect(() => randomDirections(layout, theta, { ignore: ["kernel", "bias"] })).toThrow(
      "at least one entry",
    );
  });
});
