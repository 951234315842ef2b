import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { permutedRun } from "../../src/analysis/aligned-runs.js";
import { embedRuns } from "../../src/analysis/embed.js";
import type { EmbedOptions } from "../../src/analysis/embed-options.js";
import { readRunPoints } from "../../src/analysis/run-points.js";
import { randomPermutation } from "../../src/between/permutation.js";
import { permutationGroups } from "../../src/between/permutation-groups.js";
import { createEmbeddingFigure } from "../../src/figure/make/create-embedding-figure.js";
import { createLossEvaluator } from "../../src/loss/create-loss-evaluator.js";
import type { EvaluationData } from "../../src/loss/evaluation-data.js";
import { openRun } from "../../src/store/run/open-run.js";
import type { Run } from "../../src/store/run/run.js";
import { loadData, loadTestData } from "../cli/fixtures/tiny-data.js";
import { useTestBackend } from "../support/backend.js";
import { runCommand } from "../support/command-line.js";
import { plainLinearAlgebra } from "../support/plain-linear-algebra.js";
import { temporaryFolders } from "../support/tiny-training.js";

const newFolder = temporaryFolders();
const [first, second, frozen, tanh, wide] = Array.from({ length: 5 }, () => newFolder());
const module = new URL("../cli/fixtures/tiny-data.js", import.meta.url).pathname;
const linearAlgebra = plainLinearAlgebra;
let model: tf.Sequential;
let data: EvaluationData;
let run: Run;
let copy: Run;

async function train(name: string, directory: string, trained: tf.LayersModel): Promise<void> {
  const { xs, ys } = loadData();
  const callbacks = [trajectoryCallback({ directory, name })];
  await trained.fit(xs, ys, { epochs: 4, verbose: 0, callbacks });
}

/** The tiny model, with another activation, another width, or a first layer that is not trained. */
function changedModel({ activation = "relu", units = 4, isFrozen = false } = {}): tf.Sequential {
  const changed = tf.sequential({
    layers: [
      tf.layers.dense({ units, inputShape: [3], activation: activation as "relu", trainable: !isFrozen }),
      tf.layers.dense({ units: 2, activation: "softmax" }),
    ],
  });
  changed.compile({ optimizer: tf.train.adam(0.05), loss: "categoricalCrossentropy", metrics: ["accuracy"] });
  return changed;
}

beforeAll(async () => {
  await useTestBackend();
  data = loadData();
  model = changedModel();
  await train("first", first, model);
  await train("second", second, changedModel());
  await train("frozen", frozen, changedModel({ isFrozen: true }));
  await train("tanh", tanh, changedModel({ activation: "tanh" }));
  await train("wide", wide, changedModel({ units: 5 }));
  run = await openRun(first);
  const groups = permutationGroups(model, run.layout);
  const view = permutedRun(run, groups, randomPermutation(groups, 3));
  copy = { ...view, manifest: { ...run.manifest, name: "copy" } };
});

/** Largest distance in the picture between a snapshot of the first run and the same one of the second. */
function apart({ coordinates, run: owner }: { coordinates: Float64Array; run: Int32Array }): number {
  const half = coordinates.length / 2;
  expect(owner.length).toBe(half);
  return Math.max(...coordinates.slice(0, half).map((value, i) => Math.abs(value - coordinates[half + i])));
}

describe("embedRuns with align", () => {
  test.each(["pca", "phate"] as const)("a permuted copy lies on its run (%s)", async (method) => {
    const options: EmbedOptions = { method, directory: newFolder(), linearAlgebra };
    const plain = await embedRuns([run, copy], options);
    const aligned = await embedRuns([run, copy], { ...options, align: { model, data } });
    expect(apart(plain)).toBeGreaterThan(0.01);
    expect(apart(aligned)).toBeLessThan(1e-9);
    expect(aligned.facts.alignment).toMatch(/^Units of copy matched to those of first .* to 0\.000\.$/);
    expect(aligned.warnings.filter(({ code }) => code === "duplicate-points")).toHaveLength(1);
    const [figure, before] = [aligned, plain].map((found) => createEmbeddingFigure(found));
    expect(JSON.stringify(figure)).toContain("Units of copy matched to those of first");
    expect(JSON.stringify(before)).not.toContain("matched");
    // Neither replaces the other, and both are read again as they are.
    expect((await embedRuns([run, copy], options)).coordinates).toEqual(plain.coordinates);
  });

  test("stored results are of one way of matching, and are read without matching again", async () => {
    const directory = newFolder();
    const options: EmbedOptions = { method: "pca", directory, linearAlgebra };
    const file = join(directory, "embeddings", "pca-2d-aligned.arrow");
    const of = (align: NonNullable<EmbedOptions["align"]>) => embedRuns([run, copy], { ...options, align });
    await of({ model, data });
    const { mtimeMs } = statSync(file);
    await of({ model, data, method: "weights" });
    expect(statSync(file).mtimeMs).toBe(mtimeMs);
    const { facts } = await of({ model, data, method: "activations" });
    expect(facts.alignment).toMatch(/by activations/);
    await of({ model, data: loadTestData(), method: "activations" });
    expect(statSync(file).mtimeMs).not.toBe(mtimeMs);
    expect(existsSync(join(directory, "embeddings", "pca-2d.arrow"))).toBe(false);
  });

  test("true losses are those of the runs as they are, and the barrier is told", async () => {
    const evaluator = await createLossEvaluator(model, data, { engine: "tfjs", layout: run.layout });
    const directory = newFolder();
    const options: EmbedOptions = { method: "pca", directory, linearAlgebra, evaluator };
    const { loss, lossName, facts } = await embedRuns([run, copy], { ...options, align: { model, data } });
    expect(lossName).toBe("true loss");
    const [, before, after] =
      /barrier of the train loss from (\S+) to (\S+) /.exec(String(facts.alignment)) ?? [];
    expect(Number(before)).toBeGreaterThan(0.01);
    expect(Math.abs(Number(after))).toBeLessThan(1e-6);
    expect(loss).toEqual((await embedRuns([run, copy], options)).loss);
    evaluator.dispose();
  });

  test("refuses what cannot be aligned, by name, and writes nothing", async () => {
    const directory = newFolder();
    const of = (runs: Run[], changes: EmbedOptions = {}) =>
      embedRuns(runs, { method: "pca", directory, linearAlgebra, align: { model, data }, ...changes });
    await expect(of([run])).rejects.toThrow("align: expected at least 2 runs, got 1");
    await expect(of([run, await openRun(wide)])).rejects.toThrow(/expected one parameter layout, .*"wide"/);
    await expect(of([run, await openRun(tanh)])).rejects.toThrow(
      /align: expected runs of one architecture, that of "first" .*, got another one in "tanh"/,
    );
    const method = "names" as "weights";
    await expect(of([run, copy], { align: { model, data, method } })).rejects.toThrow(
      'align.method: expected weights or activations, got "names"',
    );
    const points = () => readRunPoints([run, copy], linearAlgebra);
    await expect(of([run, copy], { points })).rejects.toThrow(
      "points: expected those of aligned runs, got those of runs as they are",
    );
    expect(existsSync(join(directory, "embeddings"))).toBe(false);
  });
});

describe("embed --align", () => {
  const cli = (...args: string[]) => runCommand("embed", ...args, "--format", "svg", "html");

  test("draws aligned runs beside those as they are, whichever weights they train", async () => {
    const out = newFolder();
    const shared = ["--method", "pca", "phate", "--knn", "3", "--data", module, "--out", out];
    const plain = await cli(first, second, frozen, ...shared);
    expect([plain.status, plain.stderr]).toEqual([0, expect.not.stringContaining("rror")]);
    const stray = await cli(first, second, ...shared, "--tries", "2");
    expect(stray.stderr).toMatch(/--tries: expected --align weights beside it, got none/);
    const aligned = await cli(first, second, frozen, ...shared, "--align", "--tries", "2", "--json");
    expect([aligned.status, aligned.stderr]).toEqual([0, expect.not.stringContaining("rror")]);
    const { methods, files } = JSON.parse(aligned.stdout);
    expect(methods[0].facts.alignment).toMatch(
      /Units of second .* Units of frozen matched to those of first/,
    );
    expect(methods[1].facts.alignment).toBe(methods[0].facts.alignment);
    const names = (files as string[]).map((file) => file.slice(out.length + 1));
    expect(names).toEqual([
      "embedding-pca-2d-aligned.svg",
      "embedding-phate-2d-aligned.svg",
      "embedding-aligned.html",
    ]);
    expect(existsSync(join(out, "embedding-pca-2d.svg"))).toBe(true);
    expect(readFileSync(join(out, "embedding-aligned.html"), "utf8")).toContain("Units of second matched");
  });

  test.each([
    [() => [first, second, "--align"], "--align: expected --data MODULE"],
    [() => [first, "--data", module, "--align"], "align: expected at least 2 runs, got 1"],
    [() => [first, tanh, "--data", module, "--align"], "align: expected runs of one architecture"],
    [
      () => [first, second, "--data", module, "--space", "predictions", "--align"],
      "--align: expected --space weights, which takes it, got --space predictions",
    ],
  ])("is refused where it cannot be: %#", async (args, message) => {
    const out = newFolder();
    const { status, stderr } = await cli(...args(), "--out", out);
    expect([status, stderr]).toEqual([2, expect.stringContaining(message)]);
    expect(existsSync(out)).toBe(false);
  });
});
