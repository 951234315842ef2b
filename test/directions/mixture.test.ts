import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MIXTURE_FORMS, type MixtureForm, mixtureMap, modelsOf } from "../../src/directions/mixture.js";
import { functionEvaluator } from "../../src/loss/local-evaluator.js";
import { evaluateSurface } from "../../src/surface/evaluate-surface.js";
import { expectAllClose } from "../support/allclose.js";

const f32 = fc.float({ noNaN: true, noDefaultInfinity: true, min: -8, max: 8 });

/** Where each model of a form lies. */
const VERTICES: Readonly<Record<MixtureForm, readonly (readonly [number, number])[]>> = {
  line: [
    [0, 0],
    [1, 0],
  ],
  barycentric: [
    [0, 0],
    [1, 0],
    [0, 1],
  ],
  "barycentric-im": [
    [0, 0],
    [1, 0],
    [1, 1],
  ],
  bilinear: [
    [0, 0],
    [1, 0],
    [0, 1],
    [1, 1],
  ],
};

const models = [
  Float32Array.of(0.1, 0.7, -3, 1e-9),
  Float32Array.of(2.3, -0.1, 5, 1),
  Float32Array.of(-0.7, 1.9, 0.3, 7e8),
  Float32Array.of(0.3, 0.3, 11, -2),
];

describe.each(MIXTURE_FORMS)("%s", (form) => {
  const map = mixtureMap(form, models.slice(0, modelsOf(form)));

  it("is each model, bit for bit, at its place", () => {
    const out = new Float32Array(4);
    VERTICES[form].forEach(([alpha, beta], i) => {
      map.writeInto(out, alpha, beta);
      expect(Array.from(out)).toEqual(Array.from(models[i]));
    });
  });

  it("mixes with weights that sum to 1", () => {
    fc.assert(
      fc.property(f32, f32, (alpha, beta) => {
        const sum = map.weightsAt(alpha, beta).reduce((a, b) => a + b, 0);
        expect(Math.abs(sum - 1)).toBeLessThan(1e-9 * (1 + Math.abs(alpha)) * (1 + Math.abs(beta)));
      }),
    );
  });
});

describe("a bilinear surface", () => {
  it("is not affine, and comes out unsheared on a 7 × 4 grid", async () => {
    const corners = [
      Float32Array.of(0, 0),
      Float32Array.of(2, 0),
      Float32Array.of(0, 3),
      Float32Array.of(4, 8),
    ];
    const evaluator = functionEvaluator((theta) => 10 * theta[0] + theta[1] ** 2, 2);
    const grid = {
      alpha: Float64Array.of(0, 0.25, 0.5, 0.75, 1, 1.25, 1.5),
      beta: Float64Array.of(-0.5, 0, 0.5, 1),
    };
    const surface = await evaluateSurface(evaluator, mixtureMap("bilinear", corners), grid);
    const expected = Array.from(grid.beta).flatMap((b) =>
      Array.from(grid.alpha, (a) => 10 * (2 * a * (1 - b) + 4 * a * b) + (3 * (1 - a) * b + 8 * a * b) ** 2),
    );
    expectAllClose(surface.loss, expected, { absolute: 1e-4 });
  });
});

describe("bad input", () => {
  const [a, b, c] = models;
  it.each<[string, () => unknown, string]>([
    [
      "one model twice",
      () => mixtureMap("line", [a, a.slice()]),
      "model 2: expected weights of its own, got those of model 1",
    ],
    ["too few", () => mixtureMap("bilinear", [a, b, c]), "models: expected 4 weight vectors, got 3"],
    [
      "another length",
      () => mixtureMap("line", [a, Float32Array.of(1)], ["A", "B"]),
      "B: expected 4 weights, got 1",
    ],
    [
      "NaN",
      () => mixtureMap("line", [a, Float32Array.of(1, 2, Number.NaN, 4)]),
      "model 2, entry 2: expected finite weights, got NaN",
    ],
    [
      "three on a line",
      () => mixtureMap("barycentric", [Float32Array.of(0, 0), Float32Array.of(1, 1), Float32Array.of(2, 2)]),
      "collinear",
    ],
    ["an unknown form", () => mixtureMap("cubic" as MixtureForm, [a, b]), 'got "cubic"'],
  ])("%s", (_, make, message) => {
    expect(make).toThrow(message);
  });
});
