import { beforeAll, describe, expect, test } from "vitest";
import { distancesFromGram, distancesFromRows, rowDistances } from "../../src/embedding/distance-source.js";
import { classicMds } from "../../src/embedding/mds/embed-distances.js";
import { procrustes } from "../../src/embedding/mds/procrustes.js";
import { sgdMds } from "../../src/embedding/mds/sgd-mds.js";
import { smacof } from "../../src/embedding/mds/smacof.js";
import { alphaDecayKernel } from "../../src/embedding/phate/alpha-decay-kernel.js";
import {
  diffusionPotential,
  diffusionPower,
  kneePoint,
  operatorEntropy,
  vonNeumannEntropy,
} from "../../src/embedding/phate/diffusion-potential.js";
import {
  denseFromSparse,
  diffusionOperator,
  sparseFromDense,
} from "../../src/embedding/phate/sparse-matrix.js";
import { singularValues } from "../../src/math/tridiagonal.js";
import { plainLinearAlgebra } from "../support/plain-linear-algebra.js";
import {
  condensed,
  type EntropyGolden,
  flat,
  maxDifference,
  type PhateGolden,
  readGolden,
} from "./golden.js";

const golden = readGolden<PhateGolden>("c_phate.json");
const points = flat(golden.X);
const n = golden.X.length;
const dimension = golden.X[0].length;

function gramOf(rows: Float64Array): Float64Array {
  return Float64Array.from({ length: n * n }, (_, p) => {
    const [i, j] = [Math.floor(p / n), p % n];
    let sum = 0;
    for (let c = 0; c < dimension; c++) sum += rows[i * dimension + c] * rows[j * dimension + c];
    return sum;
  });
}

describe.each(Object.entries(golden.cases))("PHATE stages: %s", (_, expected) => {
  const source = distancesFromRows({ rows: points, count: n, dimension }, expected.knn_dist);
  const kernel = alphaDecayKernel(source);
  const operator = diffusionOperator(kernel);
  const potential = diffusionPotential(diffusionPower(operator, expected.t_used));
  let distances: Float64Array = new Float64Array();
  beforeAll(async () => {
    distances = await rowDistances(potential, n, n, plainLinearAlgebra, { background: -Math.log(1e-7) });
  });

  test("kernel", () => {
    expect(maxDifference(denseFromSparse(kernel), flat(expected.kernel))).toBeLessThan(1e-8);
  });

  test("kernel from the Gram matrix", () => {
    const fromGram = alphaDecayKernel(distancesFromGram(gramOf(points), n, expected.knn_dist));
    expect(maxDifference(denseFromSparse(fromGram), flat(expected.kernel))).toBeLessThan(1e-8);
  });

  test("diffusion operator", () => {
    expect(maxDifference(denseFromSparse(operator), flat(expected.diff_op))).toBeLessThan(1e-8);
  });

  test("entropy through the port and by the values-only kernel, and t at its knee", async () => {
    const entropy = await operatorEntropy(operator, plainLinearAlgebra, 101);
    expect(maxDifference(entropy, expected.vne_entropy_0_100)).toBeLessThan(1e-8);
    const own = vonNeumannEntropy(singularValues(denseFromSparse(operator), n, n), 101);
    expect(maxDifference(own, expected.vne_entropy_0_100)).toBeLessThan(1e-8);
    expect(kneePoint(entropy.subarray(0, 100))).toBe(expected.t_auto);
  });

  test("potential and its distances", () => {
    expect(maxDifference(potential, flat(expected.potential))).toBeLessThan(1e-8);
    expect(maxDifference(condensed(distances, n), expected.potential_pdist)).toBeLessThan(1e-7);
  });

  test("dropped entries do not change the potential", () => {
    const dropped = diffusionPotential(diffusionPower(operator, expected.t_used, { drop: 1e-22 }));
    expect(maxDifference(dropped, flat(expected.potential))).toBeLessThan(1e-8);
  });

  test("both classic scalings", async () => {
    for (const [variant, reference] of [
      ["phate", flat(expected.phate_classic)],
      ["torgerson", flat(expected.torgerson_classic)],
    ] as const) {
      const classic = await classicMds(distances, n, plainLinearAlgebra, { variant });
      const scale = Math.max(...reference.map(Math.abs));
      for (const c of [0, 1]) {
        const column = classic.filter((_, p) => p % 2 === c);
        const other = reference.filter((_, p) => p % 2 === c);
        const flipped = column.map((value) => -value);
        const difference = Math.min(maxDifference(column, other), maxDifference(flipped, other));
        expect(difference / scale).toBeLessThan(1e-6);
      }
    }
  });

  test("SMACOF reaches the reference's stress, and its shape", async () => {
    const classic = await classicMds(distances, n, plainLinearAlgebra);
    const { embedding, stress } = smacof(distances, n, classic);
    expect(stress).toBeLessThanOrEqual(1.01 * expected.stress.raw_smacof);
    const aligned = procrustes(classic, embedding, n, 2).aligned;
    expect(procrustes(flat(expected.embedding_smacof), aligned, n, 2).disparity).toBeLessThan(0.05);
  });

  test("SGD is no worse than the worst of the reference's ten seeds", async () => {
    const classic = await classicMds(distances, n, plainLinearAlgebra);
    for (const seed of [0, 1, 2]) {
      const { stress } = sgdMds(distances, n, classic, { seed });
      expect(stress).toBeLessThanOrEqual(Math.max(...expected.stress.sgd_seeds_0_9));
    }
  });
});

describe("entropy and knee, unit cases", () => {
  const cases = readGolden<EntropyGolden>("c_vne_knee.json");

  test("knees", () => {
    for (const { y, knee } of cases.knee_cases) expect(kneePoint(Float64Array.from(y))).toBe(knee);
    expect(kneePoint(Float64Array.from({ length: 20 }, (_, i) => Math.exp(-i / 10)))).toBe(
      cases.doc_exp_knee,
    );
  });

  test("documented matrix", async () => {
    const size = cases.doc_matrix.length;
    const operator = sparseFromDense(flat(cases.doc_matrix), size, size);
    const entropy = await operatorEntropy(operator, plainLinearAlgebra);
    expect(maxDifference(entropy, cases.doc_entropy)).toBeLessThan(1e-12);
    expect(
      maxDifference(vonNeumannEntropy(singularValues(flat(cases.doc_matrix), size, size)), cases.doc_entropy),
    ).toBeLessThan(1e-12);
    expect(kneePoint(entropy)).toBe(cases.doc_knee);
  });
});
