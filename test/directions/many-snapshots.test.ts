import { describe, expect, it } from "vitest";
import { memoryRowSource } from "../../src/directions/directions.js";
import { pcaDirections } from "../../src/directions/pca.js";
import { leadingWalkShares, randomWalkBaseline } from "../../src/directions/random-walk.js";
import { doubleCenter, gramEigen, leadingGramEigen } from "../../src/math/gram-eigen.js";
import { createNormal } from "../../src/math/random.js";
import { expectAllClose, expectAllCloseUpToSign } from "../support/allclose.js";
import { plainLinearAlgebra } from "../support/plain-linear-algebra.js";

/** A path of 300 rows that drifts to and fro: more rows than all eigenpairs are computed of. */
const n = 300;
const d = 40;
const next = createNormal(5, "many snapshots");
const theta = Float64Array.from({ length: d }, next);
const rows = Array.from({ length: n }, (_, i) => {
  for (let c = 0; c < d; c++) theta[c] += 0.05 * Math.sin(i / (40 + 3 * c)) + 0.02 * next();
  return Float32Array.from(theta);
});

/** Refuses the eigenpairs of anything large: what is left is at most quadratic in the number of rows. */
const noLargeEigenproblem = {
  ...plainLinearAlgebra,
  symmetricEigen: async (matrix: Float64Array, size: number) => {
    if (size > 120) throw new Error(`all eigenpairs of (${size}, ${size})`);
    return plainLinearAlgebra.symmetricEigen(matrix, size);
  },
};

describe.each(["mean", "final"] as const)("120 snapshots, centering %s", (centering) => {
  it("all shares and the leading components are there without all eigenpairs", async () => {
    const few = rows.slice(0, 120).map((row) => row.slice());
    const gram = new Float64Array(few.length ** 2);
    few.forEach((a, i) => {
      few.forEach((b, j) => {
        for (let c = 0; c < d; c++) gram[i * few.length + j] += (a[c] - few[119][c]) * (b[c] - few[119][c]);
      });
    });
    const all = gramEigen(centering === "mean" ? doubleCenter(gram, few.length) : gram, few.length);
    const found = await leadingGramEigen(gram, few.length, 4, noLargeEigenproblem, centering === "mean");
    expect(found.vectors.length).toBe(4 * few.length);
    expectAllClose(found.shares, all.shares, { absolute: 1e-13 });
    expectAllClose(found.values, all.values, { absolute: 1e-12 * all.values[0] });
    for (let k = 0; k < 4; k++) {
      const [ours, theirs] = [found, all].map(({ vectors }) => vectors.slice(k * 120, (k + 1) * 120));
      expectAllCloseUpToSign(ours, theirs, { absolute: 1e-8 });
    }
  });
});

it("a negative eigenvalue that rounding leaves takes no component's place", async () => {
  const size = 100;
  const gram = new Float64Array(size ** 2);
  const spectrum = [1, -1e-8, 6e-9, 3e-9];
  spectrum.forEach((value, i) => {
    gram[i * (size + 1)] = value;
  });
  const { values, vectors } = await leadingGramEigen(gram, size, 3, plainLinearAlgebra, false);
  [0, 2, 3].forEach((at, k) => {
    expect(values[k]).toBeCloseTo(spectrum[at], 13);
    expect(Math.abs(vectors[k * size + at])).toBeCloseTo(1, 12);
  });
});

describe.each(["mean", "final"] as const)("300 snapshots, centering %s", (centering) => {
  const options = { linearAlgebra: noLargeEigenproblem, centering, components: [0, 1, 2] };

  it("the leading components are those of the full decomposition, signs included", async () => {
    const source = memoryRowSource(rows);
    const gram = new Float64Array(n * n);
    const last = rows[n - 1];
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        for (let c = 0; c < d; c++) gram[i * n + j] += (rows[i][c] - last[c]) * (rows[j][c] - last[c]);
      }
    }
    const used = centering === "mean" ? doubleCenter(gram, n) : gram;
    const all = gramEigen(used, n);
    const found = await leadingGramEigen(gram, n, 4, noLargeEigenproblem, centering === "mean");
    expectAllClose(found.values, all.values.subarray(0, 4), { relative: 1e-12 });
    expectAllClose(found.shares, all.shares.subarray(0, 4), { absolute: 1e-13 });
    for (let k = 0; k < 4; k++) {
      const [ours, theirs] = [found, all].map(({ vectors }) => vectors.slice(k * n, (k + 1) * n));
      expectAllCloseUpToSign(ours, theirs, { absolute: 1e-8 });
    }
    const pca = await pcaDirections(source, { ...options, allShares: true });
    expectAllClose(pca.allExplainedVarianceRatio, all.shares, { absolute: 1e-7 });
    expectAllClose(pca.singularValues.subarray(0, 4), all.values.subarray(0, 4).map(Math.sqrt), {
      relative: 1e-6,
    });
    for (const [k, vector] of pca.vectors.entries()) {
      const expected = new Float64Array(d);
      for (let i = 0; i < n; i++) {
        const weight = all.vectors[k * n + i] / Math.sqrt(all.values[k]);
        for (let c = 0; c < d; c++) expected[c] += weight * (rows[i][c] - last[c]);
      }
      // For "mean" the sum of the weights is 0 but for rounding: about any row it is the same.
      const largest = expected.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a), 0);
      expectAllClose(
        vector,
        expected.map((value) => value * Math.sign(largest)),
        { absolute: 2e-6 },
      );
    }
  });

  it("the others are left out unless they are asked for", async () => {
    const pca = await pcaDirections(memoryRowSource(rows), options);
    expect(pca.allExplainedVarianceRatio.length).toBe(4);
    expect(pca.singularValues.length).toBe(4);
    const all = await pcaDirections(memoryRowSource(rows), { ...options, allShares: true });
    expect(all.allExplainedVarianceRatio.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
    expect(all.vectors).toEqual(pca.vectors);
  });

  it("the random walk has the shares of its full matrix, of several runs too", async () => {
    const squares = Float64Array.from({ length: n }, (_, i) => Math.exp(-i / 70) * (1 + (i % 7)));
    const walks = [
      {},
      { finalRow: 120 },
      { runLengths: [120, 1, 179], squaredStartDistances: [0, 30, 7] },
      { runLengths: [150, 150], finalRow: 40 },
    ];
    for (const walk of walks) {
      const expected = randomWalkBaseline(squares, { centering, ...walk });
      const found = await leadingWalkShares(squares, 3, noLargeEigenproblem, { centering, ...walk });
      expectAllClose(found, expected.subarray(0, 3), { absolute: 1e-12 });
    }
    const still = await leadingWalkShares(new Float64Array(n), 2, noLargeEigenproblem, { centering });
    expect([...still]).toEqual([0, 0]);
    const far = { centering, runLengths: [n - 1] };
    await expect(leadingWalkShares(squares, 2, noLargeEigenproblem, far)).rejects.toThrow("add up to 300");
  });
});

it("a path of rank 1 with many snapshots refuses a second component", async () => {
  const line = Array.from({ length: n }, (_, i) => Float32Array.of(i, 2 * i, -i));
  const options = { linearAlgebra: noLargeEigenproblem };
  await expect(pcaDirections(memoryRowSource(line), options)).rejects.toThrow(
    "within the rank of the path (1)",
  );
  const one = await pcaDirections(memoryRowSource(line), { ...options, components: [0] });
  expect(one.explainedVarianceRatio[0]).toBeCloseTo(1, 12);
});
