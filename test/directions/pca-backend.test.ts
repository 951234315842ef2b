import { beforeAll, describe, expect, it } from "vitest";
import { createLinearAlgebra } from "../../src/backend/linear-algebra/create-linear-algebra.js";
import { memoryRowSource } from "../../src/directions/directions.js";
import { pcaDirections } from "../../src/directions/pca.js";
import { differenceGram } from "../../src/directions/row-products.js";
import type { LinearAlgebra } from "../../src/math/linear-algebra.js";
import { createNormal } from "../../src/math/random.js";
import { expectAllClose } from "../support/allclose.js";
import { useTestBackend } from "../support/backend.js";

/** A path that drifts, far from zero, with noise: 40 rows of 30,001 weights. */
function driftingPath(): Float32Array[] {
  const next = createNormal(1, "path");
  const d = 30_001;
  const theta = Float64Array.from({ length: d }, () => 3 + next());
  const drift = Float64Array.from({ length: d }, () => 0.02 * next());
  return Array.from({ length: 40 }, (_, i) => {
    for (let c = 0; c < d; c++) theta[c] += drift[c] * Math.exp(-i / 10) + 0.002 * next();
    return Float32Array.from(theta);
  });
}

describe("pcaDirections through the active backend", () => {
  let linearAlgebra: LinearAlgebra;
  beforeAll(async () => {
    await useTestBackend();
    linearAlgebra = createLinearAlgebra();
  });

  it.each(["mean", "final"] as const)("agrees with float64 products (centering %s)", async (center) => {
    const source = memoryRowSource(driftingPath());
    const exact = await pcaDirections(source, {
      linearAlgebra,
      centering: center,
      components: [0, 1, 2],
      precision: "float64",
    });
    const fast = await pcaDirections(source, {
      linearAlgebra,
      centering: center,
      components: [0, 1, 2],
      precision: "backend",
    });
    expect(exact.precision).toBe("float64");
    expect(fast.precision).toBe(linearAlgebra.name);
    expectAllClose(fast.allExplainedVarianceRatio, exact.allExplainedVarianceRatio, { absolute: 5e-7 });
    const squares = ({ singularValues }: typeof exact) => singularValues.map((value) => value ** 2);
    expectAllClose(squares(fast), squares(exact), { absolute: 5e-7 * exact.singularValues[0] ** 2 });
    expectAllClose(fast.randomWalkBaseline, exact.randomWalkBaseline, { absolute: 1e-9 });
    fast.vectors.slice(0, 2).forEach((vector, a) => {
      let [apart, together] = [0, 0];
      for (let c = 0; c < vector.length; c++) {
        apart += (vector[c] - exact.vectors[a][c]) ** 2;
        together += vector[c] ** 2;
      }
      expect(Math.sqrt(apart)).toBeLessThan(1e-5);
      expect(together).toBeCloseTo(1, 6);
    });
  });

  it("agrees with float64 products for rows whose Gram matrix is larger than the caches", async () => {
    const next = createNormal(2, "many rows");
    const rows = Array.from({ length: 2003 }, () => Float32Array.from({ length: 850 }, next));
    const grams = [];
    for (const precision of ["float64", "backend"] as const) {
      // A tile of 816 columns is larger than the caches as well, and multiplied on its own.
      const options = { row: 2002, linearAlgebra, blockColumns: 816, precision };
      grams.push((await differenceGram(memoryRowSource(rows), options)).gram);
    }
    const [exact, fast] = grams as [Float64Array, Float64Array];
    expect(exact[1]).not.toBe(0);
    // Products of 850 differences of normal numbers.
    const most = fast.reduce(
      (largest, value, i) => Math.max(largest, Math.abs(value - (exact[i] as number))),
      0,
    );
    expect(most).toBeLessThan(1e-3);
    for (const gram of grams) expect(gram[1]).toBe(gram[2003]);
  });
});
