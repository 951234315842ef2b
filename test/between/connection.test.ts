import { readdirSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { analyzeConnection } from "../../src/analysis/connect.js";
import { readFigures } from "../../src/analysis/read-figures.js";
import { barriersOf } from "../../src/between/barrier.js";
import { connectModels } from "../../src/between/connection.js";
import { readConnection, writeConnection } from "../../src/between/connection-file.js";
import { permuteWeights, randomPermutation } from "../../src/between/permutation.js";
import { permutationGroups } from "../../src/between/permutation-groups.js";
import { createLossEvaluator } from "../../src/loss/create-loss-evaluator.js";
import { readWeightsSync } from "../../src/model/bound-weights.js";
import { openRun } from "../../src/store/run/open-run.js";
import type { EvaluationSet } from "../../src/surface/lines/level-set-width.js";
import { loadData } from "../cli/fixtures/tiny-data.js";
import { useTestBackend } from "../support/backend.js";
import { runCommand } from "../support/command-line.js";
import { temporaryFolders, type tinyData, tinyModel } from "../support/tiny-training.js";

const newFolder = temporaryFolders();
const folders: string[] = [];
let model: tf.Sequential;
let data: ReturnType<typeof tinyData>;
let sets: EvaluationSet[];

beforeAll(async () => {
  await useTestBackend();
  data = loadData() as ReturnType<typeof tinyData>;
  for (const name of ["first", "second"]) {
    model = tinyModel();
    const directory = newFolder();
    folders.push(directory);
    await model.fit(data.xs, data.ys, {
      epochs: 2,
      verbose: 0,
      callbacks: [trajectoryCallback({ directory, name })],
    });
  }
  const evaluator = await createLossEvaluator(model, data, { engine: "tfjs" });
  sets = [{ name: "train", evaluator }];
});

describe("a connection", () => {
  test("has both lines under every policy of batch norm, stored once and read again", async () => {
    const runs = [await openRun(folders[0]), await openRun(folders[1])];
    const directory = newFolder();
    const options = { sets, directory, points: 5 };
    const first = await analyzeConnection(runs, model, data, options);
    expect(first.connection.paths.map(({ name, policy }) => `${name} ${policy}`)).toEqual([
      "line keep",
      "line interpolate",
      "line recalibrate",
      "aligned line keep",
      "aligned line interpolate",
      "aligned line recalibrate",
    ]);
    expect(first.connection.alignment).toMatchObject({ method: "weights", units: 4 });
    const { before, after } = (first.connection.alignment as NonNullable<typeof first.connection.alignment>)
      .distance;
    expect(after).toBeLessThanOrEqual(before);
    let evaluated = 0;
    const again = await analyzeConnection(runs, model, data, { ...options, onProgress: () => evaluated++ });
    expect(evaluated).toBe(0);
    expect(again.connection).toEqual(first.connection);
    await analyzeConnection(runs, model, data, { ...options, points: 7, onProgress: () => evaluated++ });
    expect(evaluated).toBe(42);
    expect(first.figure.panels.map(({ kind }) => kind)).toEqual([...Array(6).fill("curves"), "table"]);
    expect(first.figure.caption).toMatch(/units of second matched to those of first by weights/);
  });

  test("of a permuted copy has a barrier on the line and none on the aligned line", async () => {
    const groups = permutationGroups(model);
    const theta = readWeightsSync(model, groups.layout);
    const copy = permuteWeights(theta, groups, [Int32Array.of(1, 2, 3, 0)]);
    const connection = await connectModels(model, data, [theta, copy], sets, { points: 5 });
    const barrierOn = (name: string) => {
      const path = connection.paths.find((one) => one.name === name && one.policy === "interpolate");
      return barriersOf(path as NonNullable<typeof path>)[0].loss.aboveLine;
    };
    expect(barrierOn("line")).toBeGreaterThan(1e-3);
    expect(barrierOn("aligned line")).toBeLessThanOrEqual(1e-6);
    expect(connection.alignment).toMatchObject({ moved: 4, distance: { after: 0 } });
    expect(connection.alignment?.groups[0].from).toEqual([3, 0, 1, 2]);
  });

  test("between equal models says so, and has no barrier", async () => {
    const theta = readWeightsSync(model, permutationGroups(model).layout);
    const { warnings, paths } = await connectModels(model, data, [theta, theta], sets, { points: 3 });
    expect(warnings.map(({ code }) => code)).toEqual(["equal-models"]);
    for (const path of paths.filter(({ policy }) => policy !== "recalibrate")) {
      expect(barriersOf(path)[0].loss.aboveLine).toBe(0);
    }
  });

  test("repairs a network without batch norm", async () => {
    const plain = tf.sequential({
      layers: [
        tf.layers.dense({ units: 5, activation: "relu", inputShape: [3] }),
        tf.layers.dense({ units: 2, activation: "softmax" }),
      ],
    });
    plain.compile({ optimizer: "sgd", loss: "categoricalCrossentropy", metrics: ["accuracy"] });
    const groups = permutationGroups(plain);
    const theta = readWeightsSync(plain, groups.layout);
    const other = permuteWeights(
      theta.map((value, i) => value + 0.1 * Math.sin(i)),
      groups,
      randomPermutation(groups, 1),
    );
    const evaluator = await createLossEvaluator(plain, data, { engine: "tfjs" });
    const own = [{ name: "train", evaluator }];
    const { paths } = await connectModels(plain, data, [theta, other], own, { points: 3 });
    expect(paths.map(({ name, policy }) => `${name} ${policy}`)).toEqual([
      "line none",
      "aligned line none",
      "aligned line repair",
    ]);
    const without = await connectModels(plain, data, [theta, other], own, { points: 3, align: null });
    expect(without.paths.map(({ name }) => name)).toEqual(["line"]);
    expect(without.alignment).toBeNull();
    evaluator.dispose();
  });

  test("is read back bit for bit, NaN too; a stale one is not", async () => {
    const theta = readWeightsSync(model, permutationGroups(model).layout);
    const other = theta.map((value) => 2 * value);
    const connection = await connectModels(model, data, [theta, other], sets, { points: 3 });
    const [path, ...rest] = connection.paths;
    const broken = {
      ...path,
      values: path.values.map((one) => ({ ...one, loss: Float64Array.of(1, Number.NaN, 2) })),
    };
    const file = join(newFolder(), "connection.arrow");
    const provenance = { kind: "connection", version: 1, options: {}, seed: 0, inputs: {} };
    const written = { ...connection, paths: [broken, ...rest] };
    await writeConnection(file, written, provenance);
    expect(await readConnection(file, provenance)).toEqual(written);
    expect(await readConnection(file, { ...provenance, seed: 1 })).toBeNull();
    expect(await readConnection(`${file}.none`)).toBeNull();
  });

  test("refuses one model, different layouts, and weights that are not finite", async () => {
    const run = await openRun(folders[0]);
    await expect(analyzeConnection([run], model, data, { sets })).rejects.toThrow(
      /models: expected 2 models, got 1/,
    );
    const directory = newFolder();
    const other = tf.sequential({
      layers: [tf.layers.dense({ units: 2, inputShape: [3], activation: "softmax" })],
    });
    other.compile({ optimizer: "sgd", loss: "categoricalCrossentropy" });
    await other.fit(data.xs, data.ys, {
      epochs: 1,
      verbose: 0,
      callbacks: [trajectoryCallback({ directory, name: "other" })],
    });
    await expect(analyzeConnection([run, await openRun(directory)], model, data, { sets })).rejects.toThrow(
      /expected/,
    );
    const theta = readWeightsSync(model, permutationGroups(model).layout);
    const broken = theta.map(() => Number.NaN);
    await expect(connectModels(model, data, [theta, broken], sets)).rejects.toThrow(
      /second model, entry 0: expected finite/,
    );
    await expect(connectModels(model, data, [theta, theta], [])).rejects.toThrow(
      /sets: expected at least one/,
    );
  });
});

describe("the command connect", () => {
  const module = new URL("../cli/fixtures/tiny-data.js", import.meta.url).pathname;

  test("--json gives line, aligned line and what moved; pictures are written", async () => {
    const out = newFolder();
    const { status, stdout, stderr } = await runCommand(
      ...["connect", folders[0], folders[1], "--data", module, "--test", "--points", "5", "--out", out],
      ...["--format", "svg", "html", "--json"],
    );
    expect([status, stderr]).toEqual([0, expect.not.stringContaining("rror")]);
    const result = JSON.parse(stdout);
    for (const path of [result.line, result.aligned]) {
      expect(path).toMatchObject({
        policy: "interpolate",
        maximum: expect.any(Number),
        barrier: expect.any(Number),
      });
      expect(path.ends).toHaveLength(2);
      expect(path.test).toMatchObject({ maximum: expect.any(Number), barrier: expect.any(Number) });
      expect(path.barrier).toBeGreaterThanOrEqual(0);
    }
    expect(result.distance.after).toBeLessThanOrEqual(result.distance.before);
    expect(result.permuted).toBeGreaterThanOrEqual(0);
    expect(result.files.map((file: string) => file.slice(out.length + 1))).toEqual([
      "connect.svg",
      "connect.html",
    ]);
  });

  test("leaves what plot draws again", async () => {
    const args = ["connect", folders[1], folders[0], "--data", module, "--points", "3", "--format", "svg"];
    expect((await runCommand(...args)).status).toBe(0);
    const { figures } = await readFigures(await openRun(folders[1]));
    expect(figures.map(({ name }) => name)).toEqual([
      expect.stringMatching(/^plot-connect-[0-9a-f]{8}-[0-9a-f]{8}$/),
    ]);
    expect(figures[0].figure.panels.at(-1)).toMatchObject({ kind: "table", title: "Barriers" });
  });

  test("interpolate --align draws the line to the aligned model, beside the plain one", async () => {
    const out = newFolder();
    const line = [
      "interpolate",
      folders[0],
      folders[1],
      "--data",
      module,
      "--grid",
      "0:1:3",
      "--out",
      out,
      "--json",
    ];
    const plain = JSON.parse((await runCommand(...line)).stdout);
    const aligned = JSON.parse((await runCommand(...line, "--align")).stdout);
    expect(aligned.marks.map(({ name }: { name: string }) => name)).toEqual(["first", "second, aligned"]);
    const ends = ({ curves }: typeof plain) => [curves[0].loss[0], curves[0].loss[2]];
    ends(aligned).forEach((loss, i) => {
      expect(loss).toBeCloseTo(ends(plain)[i], 5);
    });
    expect(readdirSync(join(out, "lines")).filter((name) => name.endsWith(".arrow"))).toHaveLength(2);
    const { stdout, status } = await runCommand(
      ...line.slice(0, -1),
      "--align",
      "activations",
      "--format",
      "svg",
    );
    expect(status).toBe(0);
    expect(stdout).toMatch(/^units of second matched to those of first by activations: \d of 4 moved/m);
  });

  test("without --json prints a table of barriers", async () => {
    const { status, stdout } = await runCommand(
      ...["connect", folders[0], `${folders[0]}@0`, "--data", module, "--points", "3", "--align", "none"],
      ...["--out", newFolder(), "--format", "svg"],
    );
    expect(status).toBe(0);
    expect(stdout).toMatch(/^path +start +end +largest +barrier +above mean$/m);
    expect(stdout).toMatch(/^line \(recalibrate\), train/m);
    expect(stdout).not.toMatch(/aligned/);
  });

  test("refuses an unknown way of matching", async () => {
    const { status, stderr } = await runCommand(
      "connect",
      folders[0],
      folders[1],
      "--data",
      module,
      "--align",
      "names",
    );
    expect(status).toBe(2);
    expect(stderr).toMatch(/--align: expected one of weights, activations, none, got "names"/);
  });
});
