import { describe, expect, it } from "vitest";
import { memoryRowSource } from "../../src/directions/directions.js";
import { pcaDirections } from "../../src/directions/pca.js";
import { expectAllClose, expectAllCloseUpToSign } from "../support/allclose.js";
import { readGolden } from "../support/golden.js";
import { plainLinearAlgebra } from "../support/plain-linear-algebra.js";

interface Decomposition {
  readonly components_2: number[][];
  readonly singular_values_all: number[];
  readonly explained_variance_ratio_all: number[];
}
interface Golden {
  readonly T: number[][];
  readonly final_row: number;
  readonly ref_12rows: { numpy_f64_centered: Decomposition; numpy_f64_uncentered: Decomposition };
  readonly reference_functions: Record<
    string,
    {
      xdirection: number[];
      ydirection: number[];
      explained_variance_ratio: number[];
      singular_values: number[];
    }
  >;
}

const golden = readGolden<Golden>("a_pca.json");
const rows = golden.T.map((row) => Float32Array.from(row));
const tolerance = { absolute: 2e-6 };
const options = { finalRow: golden.final_row, linearAlgebra: plainLinearAlgebra };

describe("pcaDirections against the reference", () => {
  it.each([
    ["mean", golden.ref_12rows.numpy_f64_centered],
    ["final", golden.ref_12rows.numpy_f64_uncentered],
  ] as const)("centering %s: components, ratios, singular values", async (center, expected) => {
    const pca = await pcaDirections(memoryRowSource(rows), { ...options, centering: center });
    expectAllClose(pca.allExplainedVarianceRatio, expected.explained_variance_ratio_all, tolerance);
    expectAllClose(pca.singularValues.slice(0, 11), expected.singular_values_all.slice(0, 11), {
      absolute: 2e-6,
      relative: 2e-6,
    });
    pca.vectors.forEach((vector, a) => {
      expectAllCloseUpToSign(vector, expected.components_2[a], tolerance);
    });
  });

  it.each(["ignore=''", "ignore='biasbn'"])("the reference's directions with %s", async (name) => {
    const expected = golden.reference_functions[name];
    // The golden layout: entries 30 to 35 are one bias. An ignored weight does not move.
    const kept = name.includes("biasbn")
      ? rows.map((row) => row.map((weight, c) => (c >= 30 && c < 36 ? 0 : weight)))
      : rows;
    const pca = await pcaDirections(memoryRowSource(kept), options);
    expectAllCloseUpToSign(pca.vectors[0], expected.xdirection, tolerance);
    expectAllCloseUpToSign(pca.vectors[1], expected.ydirection, tolerance);
    expectAllClose(pca.explainedVarianceRatio, expected.explained_variance_ratio, tolerance);
    expectAllClose(pca.singularValues.slice(0, 2), expected.singular_values, { relative: 2e-6 });
  });

  it("fixes the sign by the entry of largest magnitude", async () => {
    const pca = await pcaDirections(memoryRowSource(rows), { ...options, components: [0, 1, 2] });
    for (const vector of pca.vectors) expect(Math.max(...vector)).toBe(Math.max(...vector.map(Math.abs)));
  });
});
