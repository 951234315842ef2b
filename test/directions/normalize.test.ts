import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InvalidDataError, InvalidOptionError } from "../../src/base/errors.js";
import { filterNorms, type Normalization, normalizeDirection } from "../../src/directions/normalize.js";
import { createNormal } from "../../src/math/random.js";
import type { Parameter } from "../../src/model/layout.js";
import { expectAllClose } from "../support/allclose.js";
import { makeLayout } from "../support/layout.js";

const layout = makeLayout([
  { name: "conv/kernel", shape: [3, 2, 4, 5], layerType: "Conv2D" },
  { name: "conv/bias", shape: [5] },
  { name: "depthwise/kernel", shape: [3, 3, 4, 2], filterAxes: [2, 3], layerType: "DepthwiseConv2D" },
  { name: "transpose/kernel", shape: [2, 2, 3, 4], filterAxes: [2], layerType: "Conv2DTranspose" },
  { name: "bn/gamma", shape: [4], role: "scale" },
  { name: "bn/beta", shape: [4], role: "offset" },
  { name: "embedding/embeddings", shape: [7, 3], filterAxes: [0], layerType: "Embedding" },
  { name: "norm/gamma", shape: [3, 2], role: "scale", filterAxes: null },
  { name: "dense/kernel", shape: [6, 3] },
  { name: "bn/mean", shape: [4], role: "state", trainable: false },
]);

function normalVector(seed: number, scale = 1): Float32Array {
  const next = createNormal(seed, "test");
  return Float32Array.from({ length: layout.parameterCount }, () => scale * next());
}

function part(vector: Float32Array, name: string): Float32Array {
  const parameter = layout.parameters.find((candidate) => candidate.name === name);
  if (parameter === undefined) throw new Error(name);
  return vector.subarray(parameter.offset, parameter.offset + parameter.size);
}

const seeds = fc.tuple(fc.integer({ min: 0, max: 1e6 }), fc.integer({ min: 0, max: 1e6 }));

describe("normalizeDirection", () => {
  it("gives every filter the norm that the filter of θ has", () => {
    fc.assert(
      fc.property(seeds, ([a, b]) => {
        const theta = normalVector(a, 0.3);
        const result = normalizeDirection(normalVector(b), theta, layout, { ignore: [] });
        for (const { name, shape, filterAxes } of layout.parameters.filter(({ trainable }) => trainable)) {
          const wanted = filterNorms(part(theta, name), shape, filterAxes);
          expectAllClose(filterNorms(part(result, name), shape, filterAxes), wanted, { relative: 1e-6 });
        }
        expect([...part(result, "bn/mean")]).toEqual([0, 0, 0, 0]);
      }),
      { numRuns: 30 },
    );
  });

  it("takes for a filter what the layer's type says: by hand, entry by entry", () => {
    const [theta, d] = [normalVector(1), normalVector(2)];
    const result = normalizeDirection(d, theta, layout, { ignore: [] });
    /** Which filter an entry is of, from its coordinates. */
    const filterOf: Record<string, (at: readonly number[]) => string> = {
      "conv/kernel": ([, , , out]) => `${out}`,
      "depthwise/kernel": ([, , channel, multiplier]) => `${channel} ${multiplier}`,
      "transpose/kernel": ([, , out]) => `${out}`,
      "embedding/embeddings": ([row]) => `${row}`,
      "dense/kernel": ([, unit]) => `${unit}`,
    };
    for (const [name, which] of Object.entries(filterOf)) {
      const { shape } = layout.parameters.find((parameter) => parameter.name === name) as Parameter;
      const squares = new Map<string, { w: number; d: number }>();
      const groups = Array.from(part(theta, name), (_, index) => {
        let rest = index;
        const at = shape.map(() => 0);
        for (let axis = shape.length - 1; axis >= 0; axis--) {
          at[axis] = rest % shape[axis];
          rest = Math.floor(rest / shape[axis]);
        }
        return which(at);
      });
      groups.forEach((group, i) => {
        const known = squares.get(group) ?? { w: 0, d: 0 };
        known.w += part(theta, name)[i] ** 2;
        known.d += part(d, name)[i] ** 2;
        squares.set(group, known);
      });
      const expected = groups.map((group, i) => {
        const { w, d: length } = squares.get(group) as { w: number; d: number };
        return part(d, name)[i] * Math.sqrt(w / length);
      });
      expectAllClose(part(result, name), expected, { relative: 1e-6 });
    }
  });

  it.each(["filter", "layer", "dfilter", "dlayer", "none"] as Normalization[])(
    "%s: twice is once",
    (normalize) => {
      fc.assert(
        fc.property(
          seeds,
          fc.constantFrom("vector" as const, "reference" as const),
          ([a, b], oneDimensional) => {
            const theta = normalVector(a);
            const options = { normalize, oneDimensional, ignore: [] };
            const once = normalizeDirection(normalVector(b), theta, layout, options);
            const twice = normalizeDirection(once, theta, layout, options);
            expectAllClose(twice, once, { absolute: 1e-7, relative: 1e-6 });
          },
        ),
        { numRuns: 30 },
      );
    },
  );

  it("follows a rescaling of a layer: the filter-normalized direction scales with its weights", () => {
    const [theta, d] = [normalVector(1), normalVector(2)];
    const scaled = theta.slice();
    for (const [i, value] of part(theta, "dense/kernel").entries())
      part(scaled, "dense/kernel")[i] = 8 * value;
    const base = part(normalizeDirection(d, theta, layout), "dense/kernel");
    const after = part(normalizeDirection(d, scaled, layout), "dense/kernel");
    expectAllClose(
      after,
      base.map((value) => 8 * value),
      { relative: 1e-6 },
    );
  });

  it("ignores biases and batch norm by default, and what it is told", () => {
    const [theta, d] = [normalVector(3), normalVector(4)];
    const byDefault = normalizeDirection(d, theta, layout);
    for (const name of ["conv/bias", "bn/gamma", "bn/beta", "norm/gamma"]) {
      expect(part(byDefault, name).every((value) => value === 0)).toBe(true);
    }
    const kernels = normalizeDirection(d, theta, layout, { ignore: ["kernel"] });
    expect(part(kernels, "dense/kernel").every((value) => value === 0)).toBe(true);
    expect(part(kernels, "conv/bias").some((value) => value !== 0)).toBe(true);
  });

  it("treats weights of one axis by their own option", () => {
    const [theta, d] = [normalVector(5), normalVector(6)];
    const vector = normalizeDirection(d, theta, layout, { ignore: [] });
    const [bias, w] = [part(vector, "conv/bias"), part(theta, "conv/bias")];
    expect(Math.hypot(...bias)).toBeCloseTo(Math.hypot(...w), 6);
    expect(bias[0] / bias[1]).toBeCloseTo(part(d, "conv/bias")[0] / part(d, "conv/bias")[1], 4);
    const reference = normalizeDirection(d, theta, layout, { ignore: [], oneDimensional: "reference" });
    expect(part(reference, "conv/bias")).toEqual(w);
    const none = normalizeDirection(d, theta, layout, { ignore: [], normalize: "none" });
    expect(part(none, "conv/bias")).toEqual(part(d, "conv/bias"));
  });

  it.each(["filter", "layer", "dfilter", "dlayer"] as Normalization[])(
    "%s: zeros stay zeros, never NaN",
    (normalize) => {
      const zero = new Float32Array(layout.parameterCount);
      expect(normalizeDirection(zero, normalVector(1), layout, { normalize, ignore: [] })).toEqual(zero);
    },
  );

  it("leaves its arguments alone", () => {
    const [theta, d] = [normalVector(7), normalVector(8)];
    normalizeDirection(d, theta, layout);
    expect([theta, d]).toEqual([normalVector(7), normalVector(8)]);
  });

  it("names what it cannot use", () => {
    const theta = normalVector(1);
    const bad = { normalize: "filters" as Normalization };
    expect(() => normalizeDirection(theta, theta, layout, bad)).toThrow(
      'normalize: expected one of filter, layer, weight, dfilter, dlayer, none, got "filters"',
    );
    expect(() => normalizeDirection(theta, theta, layout, { oneDimensional: "w" as "vector" })).toThrow(
      InvalidOptionError,
    );
    expect(() => normalizeDirection(theta.subarray(1), theta, layout)).toThrow("direction: expected");
    const nan = theta.slice();
    part(nan, "dense/kernel")[2] = Number.NaN;
    expect(() => normalizeDirection(theta, nan, layout)).toThrow(InvalidDataError);
    expect(() => normalizeDirection(theta, nan, layout)).toThrow(
      "dense/kernel, entry 2: expected finite weights, got NaN",
    );
  });
});
