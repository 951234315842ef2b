// Evaluates a surface slowly, until it is killed: node interrupted-surface.mjs DIRECTORY
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

/** What is stored beside the surface. */
export const facts = {
  plane: "pca",
  set: "train",
  labels: ["a", "b"],
  marks: [],
  batchNorm: "none",
  calibrationSamples: null,
  dataName: null,
  lossName: null,
  models: [],
  directions: null,
  paths: [],
  notes: [],
};

/** @param {string} directory @param {number} points @param {any} evaluator @returns {any} */
export function requestOf(directory, points, evaluator) {
  const grid = gridOf(points);
  return { evaluator, points: plane, slice: "plane", grid, policy: "none", facts, directory, elsewhere: [] };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const dist = new URL("../../dist/src/", import.meta.url);
  const { functionEvaluator } = await import(new URL("loss/local-evaluator.js", dist).href);
  const { storedSurface } = await import(new URL("analysis/stored-surface.js", dist).href);
  const plain = functionEvaluator(lossOf, 2, { metricNames: ["index"], id: "form" });
  const slow = {
    facts: plain.facts,
    /** @param {Float32Array} theta */
    async evaluate(theta) {
      await new Promise((done) => setTimeout(done, 10));
      return plain.evaluate(theta);
    },
    dispose() {},
  };
  await storedSurface(requestOf(/** @type {string} */ (process.argv[2]), 21, slow));
}
