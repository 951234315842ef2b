import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { analyzeConnection } from "../../src/analysis/connect.js";
import { analyzeSolutionTree } from "../../src/analysis/connect-tree.js";
import type { CurveRequest } from "../../src/analysis/curve-stage.js";
import { readFigures } from "../../src/analysis/read-figures.js";
import { barriersOf } from "../../src/between/barrier.js";
import { curvePath } from "../../src/between/curve.js";
import { readCurve } from "../../src/between/curve-file.js";
import { openCurveObjective } from "../../src/between/curve-objective.js";
import { evaluatePath, linePath } from "../../src/between/path-losses.js";
import { nextPair, pairCount, spanningTree } from "../../src/between/solution-tree.js";
import { trainCurve } from "../../src/between/train-curve.js";
import type { MapPanel } from "../../src/figure/figure.js";
import { createLossEvaluator } from "../../src/loss/create-loss-evaluator.js";
import { createUniform } from "../../src/math/random.js";
import { readWeightsSync } from "../../src/model/bound-weights.js";
import { layoutOfModel } from "../../src/model/layout-of-model.js";
import { namesInFolder } from "../../src/store/arrow/regular-file.js";
import { openRun } from "../../src/store/run/open-run.js";
import type { EvaluationSet } from "../../src/surface/lines/level-set-width.js";
import { loadData } from "../cli/fixtures/tiny-data.js";
import { useTestBackend } from "../support/backend.js";
import { runCommand } from "../support/command-line.js";
import { flatWeights, temporaryFolders, type tinyData, tinyModel } from "../support/tiny-training.js";

const newFolder = temporaryFolders();
const folders: string[] = [];
const module = new URL("../cli/fixtures/tiny-data.js", import.meta.url).pathname;
let model: tf.Sequential;
let data: ReturnType<typeof tinyData>;
let sets: EvaluationSet[];

beforeAll(async () => {
  await useTestBackend();
  data = loadData() as ReturnType<typeof tinyData>;
  for (const name of ["first", "second", "third"]) {
    model = tinyModel(tf.train.adam(0.05));
    const directory = newFolder();
    folders.push(directory);
    await model.fit(data.xs, data.ys, {
      epochs: 15,
      verbose: 0,
      callbacks: [trajectoryCallback({ directory, name, schedule: { everyEpochs: 15 } })],
    });
  }
  sets = [{ name: "train", evaluator: await createLossEvaluator(model, data, { engine: "tfjs" }) }];
});

const bezier: CurveRequest = { kind: "bezier", epochs: 25, learningRate: 0.03, batchSize: 8 };
const common = () => ({ sets, points: 5, curvePoints: 9, align: null, mapSize: 0 });

describe("the objective of a model", () => {
  test("has the gradient of the compiled loss, and leaves the model as it is", async () => {
    const plain = tf.sequential({
      layers: [
        tf.layers.dense({ units: 4, inputShape: [3], activation: "tanh", kernelRegularizer: "l1l2" }),
        tf.layers.dense({ units: 2, activation: "softmax" }),
      ],
    });
    plain.compile({ optimizer: "sgd", loss: "categoricalCrossentropy", metrics: ["accuracy"] });
    const before = flatWeights(plain);
    const objective = await openCurveObjective(plain, data, { batchSize: 24 });
    const tensors = tf.memory().numTensors;
    const theta = readWeightsSync(plain, layoutOfModel(plain));
    const gradient = new Float32Array(theta.length);
    const [batch] = objective.batches(0);
    const loss = await objective.gradientInto(gradient, theta, batch);
    expect(tf.memory().numTensors).toBe(tensors);
    for (let i = 0; i < theta.length; i += 3) {
      const values = [];
      for (const sign of [1, -1]) {
        const moved = theta.map((value, k) => (k === i ? value + sign * 1e-2 : value));
        values.push(await objective.gradientInto(new Float32Array(theta.length), moved, batch));
      }
      expect((values[0] - values[1]) / 2e-2).toBeCloseTo(gradient[i], 2);
    }
    expect(loss).toBeGreaterThan(0);
    expect(flatWeights(plain)).toEqual(before);
    objective.dispose();
    await expect(objective.gradientInto(gradient, theta, batch)).rejects.toThrow(/disposed/);
  });
});

describe("a curve between models", () => {
  test("stays below the line, is recorded as a run, drawn on its plane, and read again", async () => {
    const runs = [await openRun(folders[0]), await openRun(folders[1])];
    const directory = newFolder();
    const weights = flatWeights(model);
    const tensors = tf.memory().numTensors;
    const options = { ...common(), directory, curve: bezier, mapSize: 5 };
    const first = await analyzeConnection(runs, model, data, options);
    expect(flatWeights(model)).toEqual(weights);
    expect(tf.memory().numTensors).toBe(tensors);
    const { paths, curve } = first.connection;
    const line = paths.find(({ name, policy }) => name === "line" && policy === "recalibrate");
    const bent = paths.find(({ name }) => name === "curve");
    expect(bent).toMatchObject({ policy: "recalibrate" });
    expect(bent?.t).toHaveLength(9);
    const [below, above] = [bent, line].map((path) => barriersOf(path as NonNullable<typeof path>)[0].loss);
    expect(below.maximum).toBeLessThan(above.maximum);
    expect(below.ends).toEqual(above.ends);
    expect(curve).toMatchObject({ kind: "bezier", bends: 1, epochs: 25, iterations: 75 });
    const [folder] = await namesInFolder(join(directory, "curves"));
    const bend = await openRun(join(directory, "curves", folder, "bend"));
    expect(bend.snapshots.map(({ epoch }) => epoch)).toEqual(Array.from({ length: 26 }, (_, i) => i));
    const stored = await readCurve(join(directory, "curves", folder, "curve.arrow"));
    expect(await bend.readTheta(25)).toEqual(stored?.curve.points[1]);
    expect(first.map?.panels.map(({ kind }) => kind)).toEqual(["map", "curves", "curves"]);
    expect(first.map?.runs.map(({ step }) => step.length)).toEqual([5, 9]);
    expect(first.map?.caption).toMatch(/holds the whole curve/);
    // The ends on the map are those of the paths.
    const map = first.map?.panels[0] as MapPanel;
    for (const { at } of map.paths) {
      [at[0], at[at.length - 1]].forEach(([alpha, beta], i) => {
        expect(Number(alpha)).toBeCloseTo(Number(map.marks[i].alpha), 4);
        expect(Number(beta)).toBeCloseTo(Number(map.marks[i].beta), 4);
      });
    }
    let done = 0;
    const again = await analyzeConnection(runs, model, data, { ...options, onProgress: () => done++ });
    expect(done).toBe(0);
    expect(again.connection).toEqual(first.connection);
  });

  test.each<CurveRequest>([
    { ...bezier, epochs: 6 } as CurveRequest,
    { kind: "polychain", bends: 2, epochs: 6, batchSize: 8, optimizer: "momentum", learningRate: 0.02 },
    {
      kind: "neb",
      cycles: Array.from({ length: 6 }, () => ({ steps: 4, learningRate: 0.05 })),
      between: 2,
      batchSize: 8,
    },
  ])("goes on with the same bits after it was stopped: $kind", async (curve) => {
    const runs = [await openRun(folders[0]), await openRun(folders[1])];
    const [whole, broken] = [newFolder(), newFolder()];
    const wanted = await analyzeConnection(runs, model, data, { ...common(), directory: whole, curve });
    const stopAt = (step: string, at: number) =>
      analyzeConnection(runs, model, data, {
        ...common(),
        directory: broken,
        curve,
        onProgress: (now, done) => {
          if (now === step && done === at) throw new Error("stopped");
        },
      });
    await expect(stopAt("curve", 3)).rejects.toThrow("stopped");
    // Within the second of the four paths: the first one is not evaluated again.
    await expect(stopAt("connection", 7)).rejects.toThrow("stopped");
    const seen: number[] = [];
    const found = await analyzeConnection(runs, model, data, {
      ...common(),
      directory: broken,
      curve,
      onProgress: (_, done) => seen.push(done),
    });
    expect(seen[0]).toBe(6);
    const { curve: one, ...rest } = found.connection;
    const { curve: other, ...others } = wanted.connection;
    expect(rest).toEqual(others);
    expect({ ...one, seconds: 0 }).toEqual({ ...other, seconds: 0 });
    const [folder] = await namesInFolder(join(broken, "curves"));
    const names = (await namesInFolder(join(broken, "curves", folder))).filter((name) =>
      /bend|pivots/.test(name),
    );
    for (const name of names) {
      const [a, b] = [
        await openRun(join(whole, "curves", folder, name)),
        await openRun(join(broken, "curves", folder, name)),
      ];
      expect(b.snapshots.map(({ epoch, iteration }) => [epoch, iteration])).toEqual(
        a.snapshots.map(({ epoch, iteration }) => [epoch, iteration]),
      );
      const last = a.snapshots.length - 1;
      expect(await b.readTheta(last)).toEqual(await a.readTheta(last));
    }
    expect(names).not.toEqual([]);
    expect((await namesInFolder(join(broken, "connections"))).filter((name) => name.startsWith("."))).toEqual(
      [],
    );
  });

  test("a tree over three solutions joins them by the lowest paths", async () => {
    const runs = await Promise.all(folders.map((folder) => openRun(folder)));
    const directory = newFolder();
    const curve: CurveRequest = { ...bezier, epochs: 3 } as CurveRequest;
    const { pairs, names, figure } = await analyzeSolutionTree(runs, model, data, {
      ...common(),
      directory,
      curve,
    });
    expect(names).toEqual(["first", "second", "third"]);
    expect(pairs.map(({ pair }) => pair)).toEqual([
      [0, 1],
      [0, 2],
      [1, 2],
    ]);
    const highest = pairs.reduce((worst, one) => (one.height > worst.height ? one : worst));
    expect(pairs.filter(({ isInTree }) => !isInTree)).toEqual([highest]);
    expect(figure.panels.map(({ kind }) => kind)).toEqual(["curves", "table"]);
  });

  test("warnings of a tree name the pairs that they concern", async () => {
    const run = await openRun(folders[0] as string);
    const alike = ["a", "b", "c"].map((name) => ({ ...run, manifest: { ...run.manifest, name } }));
    const { warnings } = await analyzeSolutionTree(alike, model, data, {
      ...common(),
      directory: newFolder(),
    });
    expect(warnings.map(({ message }) => message)).toEqual([
      'a and b have the same weights: nothing lies between them (and 2 more of this kind, in "a to b", "a to c" and "b to c")',
    ]);
  });
});

describe("trees", () => {
  test("a spanning tree has the lowest largest height between any two", () => {
    const heights = [
      [0, 5, 2, 9],
      [5, 0, 4, 1],
      [2, 4, 0, 7],
      [9, 1, 7, 0],
    ];
    const edges = [0, 1, 2, 3].flatMap((i) =>
      [0, 1, 2, 3].filter((j) => j > i).map((j) => ({ pair: [i, j] as const, height: heights[i][j] })),
    );
    expect(spanningTree(4, edges).map(({ pair }) => pair.join())).toEqual(["1,3", "0,2", "1,2"]);
    expect(() => spanningTree(3, [{ pair: [0, 1], height: 1 }])).toThrow(/3 solutions/);
    expect(() => spanningTree(2, [{ pair: [0, 1], height: Number.NaN }])).toThrow(/pair 0, 1/);
  });

  test("pairs are those with the first solution, then across the highest edge", () => {
    const star = [
      { pair: [0, 1], height: 3 },
      { pair: [0, 2], height: 1 },
    ] as const;
    expect(nextPair(3, [])).toEqual([0, 1]);
    expect(nextPair(3, star.slice(0, 1))).toEqual([0, 2]);
    expect(nextPair(3, star)).toEqual([1, 2]);
    expect(nextPair(3, [...star, { pair: [1, 2], height: 2 }])).toBeNull();
    expect(pairCount(5)).toBe(8);
    expect(() => pairCount(4, 2)).toThrow(/pairs: expected a whole number from 3 to 6, got 2/);
  });
});

describe("a curve with the settings that are taken unless told otherwise", () => {
  test("rises at most a tenth or 0.02 above its worse end, where the line rises further", async () => {
    const [train, held] = [1, 2].map((seed) => rings(600, seed));
    const ends = [];
    let network: tf.Sequential | undefined;
    for (const seed of [1, 2]) {
      const dense = (units: number, layer: number, activation: "relu" | "softmax" = "relu") =>
        tf.layers.dense({
          units,
          activation,
          ...(layer === 0 ? { inputShape: [2] } : {}),
          kernelInitializer: tf.initializers.heNormal({ seed: 10 * seed + layer }),
        });
      network = tf.sequential({ layers: [dense(24, 0), dense(24, 1), dense(3, 2, "softmax")] });
      network.compile({ optimizer: tf.train.adam(0.001), loss: "categoricalCrossentropy" });
      await network.fit(train.xs, train.ys, { epochs: 50, batchSize: 32, shuffle: false, verbose: 0 });
      ends.push(readWeightsSync(network, layoutOfModel(network)));
    }
    const [a, b] = ends;
    const objective = await openCurveObjective(network as tf.Sequential, train, { batchSize: 32 });
    // As many epochs as an end has.
    const curve = await trainCurve(objective, a, b, { epochs: 50 });
    objective.dispose();
    const evaluator = await createLossEvaluator(network as tf.Sequential, held, { engine: "tfjs" });
    const own = [{ name: "test", evaluator }];
    const bent = await evaluatePath("curve", curvePath(curve), own, "none", { points: 61 });
    const line = await evaluatePath("line", linePath(a, b), own, "none", { points: 61 });
    const [below, above] = [bent, line].map((path) => barriersOf(path)[0].loss);
    const worse = Math.max(...below.ends);
    const allowed = Math.max(1.1 * worse, worse + 0.02);
    expect(below.maximum).toBeLessThanOrEqual(allowed);
    expect(above.maximum).toBeGreaterThan(allowed);
    evaluator.dispose();
    // Two trainings and a curve, on a machine that may be busy.
  }, 240_000);
});

/** Points of three noisy rings (count, 2), one class each. */
function rings(count: number, seed: number) {
  const next = createUniform(seed);
  const classes = Array.from({ length: count }, (_, i) => i % 3);
  const points = classes.map((ring) => {
    const [angle, radius] = [2 * Math.PI * next(), 0.5 + ring + 0.5 * (next() - 0.5)];
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  });
  const ys = tf.tidy(() => tf.oneHot(tf.tensor1d(classes, "int32"), 3).toFloat());
  return { xs: tf.tensor2d(points, [count, 2]), ys };
}

describe("the command connect --curve", () => {
  test("leaves what plot draws again: the same picture of the curve, evaluating nothing", async () => {
    const args = ["--points", "3", "--align", "none", "--format", "svg"];
    const curve = ["--curve", "bezier", "--curve-epochs", "2", "--curve-points", "5", "--map-size", "4"];
    const out = newFolder();
    const pair = [folders[1], folders[2]];
    expect((await runCommand("connect", ...pair, "--data", module, ...args, ...curve)).status).toBe(0);
    const drawn = await readFigures(await openRun(folders[1]));
    expect(drawn.figures.map(({ name }) => name)).toEqual([
      expect.stringMatching(/^plot-connect-[0-9a-f]{8}-[0-9a-f]{8}$/),
      expect.stringMatching(/^plot-connect-[0-9a-f]{8}-[0-9a-f]{8}-curve$/),
    ]);
    const { status, stdout } = await runCommand("plot", folders[1], "--format", "svg", "--out", out);
    expect([status, stdout]).toEqual([0, expect.stringMatching(/-curve\.svg$/m)]);
    const [file] = stdout.split("\n").filter((line) => line.endsWith("-curve.svg"));
    // Numbers of one picture are those of the other; names of data stand in the command's alone.
    const paths = (svg: string) => [...svg.matchAll(/ d="([^"]+)"/g)].map(([, d]) => d);
    const first = paths(readFileSync(join(folders[1], "connect-curve.svg"), "utf8"));
    expect(paths(readFileSync(file, "utf8"))).toEqual(expect.arrayContaining(first.slice(0, 3)));
  });

  test("says what the curve came to, and draws two figures", async () => {
    const out = newFolder();
    const { status, stdout, stderr } = await runCommand(
      ...[
        "connect",
        folders[0],
        folders[1],
        "--data",
        module,
        "--points",
        "3",
        "--out",
        out,
        "--align",
        "none",
      ],
      ...["--curve", "polychain", "--bends", "2", "--curve-epochs", "2", "--curve-batch", "8"],
      ...["--curve-points", "5", "--map-size", "4", "--format", "svg", "--json"],
    );
    expect([status, stderr]).toEqual([0, expect.not.stringContaining("rror")]);
    const result = JSON.parse(stdout);
    expect(result.curve).toMatchObject({ kind: "polychain", bends: 2, epochs: 2 });
    expect(result.paths.at(-1)).toMatchObject({ name: "curve", policy: "recalibrate" });
    expect(result.files.map((file: string) => file.slice(out.length + 1))).toEqual([
      "connect.svg",
      "connect-curve.svg",
      "connect-curve-3d.svg",
    ]);
  });

  test("of three models prints a tree", async () => {
    const { status, stdout } = await runCommand(
      ...["connect", ...folders, "--data", module, "--points", "3", "--out", newFolder(), "--format", "svg"],
      ...["--align", "none", "--pairs", "2"],
    );
    expect(status).toBe(0);
    expect(stdout).toMatch(/^pair +lowest path +largest loss +in the tree$/m);
    expect(stdout).toMatch(/^first to third +line/m);
  });

  test.each([
    [["--bends", "2"], /--bends: expected --curve beside it, got 2/],
    [["--map-size", "9"], /--map-size: expected --curve beside it, got 9/],
    [["--curve", "bezier", "--bends", "2"], /--bends: expected 1 for a quadratic/],
    [["--curve", "bezier", "--neb-scale", "2"], /--neb-scale: expected --curve neb beside it, got 2/],
    [["--curve", "neb", "--curve-epochs", "2"], /--curve-epochs: expected none with --curve neb, got 2/],
    [["--curve", "spline"], /--curve/],
    [["--curve", "bezier", "--map-size", "2"], /mapSize: expected 0, or a whole number of at least 3, got 2/],
    [["--pairs", "2"], /--pairs: expected more than 2 models, got 2/],
    [["--curve", "polychain", "--bends", "101"], /--bends: expected at most 100, got 101/],
    [["--curve", "bezier", "--loss", "logits"], /--curve: expected the compiled loss, .* got --loss logits/],
    [["--align", "none", "--tries", "2"], /--tries: expected --align weights beside it, got --align none/],
  ])("refuses %j before the data are read, and writes nothing", async (args, message) => {
    const out = newFolder();
    const folder = newFolder();
    mkdirSync(folder);
    const unread = join(folder, "data.mjs");
    writeFileSync(unread, 'export const loadData = () => { throw new Error("the data are read"); };');
    const { status, stderr } = await runCommand(
      ...["connect", folders[0], folders[1], "--data", unread, "--out", out, ...args],
    );
    expect(status).toBe(2);
    expect(stderr).toMatch(message);
    expect(await namesInFolder(out)).toEqual([]);
  });
});
