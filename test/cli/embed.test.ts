import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { useTestBackend } from "../support/backend.js";
import { type CommandResult, runCommand } from "../support/command-line.js";
import { temporaryFolders, tinyModel } from "../support/tiny-training.js";
import { loadData } from "./fixtures/tiny-data.js";

const newFolder = temporaryFolders();
const [first, second, wide] = [newFolder(), newFolder(), newFolder()];
const dataModule = fileURLToPath(new URL("./fixtures/tiny-data.js", import.meta.url));

function cli(...args: string[]): Promise<CommandResult> {
  return runCommand("embed", ...args);
}

/** Runs the command with --json and returns its object; stdout must hold nothing else. */
async function json(...args: string[]): Promise<Record<string, unknown>> {
  const { status, stdout, stderr } = await cli(...args, "--json");
  expect(stderr).not.toContain("Error");
  expect(status).toBe(0);
  expect(stdout.trim().split("\n").length).toBe(1);
  return JSON.parse(stdout);
}

async function train(directory: string, name: string, model: tf.Sequential): Promise<void> {
  const { xs, ys } = loadData();
  await model.fit(xs, ys, {
    epochs: 9,
    batchSize: 6,
    verbose: 0,
    callbacks: [trajectoryCallback({ directory, name })],
  });
}

beforeAll(async () => {
  await useTestBackend();
  await train(first, "<b>first</b>", tinyModel(tf.train.momentum(0.1, 0.9)));
  await train(second, "second", tinyModel(tf.train.adam(0.05)));
  const other = tf.sequential({
    layers: [tf.layers.dense({ units: 2, inputShape: [3], activation: "softmax" })],
  });
  other.compile({ optimizer: "sgd", loss: "categoricalCrossentropy" });
  await train(wide, "wide", other);
});

describe("embed", () => {
  test("--json gives method, coordinates, quality, parameters and warnings, and stores what it found", async () => {
    const out = newFolder();
    const args = [first, second, "--out", out, "--format", "svg", "--knn", "3", "--t", "4", "--stability"];
    const found = await json(...args);
    expect(found.method).toBe("phate");
    const coordinates = found.coordinates as number[][];
    expect([coordinates.length, coordinates[0]?.length]).toEqual([20, 2]);
    expect(coordinates.flat().every(Number.isFinite)).toBe(true);
    expect(found.run).toEqual(Array.from({ length: 20 }, (_, i) => Math.floor(i / 10)));
    expect((found.loss as unknown[])[0]).toBe("NaN");
    expect(found.parameters).toMatchObject({ knn: 3, t: 4, decay: 40, gamma: 1, knnDist: "euclidean" });
    const quality = found.quality as { trustworthiness: number; pathContinuity: number };
    expect(quality.trustworthiness).toBeGreaterThan(0.5);
    expect(quality.pathContinuity).toBeGreaterThan(0.5);
    expect((found.warnings as { code: string }[]).map(({ code }) => code)).toContain("too-few-points");
    expect((found.stability as { settings: unknown[] }).settings.length).toBe(5);
    expect(found.files).toEqual([join(out, "embedding-phate-2d.svg")]);
    const file = join(out, "embeddings", "phate-2d.arrow");
    const written = statSync(file).mtimeMs;
    expect((await json(...args)).coordinates).toEqual(coordinates);
    expect(statSync(file).mtimeMs).toBe(written);
  });

  test("several methods: a table of their quality, pictures of each and one page", async () => {
    const out = newFolder();
    const { status, stdout, stderr } = await cli(
      ...[first, second, "--out", out, "--method", "phate", "pca", "umap", "tsne", "--dimensions", "3"],
      ...["--color", "run", "--knn", "3", "--n-neighbors", "5", "--n-epochs", "50", "--iterations", "50"],
      ...["--topology", "--title", "A & B"],
    );
    expect(stderr).not.toContain("Error");
    expect(status).toBe(0);
    expect(stdout).toMatch(/^method +trustworthiness +path continuity$/m);
    for (const method of ["phate", "pca", "umap", "tsne"]) {
      expect(stdout).toMatch(new RegExp(`^${method} +[01]\\.\\d{4} +[01]\\.\\d{4}$`, "m"));
      expect(existsSync(join(out, `embedding-${method}-3d.png`))).toBe(true);
    }
    expect(stdout).toMatch(/^topology: \d+ basins, \d+ cycles; smoother than chance p = /m);
    expect(existsSync(join(out, "topology.svg"))).toBe(true);
    const page = readFileSync(join(out, "embedding.html"), "utf8");
    expect(page).toContain("A &amp; B");
    expect(page).not.toContain("<b>first");
    // The rows are read once for all methods.
    expect(stderr.match(/inner products of snapshots/g)?.length).toBe(1);
  });

  test("none leaves a stage out, and no flag leaves centring to PHATE's own rule", async () => {
    const args = [first, second, "--out", newFolder(), "--format", "svg", "--knn", "3", "--t", "4"];
    const { parameters, facts } = await json(
      ...args,
      "--n-pca",
      "none",
      "--n-landmark",
      "none",
      "--decay",
      "none",
    );
    expect(parameters).toMatchObject({ nPca: null, nLandmark: null, decay: null, center: null });
    expect(facts).toMatchObject({ landmarks: null });
    for (const flag of ["--no-centered", "--no-center"]) {
      expect((await json(...args, "--n-pca", "4", flag)).parameters).toMatchObject({
        nPca: 4,
        center: false,
      });
    }
  });

  test("--data colours by the true loss", async () => {
    const found = await json(
      ...[first, "--method", "pca", "--data", dataModule, "--out", newFolder(), "--format", "svg"],
    );
    expect(found.lossName).toBe("true loss");
    expect((found.loss as number[]).every((loss) => loss > 0)).toBe(true);
    expect((found.loss as number[]).length).toBe(10);
  });

  test.each([
    [
      [first, wide],
      /runs: expected one parameter layout, layout [0-9a-f]{12} of run "<b>first<\/b>".*got also layout [0-9a-f]{12} of run "wide"/,
    ],
    [[first, "--perplexity", "5"], /perplexity: expected --method tsne, which takes it, got --method phate/],
    [[first, "--knn", "99"], /knn: expected an integer from 1 to 8, got 99/],
    [[first, "--n-pca", "no"], /--n-pca: expected a number or none, got "no"/],
    [[first, "--t", "0"], /--t: expected auto or an integer of at least 1, got "0"/],
    [[first, "--dimensions", "4"], /--dimensions: expected 2 or 3, got "4"/],
    [[first, "--log", "nothing", "--method", "pca"], /lossLog: expected a log of the runs \(loss, acc\)/],
  ])("bad input ends with 2 and one line: %#", async (args, message) => {
    const out = newFolder();
    const { status, stderr } = await cli(...(args as string[]), "--out", out);
    expect(status).toBe(2);
    expect(stderr).toMatch(message);
    expect(existsSync(out)).toBe(false);
  });
});
