import type { RunsEmbedding } from "../../src/embedding/runs-embedding.js";

/** Two runs on a spiral, five snapshots each, with losses that fall from 1 to 0.01 and are unknown at the start. */
export function sampleEmbedding(changes: Partial<RunsEmbedding> = {}): RunsEmbedding {
  const dimensions = changes.dimensions ?? 2;
  const rows = 10;
  const coordinates = new Float64Array(rows * dimensions);
  for (let row = 0; row < rows; row++) {
    const [r, i] = [Math.floor(row / 5), row % 5];
    const angle = i * 0.6 + r * Math.PI;
    coordinates.set(
      [i * Math.cos(angle), i * Math.sin(angle), i - 2 * r].slice(0, dimensions),
      row * dimensions,
    );
  }
  const position = Int32Array.from({ length: rows }, (_, row) => row % 5);
  return {
    method: "phate",
    dimensions,
    coordinates,
    runs: [{ name: "SGD" }, { name: "Adam" }],
    run: Int32Array.from({ length: rows }, (_, row) => Math.floor(row / 5)),
    step: position,
    epoch: position,
    iteration: position.map((i) => 10 * i),
    loss: Float64Array.from(position, (i) => (i === 0 ? Number.NaN : 10 ** ((1 - i) / 1.5))),
    lossName: "training loss as logged",
    stepSize: Float64Array.from(position, (i) => (i === 0 ? Number.NaN : 1 + i)),
    parameters: {
      components: dimensions,
      knnDist: "cosine",
      seed: 0,
      knn: 5,
      decay: 40,
      t: "auto",
      gamma: 1,
      knnMax: null,
    },
    facts: { weights: 1234567, t: 12, normalizedStress: 0.123, pieces: 1, landmarks: null },
    quality: {
      trustworthiness: 0.98765,
      pathContinuity: 0.75,
      pathContinuityPerRun: Float64Array.of(1, 0.5),
      nNeighbors: 4,
    },
    stability: null,
    topology: null,
    warnings: [],
    ...changes,
  };
}
