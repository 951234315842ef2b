import { describe, expect, it } from "vitest";
import { doubleCenter, gramEigen, gramShares } from "../../src/math/gram-eigen.js";
import { createNormal } from "../../src/math/random.js";
import { addGramExactInto, mirrorLowerInto } from "../../src/math/row-kernels.js";
import { expectAllClose } from "../support/allclose.js";

const [n, d] = [7, 11];
const next = createNormal(1, "gram");
const rows = Array.from({ length: n }, () => Float32Array.from({ length: d }, next));
const gram = new Float64Array(n * n);
addGramExactInto(gram, Float32Array.from(rows.flatMap((row) => [...row])), n, d);
mirrorLowerInto(gram, n);

describe("gramEigen", () => {
  it("satisfies G·u = λ·u with orthonormal u, λ falling, their sum the trace", () => {
    const { values, vectors, shares } = gramEigen(gram, n);
    for (let k = 0; k < n; k++) {
      const u = vectors.subarray(k * n, (k + 1) * n);
      const product = Float64Array.from(u, (_, i) =>
        u.reduce((sum, value, j) => sum + gram[i * n + j] * value, 0),
      );
      expectAllClose(
        product,
        u.map((value) => values[k] * value),
        { absolute: 1e-12 * values[0] },
      );
      expect(Math.hypot(...u)).toBeCloseTo(1, 12);
      if (k > 0) expect(values[k]).toBeLessThanOrEqual(values[k - 1]);
    }
    expect(shares.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
  });

  it("is indifferent to size, and gives zeros for a zero matrix", () => {
    const { shares } = gramEigen(gram, n);
    for (const scale of [1e-250, 1e250]) {
      expectAllClose(
        gramEigen(
          gram.map((value) => value * scale),
          n,
        ).shares,
        shares,
        { absolute: 1e-13 },
      );
    }
    expect([...gramEigen(new Float64Array(4), 2).shares]).toEqual([0, 0]);
  });
});

describe("gramShares", () => {
  it("are those of the eigenpairs, of singular matrices too", () => {
    for (const matrix of [gram, doubleCenter(gram, n), new Float64Array(n * n).fill(2)]) {
      const before = matrix.slice();
      expectAllClose(gramShares(matrix, n), gramEigen(matrix, n).shares, { absolute: 1e-13 });
      expect(matrix).toEqual(before);
    }
    expect([...gramShares(new Float64Array(9), 3)]).toEqual([0, 0, 0]);
  });
});

describe("doubleCenter", () => {
  it("is the Gram matrix of rows minus their mean", () => {
    const mean = Float64Array.from({ length: d }, (_, c) => rows.reduce((sum, row) => sum + row[c], 0) / n);
    const expected = rows.flatMap((a) =>
      rows.map((b) => a.reduce((sum, value, c) => sum + (value - mean[c]) * (b[c] - mean[c]), 0)),
    );
    expectAllClose(doubleCenter(gram, n), expected, { absolute: 1e-12 });
  });
});
