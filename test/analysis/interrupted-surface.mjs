// Evaluates a surface slowly, until it is killed: node interrupted-surface.mjs FILE
import { fileURLToPath } from "node:url";

/** @param {Float32Array} theta */
export function lossOf([a, b]) {
  const loss = a === 1.25 ? Number.NaN : Math.sin(3 * a) * Math.cos(b) + a * b;
  return { loss, metrics: { index: a - b } };
}

export const plane = {
  center: Float32Array.of(0, 0),
  vectors: [Float32Array.of(1, 0), Float32Array.of(0, 1)],
};

/** @param {number} points */
export function gridOf(points) {
  const axis = Float64Array.from({ length: points }, (_, i) => (i - (points >> 1)) / 8);
  return { alpha: axis, beta: axis };
}

/** @param {number} points @param {string} data */
export function provenanceOf(points, data = "data") {
  const { alpha } = gridOf(points);
  const options = { alpha: Array.from(alpha), loss: "model" };
  return { kind: "surface", version: 1, options, seed: null, inputs: { data, directions: "plane" } };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const dist = new URL("../../dist/src/", import.meta.url);
  const { functionEvaluator } = await import(new URL("loss/function-evaluator.js", dist).href);
  const { storedSurface } = await import(new URL("analysis/resumable.js", dist).href);
  const plain = functionEvaluator(lossOf, 2, { metricNames: ["index"], id: "form" });
  const slow = {
    ...plain,
    /** @param {Float32Array} theta */
    async evaluate(theta) {
      await new Promise((done) => setTimeout(done, 10));
      return plain.evaluate(theta);
    },
  };
  await storedSurface(process.argv[2], provenanceOf(21), slow, plane, gridOf(21), {});
}
