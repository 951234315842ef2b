import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { analyzeLine } from "../../src/analysis/analyze-line.js";
import { type AnalyzePlaneOptions, analyzePlane } from "../../src/analysis/analyze-plane.js";
import { modelPoint } from "../../src/analysis/model-point.js";
import { readFigures } from "../../src/analysis/read-figures.js";
import { createLossEvaluator } from "../../src/loss/create-loss-evaluator.js";
import type { LossEvaluator } from "../../src/loss/loss-evaluator.js";
import { openRun } from "../../src/store/run/open-run.js";
import type { Run } from "../../src/store/run/run.js";
import { useTestBackend } from "../support/backend.js";
import { temporaryFolders, tinyModel } from "../support/tiny-training.js";

const newFolder = temporaryFolders();
let runs: readonly Run[];
let evaluator: LossEvaluator;

/** Dense, batch norm and ReLU, twice, and one output; the same weights whenever it is made. */
function network(optimizer: tf.Optimizer): tf.Sequential {
  const dense = (units: number, seed: number, inputShape?: number[]) =>
    tf.layers.dense({
      units,
      kernelInitializer: tf.initializers.glorotUniform({ seed }),
      ...(inputShape === undefined ? {} : { inputShape }),
    });
  const norm = () => tf.layers.batchNormalization({ momentum: 0.7 });
  const relu = () => tf.layers.activation({ activation: "relu" });
  const layers = [dense(8, 1, [4]), norm(), relu(), dense(8, 2), norm(), relu(), dense(1, 3)];
  const model = tf.sequential({ layers });
  model.compile({ optimizer, loss: "meanSquaredError" });
  return model;
}

beforeAll(async () => {
  await useTestBackend();
  const xs = tf.randomNormal([256, 4], 3, 5, "float32", 5);
  const weights = tf.randomNormal([4, 1], 0, 1, "float32", 6);
  const ys = tf.tidy(() => tf.tanh(xs.matMul(weights)).add(tf.randomNormal([256, 1], 0, 1, "float32", 7)));
  const train = async (name: string, optimizer: tf.Optimizer): Promise<Run> => {
    const directory = newFolder();
    const callbacks = [trajectoryCallback({ directory, name })];
    await network(optimizer).fit(xs, ys, {
      epochs: 8,
      batchSize: 32,
      shuffle: false,
      verbose: 0,
      callbacks,
    });
    return openRun(directory);
  };
  runs = [await train("SGD", tf.train.sgd(0.02)), await train("Adam", tf.train.adam(0.05))];
  evaluator = await createLossEvaluator(
    network(tf.train.sgd(0.1)),
    { xs, ys },
    {
      engine: "tfjs",
      layout: (runs[0] as Run).layout,
    },
  );
});

function analyze(subjects: readonly Run[], options: AnalyzePlaneOptions = {}) {
  const sets = [{ name: "train", evaluator }];
  return analyzePlane(subjects, { kind: "pca" }, { sets, size: 3, directory: newFolder(), ...options });
}

describe("batch norm on a plane of several runs", () => {
  test("shows the landscape of the networks: where the true loss falls the plane falls under it", async () => {
    const { batchNorm, trajectories, figure, warnings } = await analyze(runs);
    expect(batchNorm).toBe("recalibrate");
    const [, adam] = trajectories;
    const { planeLoss, trueLoss, recalibratedLoss } = adam as Required<NonNullable<typeof adam>>;
    const [plane, own, recalibrated] = [planeLoss, trueLoss, recalibratedLoss].map((losses) => losses ?? []);
    const last = 8;
    expect(own?.[last]).toBeLessThan(own?.[0] as number);
    expect(plane?.[last]).toBeLessThan(plane?.[0] as number);
    expect(Math.abs((plane?.[last] as number) - (recalibrated?.[last] as number))).toBeLessThan(0.1);
    expect(figure?.caption).toContain("recalibrated at every point, from 256 training samples");
    expect(warnings.map(({ code }) => code)).not.toContain("batch-norm-matters");
    // The statistics of SGD's end under Adam's weights are another network.
    const kept = await analyze(runs, { batchNorm: "keep" });
    const under = kept.trajectories[1]?.planeLoss as Float64Array;
    expect(under[last]).toBeGreaterThan(1.5 * (under[0] as number));
    expect(Math.abs((under[last] as number) - (own?.[last] as number))).toBeGreaterThan(
      4 * Math.abs((plane?.[last] as number) - (recalibrated?.[last] as number)),
    );
    const [warning] = kept.warnings.filter(({ code }) => code === "batch-norm-matters");
    expect(warning?.message).toMatch(
      /^batch norm "keep" matters: at step \d of (SGD|Adam) the plane's loss is/,
    );
    expect(kept.figure?.caption).toContain("Batch norm keeps the statistics of the center at every point.");
  });

  test("a recalibrated snapshot is what its own statistics from the calibration set make of it", async () => {
    const { trajectories } = await analyze(runs);
    const theta = await (runs[1] as Run).readTheta(5);
    const own = await evaluator.evaluate(theta, { batchNorm: "recalibrate" });
    expect(trajectories[1]?.recalibratedLoss?.[5]).toBe(own.loss);
    expect(trajectories[1]?.trueLoss?.[5]).toBe((await evaluator.evaluate(theta)).loss);
  });
});

describe("batch norm on a plane of one run", () => {
  test("is recalibrated where the path starts with fresh statistics, and kept where it does not", async () => {
    const [sgd] = runs as readonly [Run, Run];
    expect((await analyze([sgd])).batchNorm).toBe("recalibrate");
    const later = await analyze([sgd], { from: 2 });
    expect(later.batchNorm).toBe("keep");
    expect(later.trajectories[0]?.recalibratedLoss).toBeUndefined();
    expect((await analyze([sgd], { batchNorm: "interpolate" })).batchNorm).toBe("interpolate");
  });

  test("surfaces of two policies stand beside each other, and the picture names its own", async () => {
    const [sgd] = runs as readonly [Run, Run];
    const directory = sgd.directory;
    const recalibrated = await analyze([sgd], { directory });
    const kept = await analyze([sgd], { directory, batchNorm: "keep" });
    expect(kept.surfaces[0]?.surface.loss).not.toEqual(recalibrated.surfaces[0]?.surface.loss);
    expect((await readFigures(sgd)).figures[0]?.figure).toEqual(kept.figure);
    await analyze([sgd], { directory });
    expect((await readFigures(sgd)).figures[0]?.figure).toEqual(recalibrated.figure);
  });

  test("lines and planes between models keep their form, and say by how much recalibration changes them", async () => {
    const [sgd, adam] = runs as readonly [Run, Run];
    const sets = [{ name: "train", evaluator }];
    const directory = newFolder();
    // Its statistics are fresh: far from those of its inputs, and so is what is mixed of them.
    const start = await modelPoint(adam, 0);
    const line = (batchNorm?: "recalibrate") =>
      analyzeLine([start, adam], { kind: "models" }, { sets, grid: "0:1:21", directory, batchNorm });
    const { slice, warnings } = await line();
    const said = warnings.filter(({ code }) => code === "batch-norm-matters");
    const [, at, there, own] =
      /"interpolate" matters: at α = (\S+) between the models the loss is (\S+), (\S+) with recalibrated statistics/.exec(
        said[0]?.message ?? "",
      ) ?? [];
    const index = slice.alpha.indexOf(Number(at));
    expect(Number(at)).toBe(0.05);
    expect(slice.curves[0]?.surface.loss[index]).toBeCloseTo(Number(there), 2);
    const recalibrated = await line("recalibrate");
    expect(recalibrated.slice.curves[0]?.surface.loss[index]).toBeCloseTo(Number(own), 2);
    expect(recalibrated.warnings).toEqual([]);
    // Stored with the line.
    expect((await line()).warnings).toEqual(warnings);
    // Two ends of one start are close enough for their statistics to be mixed.
    const near = await analyzeLine([sgd, adam], { kind: "models" }, { sets, grid: "0:1:5", directory });
    expect(near.warnings).toEqual([]);
    const options = { sets, grid: "0:1:11,0:1:2", directory } as const;
    const plane = await analyzePlane([start, adam, sgd], { kind: "models" }, options);
    expect(plane.batchNorm).toBe("interpolate");
    const [onPlane] = plane.warnings.filter(({ code }) => code === "batch-norm-matters");
    expect(onPlane?.message).toMatch(/"interpolate" matters: at \(\S+, \S+\) between the models the loss is/);
  });

  test("a network without statistics has no policy, and one file whatever is asked", async () => {
    const plain = tf.sequential({ layers: [tf.layers.dense({ units: 2, inputShape: [3] })] });
    plain.compile({ optimizer: "sgd", loss: "meanSquaredError" });
    const data = { xs: tf.randomNormal([12, 3]), ys: tf.randomNormal([12, 2]) };
    const directory = newFolder();
    await plain.fit(data.xs, data.ys, {
      epochs: 3,
      verbose: 0,
      callbacks: [trajectoryCallback({ directory })],
    });
    const run = await openRun(directory);
    const own = await createLossEvaluator(plain, data, { engine: "tfjs", layout: run.layout });
    const sets = [{ name: "train", evaluator: own }];
    const policies = [];
    for (const batchNorm of ["keep", "interpolate", undefined] as const) {
      policies.push((await analyzePlane([run], { kind: "pca" }, { sets, size: 3, batchNorm })).batchNorm);
    }
    expect(policies).toEqual(["none", "none", "none"]);
    own.dispose();
  });

  test("an evaluator without a calibration set keeps the statistics, and says so", async () => {
    const { facts, evaluate } = evaluator;
    const without: LossEvaluator = {
      facts: { ...facts, calibration: null },
      evaluate: (theta, how) => evaluate(theta, how),
      dispose() {},
    };
    const { batchNorm, warnings } = await analyze(runs, { sets: [{ name: "train", evaluator: without }] });
    expect(batchNorm).toBe("keep");
    expect(warnings.map(({ code }) => code)).toContain("no-calibration");
  });
});

test("a model of the test's own has statistics to be kept", () => {
  expect(tinyModel().weights.some(({ name }) => name.includes("moving_variance"))).toBe(true);
});
