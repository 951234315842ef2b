import { beforeAll, describe, expect, test } from "vitest";
import { createCurvature } from "../../src/curvature/create-curvature.js";
import { goldenMlp } from "../loss/golden-models.js";
import * as tf from "@tensorflow/tfjs";
import { useTestBackend } from "../support/backend.js";
import { readGolden } from "../support/golden.js";
import { goldenImages, goldenNetwork, goldenTheta, readGoldenNetworks } from "./golden-curvature.js";

beforeAll(useTestBackend);

const networks = readGoldenNetworks();

/** Length of a difference over the length of what is expected. */
function relativeGap(actual: Float64Array, expected: readonly number[]): number {
  const gap = Math.hypot(...expected.map((value, i) => (actual[i] as number) - value));
  return gap / Math.hypot(...expected);
}

describe.each(Object.keys(networks.cases))("%s", (name) => {
  const golden = networks.cases[name] as (typeof networks.cases)[string];

  test("loss, gradient, H·u, uᵀ·H·v and Gauss-Newton product", async () => {
    const model = goldenNetwork(golden);
    const data = goldenImages(networks);
    const curvature = await createCurvature(model, data, { loss: "logits" });
    const before = tf.memory().numTensors;
    const point = await curvature.at(goldenTheta(networks, golden));
    const padded = (vector: readonly number[]) => {
      const out = new Float64Array(curvature.layout.parameterCount);
      out.set(vector);
      return out;
    };
    expect(point.loss).toBeCloseTo(golden.loss, 6);
    console.log(name, point.loss - golden.loss, relativeGap(point.gradient, golden.gradient));
    const product = await point.hessianVector(padded(golden.u));
    console.log("Hu", relativeGap(product, golden.H_u));
    console.log("Gu", relativeGap(await point.gaussNewtonVector(padded(golden.u)), golden.G_u));
    const other = await point.hessianVector(padded(golden.v));
    const uHv = golden.u.reduce((s, u, i) => s + u * other[i], 0);
    const vHu = golden.v.reduce((s, u, i) => s + u * product[i], 0);
    console.log(uHv, vHu, golden.u_H_v);
    point.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});
