import { beforeAll, describe, expect, test } from "vitest";
import type { CurvaturePoint } from "../../src/doors/curvature.js";
import {
  createCurvature,
  estimateTrace,
  hessianOperator,
  topEigenpairs,
  weightBlocks,
} from "../../src/doors/curvature.js";
import { expectAllClose, expectAllCloseUpToSign } from "../support/allclose.js";
import { useTestBackend } from "../support/backend.js";
import { goldenImages, goldenNetwork, goldenTheta, readGoldenNetworks } from "./golden-curvature.js";

beforeAll(useTestBackend);

const networks = readGoldenNetworks();

/** Eigenvalues by decreasing magnitude. */
const byMagnitude = (values: readonly number[]) => [...values].sort((a, b) => Math.abs(b) - Math.abs(a));

describe.each(Object.entries(networks.cases))("%s", (_, golden) => {
  const open = async (): Promise<{
    point: CurvaturePoint;
    layout: Parameters<typeof hessianOperator>[1];
  }> => {
    const model = goldenNetwork(golden);
    const curvature = await createCurvature(model, goldenImages(networks), { loss: "logits" });
    return { point: await curvature.at(goldenTheta(networks, golden)), layout: curvature.layout };
  };
  const top = Math.abs(byMagnitude(golden.eigenvalues)[0] as number);

  test("top eigenpairs of both ends, trace", async () => {
    const { point, layout } = await open();
    const operator = hessianOperator(point, layout);
    const pairs = await topEigenpairs(operator, { count: 5, tolerance: 1e-5 });
    expect(pairs.isConverged).toBe(true);
    expectAllClose(pairs.values, byMagnitude(golden.eigenvalues).slice(0, 5), { absolute: 1e-4 * top });
    expectAllCloseUpToSign(pairs.vectors[0] as Float64Array, golden.top_eigenvector, { absolute: 1e-3 });
    const smallest = await topEigenpairs(operator, { count: 1, which: "smallest", tolerance: 1e-5 });
    expectAllClose(smallest.values, [golden.eigenvalues[0] as number], { absolute: 1e-4 * top });
    const trace = await estimateTrace(operator, { products: 60 });
    expect(trace.method).toBe("xtrace");
    expect(Math.abs(trace.value - golden.trace)).toBeLessThan(4 * trace.standardError + 1e-4 * golden.trace);
    expect(trace.standardError).toBeLessThan(0.05 * golden.trace);
    point.dispose();
  });

  test("by weight: traces and top eigenvalues", async () => {
    const { point, layout } = await open();
    const blocks = weightBlocks(layout, "weight");
    const names = Object.keys(golden.shapes);
    expect(blocks.length).toBe(names.length);
    for (const [i, { select }] of blocks.entries()) {
      const operator = hessianOperator(point, layout, { select });
      const trace = await estimateTrace(operator, { products: 60 });
      expect(trace.method).toBe(operator.size <= 60 ? "exact" : "xtrace");
      const expected = golden.layer_trace[names[i] as string] as number;
      const allowed = 4 * trace.standardError + 1e-4 * top;
      expectAllClose([trace.value], [expected], { absolute: allowed, relative: 1e-4 });
      const { values } = await topEigenpairs(operator, { count: 1, which: "largest", tolerance: 1e-4 });
      const largest = golden.layer_top_eigenvalue[names[i] as string] as number;
      expectAllClose(values, [largest], { absolute: 1e-4 * top });
    }
    point.dispose();
  });

  test("Gauss-Newton: top eigenvalues and trace", async () => {
    const { point, layout } = await open();
    const operator = hessianOperator(point, layout, { matrix: "gauss-newton" });
    const { values } = await topEigenpairs(operator, { count: 5, tolerance: 1e-5 });
    expectAllClose(values, golden.gauss_newton_eigenvalues_top5, { absolute: 1e-4 * top });
    const trace = await estimateTrace(operator, { products: 60 });
    const allowed = 4 * trace.standardError + 1e-4 * top;
    expectAllClose([trace.value], [golden.gauss_newton_trace], { absolute: allowed });
    point.dispose();
  });
});
