import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { embedRuns } from "../../src/analysis/embed.js";
import type { EmbedOptions } from "../../src/analysis/embed-options.js";
import { rawGram, readRunPoints } from "../../src/analysis/run-points.js";
import { LayoutError } from "../../src/base/errors.js";
import { memoryRowSource } from "../../src/directions/directions.js";
import { pcaDirections } from "../../src/directions/pca.js";
import { procrustes } from "../../src/embedding/mds/procrustes.js";
import { phate } from "../../src/embedding/phate/phate.js";
import { EMBEDDING_METHODS } from "../../src/embedding/runs-embedding.js";
import { functionEvaluator } from "../../src/loss/local-evaluator.js";
import type { ThetaEvaluation } from "../../src/loss/loss-evaluator.js";
import { flat, type PhateGolden, readGolden } from "../embedding/golden.js";
import { normal } from "../embedding/random-points.js";
import { expectAllClose } from "../support/allclose.js";
import { plainLinearAlgebra } from "../support/plain-linear-algebra.js";
import { temporaryFolders } from "../support/tiny-training.js";
import { memoryRun } from "./memory-run.js";

const newFolder = temporaryFolders();

/** A walk of `count` steps of `dimension` weights, away from where it starts. */
function walk(count: number, seed: number, dimension = 40, start?: Float32Array): Float32Array[] {
  const [drift, noise] = [normal(seed), normal(seed + 1)];
  const direction = Float32Array.from({ length: dimension }, drift);
  const rows = [start ?? Float32Array.from({ length: dimension }, noise)];
  for (let i = 1; i < count; i++) {
    rows.push(rows[i - 1].map((value, c) => value + direction[c] + 0.3 * noise()));
  }
  return rows;
}

const init = Float32Array.from({ length: 40 }, normal(9));
const logs = Array.from({ length: 20 }, (_, i) => (i === 0 ? {} : { loss: 2 / i, val_loss: 3 / i }));
const sgd = memoryRun("sgd", walk(20, 1, 40, init), { logs });
const adam = memoryRun("adam", walk(18, 3, 40, init), { logs });
const runs = [sgd, adam];

function embedIn(chosen: typeof runs, options: EmbedOptions = {}) {
  return embedRuns(chosen, { directory: newFolder(), linearAlgebra: plainLinearAlgebra, ...options });
}

describe("readRunPoints", () => {
  test("gives inner products, steps and equal snapshots, whatever the blocks", async () => {
    const points = await readRunPoints(runs, plainLinearAlgebra);
    const thetas: Float32Array[] = [];
    for (const run of runs) for (const { step } of run.snapshots) thetas.push(await run.readTheta(step));
    const exact = thetas.flatMap((a) =>
      thetas.map((b) => a.reduce((sum, value, c) => sum + value * b[c], 0)),
    );
    expectAllClose(rawGram(points), exact, { absolute: 1e-3, relative: 1e-6 });
    const last = thetas.at(-1) as Float32Array;
    const about = thetas.flatMap((a) =>
      thetas.map((b) => a.reduce((sum, value, c) => sum + (value - last[c]) * (b[c] - last[c]), 0)),
    );
    expectAllClose(points.gram, about, { absolute: 1e-3, relative: 1e-6 });
    expect(points.stepSize[0]).toBeNaN();
    expect(points.stepSize[20]).toBeNaN();
    expect(points.stepSize[1]).toBeCloseTo(Math.hypot(...thetas[1].map((v, c) => v - thetas[0][c])), 5);
    expect(points.duplicates).toEqual([[0, 20]]);
    expect([points.count, points.columns]).toEqual([38, 40]);
    expect(Array.from(points.run.slice(18, 22))).toEqual([0, 0, 1, 1]);
    expect(Array.from(points.index.slice(18, 22))).toEqual([18, 19, 0, 1]);
    for (const blockColumns of [1, 7]) {
      const other = await readRunPoints(runs, plainLinearAlgebra, { blockColumns });
      expectAllClose(other.gram, points.gram, { absolute: 1e-9, relative: 1e-9 });
      expect(other.duplicates).toEqual([[0, 20]]);
    }
  });

  test("names both layouts where they differ", async () => {
    const other = memoryRun("wide", walk(5, 5, 41), { layoutDigest: "e".repeat(64) });
    const failed = embedIn([sgd, other]);
    await expect(failed).rejects.toThrow(LayoutError);
    await expect(failed).rejects.toThrow(
      'layout dddddddddddd of run "sgd" (/runs/sgd; 1 weights, 40 parameters), got also layout eeeeeeeeeeee of run "wide" (/runs/wide; 1 weights, 41 parameters)',
    );
  });

  test.each([0, 6, 17])(
    "names run and step of weights that are not finite, or leaves them out (%i)",
    async (bad) => {
      const thetas = walk(18, 3, 40, init);
      thetas[bad] = thetas[bad].map((value, c) => (c === 33 ? Number.POSITIVE_INFINITY : value));
      const broken = memoryRun("broken", thetas);
      await expect(embedIn([sgd, broken])).rejects.toThrow(
        `run "broken" (/runs/broken), step ${bad}: expected finite weights, got a weight Infinity`,
      );
      const kept = await embedIn([sgd, broken], { method: "pca", nonFinite: "drop" });
      expect(kept.warnings.find(({ code }) => code === "non-finite-rows")?.message).toContain(
        `step ${bad} of run "broken"`,
      );
      const rest = memoryRun(
        "broken",
        thetas.filter((_, step) => step !== bad),
      );
      const without = await embedIn([sgd, rest], { method: "pca" });
      expectAllClose(kept.coordinates, without.coordinates, { absolute: 1e-4 });
      expect(Array.from(kept.step.slice(20))).toEqual(
        Array.from({ length: 18 }, (_, step) => step).filter((step) => step !== bad),
      );
      // The step over a gap is no step.
      if (bad === 6) expect(kept.stepSize[20 + 6]).toBeNaN();
    },
  );
});

describe("embed", () => {
  test("PCA has the coordinates of pcaDirections, about the mean", async () => {
    const thetas = walk(20, 1, 40, init);
    const { coordinates: expected, explainedVarianceRatio } = await pcaDirections(memoryRowSource(thetas), {
      linearAlgebra: plainLinearAlgebra,
      components: [0, 1, 2],
    });
    const found = await embedIn([sgd], { method: "pca", dimensions: 3 });
    for (let c = 0; c < 3; c++) {
      const own = found.coordinates.filter((_, p) => p % 3 === c);
      const about = expected.filter((_, p) => p % 3 === c);
      const mean = about.reduce((sum, value) => sum + value, 0) / 20;
      const sign = Math.sign(own.reduce((sum, value, i) => sum + value * (about[i] - mean), 0));
      expectAllClose(
        own,
        about.map((value) => sign * (value - mean)),
        { absolute: 1e-4 },
      );
      expect(Math.max(...own)).toBe(Math.max(...own.map(Math.abs)));
    }
    expectAllClose(found.facts.explainedVarianceRatio as number[], explainedVarianceRatio, {
      absolute: 1e-6,
    });
  });

  test.each(Object.entries(readGolden<PhateGolden>("c_phate.json").cases))(
    "PHATE of a run has t and classic coordinates of the Python package: %s",
    async (_, expected) => {
      const { X } = readGolden<PhateGolden>("c_phate.json");
      const run = memoryRun(
        "golden",
        X.map((row) => Float32Array.from(row)),
      );
      const common = { knnDist: expected.knn_dist, nPca: null };
      const classic = await embedIn([run], { ...common, t: expected.t_used, mds: "classic" });
      const { disparity } = procrustes(flat(expected.phate_classic), classic.coordinates, 60, 2);
      // Weights are float32, the golden points float64.
      expect(disparity).toBeLessThan(1e-6);
      if (expected.t_param !== "auto") return;
      const auto = await embedIn([run], common);
      expect(auto.facts.t).toBe(expected.t_auto);
    },
  );

  test.each(["euclidean", "cosine"] as const)(
    "PHATE out of core is PHATE of the rows: %s",
    async (knnDist) => {
      for (const centered of [null, true, false]) {
        const thetas = [...walk(20, 1, 40, init), ...walk(18, 3, 40, init)];
        const rows = Float64Array.from(thetas.flatMap((theta) => Array.from(theta)));
        const input = { rows, count: 38, dimension: 40 };
        const expected = await phate(input, plainLinearAlgebra, { knnDist, centered, t: 8, mds: "classic" });
        const found = await embedIn(runs, { knnDist, centered, t: 8, mds: "classic" });
        expect(procrustes(expected.embedding, found.coordinates, 38, 2).disparity).toBeLessThan(1e-6);
      }
    },
  );

  test("rows on a circle: every method keeps neighbours and paths", async () => {
    const rows = Array.from({ length: 48 }, (_, i) => {
      const theta = new Float32Array(12);
      theta[2] = Math.cos((2 * Math.PI * i) / 48);
      theta[9] = Math.sin((2 * Math.PI * i) / 48);
      return theta;
    });
    const ring = memoryRun("ring", rows);
    for (const method of EMBEDDING_METHODS) {
      const { quality, coordinates } = await embedIn([ring], { method });
      expect(quality.trustworthiness, method).toBeGreaterThan(0.95);
      expect(quality.pathContinuity, method).toBeGreaterThan(0.95);
      expect(quality.pathContinuityPerRun.length).toBe(1);
      if (method !== "pca") continue;
      const radii = Array.from({ length: 48 }, (_, i) =>
        Math.hypot(coordinates[2 * i], coordinates[2 * i + 1]),
      );
      expectAllClose(
        radii,
        radii.map(() => 1),
        { absolute: 1e-5 },
      );
    }
  });

  test("permuting the runs permutes the rows", async () => {
    for (const method of ["phate", "pca"] as const) {
      const first = await embedIn([sgd, adam], { method, ...(method === "phate" ? { t: 10 } : {}) });
      const second = await embedIn([adam, sgd], { method, ...(method === "phate" ? { t: 10 } : {}) });
      expect(Array.from(second.run.slice(16, 20))).toEqual([0, 0, 1, 1]);
      const turned = Float64Array.from([
        ...second.coordinates.slice(2 * 18),
        ...second.coordinates.slice(0, 2 * 18),
      ]);
      expect(procrustes(first.coordinates, turned, 38, 2).disparity).toBeLessThan(1e-5);
      expect(first.quality.pathContinuityPerRun[0]).toBe(second.quality.pathContinuityPerRun[1]);
    }
  });

  test("an isometry of weight space changes nothing", async () => {
    const mirrored = runs.map((run, r) => {
      const thetas = r === 0 ? walk(20, 1, 40, init) : walk(18, 3, 40, init);
      return memoryRun(
        run.manifest.name,
        thetas.map((theta) => theta.map((_, c) => (c % 2 === 0 ? -1 : 1) * theta[39 - c])),
      );
    });
    for (const method of ["phate", "pca"] as const) {
      const first = await embedIn(runs, { method });
      const second = await embedIn(mirrored, { method });
      expect(procrustes(first.coordinates, second.coordinates, 38, 2).disparity).toBeLessThan(1e-6);
    }
  });

  test("losses are as logged, of another log, or true", async () => {
    const logged = await embedIn(runs, { method: "pca" });
    expect(logged.loss[0]).toBeNaN();
    expect([logged.loss[4], logged.loss[24], logged.lossName]).toEqual([0.5, 0.5, "training loss as logged"]);
    const held = await embedIn(runs, { method: "pca", lossLog: "val_loss" });
    expect([held.loss[3], held.lossName]).toEqual([1, "val_loss as logged"]);
    await expect(embedIn(runs, { method: "pca", lossLog: "toString" })).rejects.toThrow(
      'lossLog: expected a log of the runs (loss, val_loss), got "toString"',
    );
    const evaluator = functionEvaluator((theta) => theta[0], 40);
    const exact = await embedIn(runs, { method: "pca", evaluator });
    const theta = await adam.readTheta(5);
    expect([exact.loss[25], exact.lossName]).toEqual([theta[0], "true loss"]);
    const other = functionEvaluator((point) => point[0], 41);
    await expect(embedIn(runs, { method: "pca", evaluator: other })).rejects.toThrow(
      "evaluator: expected 41 parameters, its own, got 40 in /runs/sgd",
    );
  });

  test("true losses are computed several at once, and once for methods that share their points", async () => {
    let [begun, under, most] = [0, 0, 0];
    const plain = functionEvaluator((theta) => theta[0], 40);
    const evaluator = {
      ...plain,
      concurrency: 3,
      async evaluate(theta: Float32Array, how?: ThetaEvaluation) {
        begun++;
        most = Math.max(most, ++under);
        await new Promise(setImmediate);
        under--;
        return plain.evaluate(theta, how);
      },
    };
    const shared = readRunPoints(runs, plainLinearAlgebra);
    const options = { evaluator, points: () => shared };
    const [pca, umap] = [
      await embedIn(runs, { ...options, method: "pca" }),
      await embedIn(runs, { ...options, method: "umap" }),
    ];
    expect([begun, most]).toEqual([38, 3]);
    expect(Array.from(umap.loss)).toEqual(Array.from(pca.loss));
    const alone = await embedIn(runs, { method: "pca", evaluator: plain });
    expect(Array.from(pca.loss)).toEqual(Array.from(alone.loss));
    await embedIn(runs, { ...options, evaluator: { ...evaluator }, method: "pca" });
    expect(begun).toBe(2 * 38);
  });

  test("says which snapshots are equal, and that there are few", async () => {
    const { warnings } = await embedIn(runs, { method: "umap" });
    expect(warnings.find(({ code }) => code === "duplicate-points")?.message).toContain(
      'Equal weights: step 0 of run "sgd" and step 0 of run "adam".',
    );
    for (const method of EMBEDDING_METHODS) {
      const few = await embedIn([sgd], { method });
      expect(few.warnings.map(({ code }) => code)).toEqual(["too-few-points"]);
    }
    await expect(embedIn([memoryRun("short", walk(3, 1))])).rejects.toThrow(
      "runs: expected at least 4 snapshots to embed, got 3",
    );
    await expect(embedIn([])).rejects.toThrow("runs: expected at least one run, got none");
  });

  test("stability compares settings, topology finds basins of the loss; both are stored", async () => {
    const directory = newFolder();
    const options: EmbedOptions = { directory, stability: true, topology: true, force: false };
    const found = await embedIn(runs, options);
    expect(found.stability?.settings).toEqual([4, 5, 7, 10].map((knn) => ({ knn })));
    expect(found.stability?.maxDisparity).toBeLessThan(0.3);
    // Two runs from one start, each with losses that only fall: two basins, the deeper one forever.
    const basins = found.topology?.pairs.filter(({ dimension }) => dimension === 0) ?? [];
    expect(basins.length).toBe(2);
    expect(basins.map(({ birthVertex }) => birthVertex).sort((a, b) => a - b)).toEqual([19, 37]);
    expect(basins.find(({ birthVertex }) => birthVertex === 19)?.death).toBe(Number.POSITIVE_INFINITY);
    expect(found.topology?.vertexCount).toBe(36);
    expect(Math.max(...(found.topology?.betti0 ?? []))).toBe(2);
    expect(await embedIn(runs, options)).toEqual(found);
    const seeds = await embedIn(runs, { method: "tsne", iterations: 60, stability: true });
    expect(seeds.stability?.settings).toEqual([0, 1, 2, 3].map((seed) => ({ seed })));
    await expect(embedIn(runs, { topology: true, nLandmark: 20 })).rejects.toThrow(
      "topology: expected nLandmark: null",
    );
    const silent = [memoryRun("silent", walk(9, 1))];
    await expect(embedIn(silent, { topology: true })).rejects.toThrow(
      "at least 4 snapshots with a finite loss",
    );
  });

  test("is stored and read where it is up to date, computed where anything differs", async () => {
    const directory = newFolder();
    const options: EmbedOptions = { directory, method: "umap", nEpochs: 20 };
    const found = await embedIn(runs, options);
    const file = join(directory, "embeddings", "umap-2d.arrow");
    const written = () => statSync(file).mtimeMs;
    const before = written();
    expect(await embedIn(runs, options)).toEqual(found);
    // Reading the weights again would be an error.
    const points = () => Promise.reject(new Error("read again"));
    expect(await embedIn(runs, { ...options, points })).toEqual(found);
    expect(written()).toBe(before);
    const changed: readonly [typeof runs, EmbedOptions][] = [
      [runs, { force: true }],
      [runs, { seed: 1 }],
      [runs, { minDist: 0.2 }],
      [runs, { init: "random" }],
      [runs, { knnDist: "cosine" }],
      [runs, { weights: "all" }],
      [runs, { lossLog: "val_loss" }],
      [runs, { nonFinite: "drop" }],
      [[adam, sgd], {}],
      [[sgd, memoryRun("adam", walk(18, 3, 40, init), { logs: logs.slice(1) })], {}],
    ];
    for (const [chosen, change] of changed) {
      await expect(embedIn(chosen, { ...options, ...change, points })).rejects.toThrow("read again");
    }
    await embedIn(runs, { directory, method: "pca", dimensions: 3 });
    expect(readdirSync(join(directory, "embeddings"))).toEqual(["pca-3d.arrow", "umap-2d.arrow"]);
  });

  test("few snapshots are embedded; a diverged run is told by its weights, not by knn", async () => {
    for (const count of [4, 5, 6]) {
      const short = memoryRun("short", walk(count, 3, 40));
      const found = await embedIn([short]);
      expect(found.warnings.map(({ code }) => code)).toContain("low-knn");
      expect(found.parameters.knn).toBe(count - 2);
      const diverged = walk(count, 3, 40).map((theta, i) => (i < 3 ? theta : theta.fill(Number.NaN)));
      await expect(embedIn([memoryRun("diverged", diverged)])).rejects.toThrow("got a weight NaN");
      await expect(embedIn([memoryRun("diverged", diverged)], { nonFinite: "drop" })).rejects.toThrow(
        "at least 4 snapshots to embed, got 3 without NaN or infinity",
      );
    }
  });

  test.each([
    [{ method: "mds" as "pca" }, "method: expected one of phate, pca, umap, tsne, got mds"],
    [{ dimensions: 4 as 3 }, "dimensions: expected 2 or 3, got 4"],
    [{ weights: "some" as "all" }, "weights: expected one of trainable, all, got some"],
    [{ nonFinite: "keep" as "drop" }, "nonFinite: expected one of error, drop, got keep"],
    [{ seed: 0.5 }, "seed: expected a safe integer, got 0.5"],
    [{ knn: 37 }, "knn: expected an integer from 1 to 36, got 37"],
    [{ perplexity: 5 }, 'perplexity: expected method "tsne", which takes it, got method "phate"'],
    [{ method: "pca" as const, topology: true }, 'topology: expected method "phate", which takes it'],
    [{ method: "pca" as const, stability: true }, "stability: expected a method with settings to vary"],
    [{ method: "umap" as const, nNeighbors: 99 }, "nNeighbors: expected an integer from 2 to 37, got 99"],
    [
      { method: "tsne" as const, knnDist: "manhattan" as "cosine" },
      'knnDist: expected "euclidean" or "cosine"',
    ],
  ])("refuses %o before anything is read", async (options, message) => {
    const points = () => Promise.reject(new Error("read"));
    await expect(embedIn(runs, { ...options, points })).rejects.toThrow(message);
  });
});
