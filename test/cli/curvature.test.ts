import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs";
import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { beforeAll, describe, expect, test } from "vitest";
import { trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { convexityOnPlane } from "../../src/analysis/analyze-convexity.js";
import { analyzeCurvature } from "../../src/analysis/analyze-curvature.js";
import { readOptimizerState } from "../../src/capture/optimizer-state-file.js";
import { createCurvature } from "../../src/curvature/create-curvature.js";
import { eigenvaluesFile, planeHessianFile } from "../../src/curvature/curvature-file.js";
import { hessianOperator } from "../../src/curvature/symmetric-operator.js";
import { randomDirections } from "../../src/directions/random.js";
import { readDirections } from "../../src/store/kinds/directions-file.js";
import { openRun } from "../../src/store/run/open-run.js";
import { useTestBackend } from "../support/backend.js";
import { runCommand } from "../support/command-line.js";
import { temporaryFolders } from "../support/tiny-training.js";
import { loadData } from "./fixtures/tiny-data.js";

const newFolder = temporaryFolders();
const run = newFolder();
const dataModule = fileURLToPath(new URL("./fixtures/tiny-data.js", import.meta.url));
let model: tf.LayersModel;

async function json(...args: string[]): Promise<Record<string, unknown>> {
  const { status, stdout, stderr } = await runCommand(...args, "--json");
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout);
}

beforeAll(async () => {
  await useTestBackend();
  const { xs, ys } = loadData();
  model = tf.sequential({
    layers: [
      tf.layers.dense({ units: 4, inputShape: [3], activation: "tanh", name: "hidden" }),
      tf.layers.dense({ units: 2, activation: "softmax", name: "out" }),
    ],
  });
  model.compile({ optimizer: tf.train.sgd(0.3), loss: "categoricalCrossentropy" });
  await model.fit(xs, ys, {
    epochs: 2,
    verbose: 0,
    callbacks: [trajectoryCallback({ directory: run, name: "tiny" })],
  });
});

const stored = (): string[] => readdirSync(join(run, "curvature")).filter((name) => !name.startsWith("."));
const ASKED = ["--loss", "logits", "--trace", "--density", "--steps", "8", "--probes", "2", "--per-layer"];

/** The whole Hessian, column by column. */
async function fullHessian(): Promise<Float64Array[]> {
  const { xs, ys } = loadData();
  const curvature = await createCurvature(model, { xs, ys }, { loss: "logits" });
  const opened = await openRun(run);
  const point = await curvature.at(await opened.readTheta(opened.snapshots.length - 1));
  const operator = hessianOperator(point, curvature.layout);
  const columns: Float64Array[] = [];
  for (let i = 0; i < operator.size; i++) {
    const e = new Float64Array(operator.size);
    e[i] = 1;
    columns.push(await operator.apply(e));
  }
  point.dispose();
  curvature.dispose();
  return columns;
}

describe("curvature", () => {
  test("eigenvalues, trace, density and layers are those of the matrix; what is stored is read, drawn and exported", async () => {
    const found = await json("curvature", run, "--data", dataModule, ...ASKED);
    const columns = await fullHessian();
    const trace = columns.reduce((sum, column, i) => sum + (column[i] as number), 0);
    expect((found.trace as { value: number }).value).toBeCloseTo(trace, 5);
    const layers = found.layers as { layer: string; size: number; trace: number }[];
    expect(layers.map(({ layer, size }) => [layer, size])).toEqual([
      ["hidden", 16],
      ["out", 10],
    ]);
    expect(layers.reduce((sum, one) => sum + one.trace, 0)).toBeCloseTo(trace, 5);
    const { values, residuals, isConverged } = found.eigenvalues as {
      values: number[];
      residuals: number[];
      isConverged: boolean;
    };
    expect([values.length, isConverged]).toEqual([5, true]);
    expect(Math.max(...residuals)).toBeLessThan(1e-4 * Math.abs(values[0] as number));
    // The vectors are directions through the model, and eigenvectors of the matrix.
    const [name = ""] = readdirSync(join(run, "directions"));
    const directions = await readDirections(join(run, "directions", name));
    expect([directions?.kind, directions?.vectors.length]).toEqual(["hessian", 5]);
    directions?.vectors.slice(0, 2).forEach((vector, k) => {
      const image = columns.map((column) =>
        column.reduce((sum, value, i) => sum + value * (vector[i] as number), 0),
      );
      for (const [i, value] of image.entries()) {
        expect(value).toBeCloseTo((values[k] as number) * (vector[i] as number), 4);
      }
    });
    const before = stored();
    expect(before.map((file) => file.split("-")[0]).sort()).toEqual([
      "density",
      "eigenpairs",
      "layers",
      "trace",
    ]);
    const times = before.map((file) => readFileSync(join(run, "curvature", file)).toString("base64"));
    expect(await json("curvature", run, "--data", dataModule, ...ASKED)).toEqual(found);
    expect(before.map((file) => readFileSync(join(run, "curvature", file)).toString("base64"))).toEqual(
      times,
    );
    // plot and export draw the same picture.
    const { files } = await json("plot", run, "--format", "svg", "--out", newFolder());
    const drawn = (files as string[]).find((file) => file.endsWith("plot-curvature.svg")) as string;
    const own = join(run, "curvature.svg");
    expect(readFileSync(drawn, "utf8") === readFileSync(own, "utf8")).toBe(true);
    const out = newFolder();
    await json("export", run, "--to", "csv", "svg", "--what", "curvature", "--out", out);
    const exported = readdirSync(out);
    expect(exported.filter((file) => file.endsWith(".csv")).length).toBe(4);
    expect(readFileSync(join(out, "curvature.svg"), "utf8") === readFileSync(own, "utf8")).toBe(true);
    // inspect names what is stored.
    const shown = await json("inspect", run);
    expect(shown.curvature).toHaveLength(4);
    expect((await runCommand("inspect", run)).stdout).toContain("curvature eigenpairs");
  });

  test("an interrupted analysis keeps its finished parts and layers, and goes on with them", async () => {
    const { xs, ys } = loadData();
    const directory = newFolder();
    const opened = await openRun(run);
    const options = { evaluation: { loss: "logits" as const }, directory, perLayer: true, top: 2 };
    const controller = new AbortController();
    const work = analyzeCurvature(
      opened,
      model,
      { xs, ys },
      {
        ...options,
        signal: controller.signal,
        onProgress: (step) => {
          if (step === "layers") controller.abort(new Error("stopped"));
        },
      },
    );
    await expect(work).rejects.toThrow("stopped");
    const names = readdirSync(join(directory, "curvature"));
    expect(names.filter((name) => name.startsWith("eigenpairs-")).length).toBe(1);
    const steps: number[] = [];
    const { summary } = await analyzeCurvature(
      opened,
      model,
      { xs, ys },
      {
        ...options,
        onProgress: (step, done) => step === "eigenpairs" && steps.push(done),
      },
    );
    expect(steps).toEqual([]);
    expect(summary.layers?.map(({ layer }) => layer)).toEqual(["hidden", "out"]);
    const whole = await analyzeCurvature(opened, model, { xs, ys }, { ...options, directory: newFolder() });
    expect(summary).toEqual(whole.summary);
    expect(readdirSync(join(directory, "curvature")).some((name) => name.endsWith(".tiles"))).toBe(false);
  });

  test("surface --plane hessian lies along eigenvectors, its second derivatives are the eigenvalues; --ellipse is drawn and stored", async () => {
    const out = newFolder();
    const ASKS = ["--data", dataModule, "--loss", "logits", "--grid", "-0.1:0.1:5,-0.1:0.1:5"];
    const found = await json(
      "surface",
      run,
      "--plane",
      "hessian",
      "--ellipse",
      ...ASKS,
      "--format",
      "svg",
      "--out",
      out,
    );
    const [pairs = ""] = readdirSync(join(out, "curvature")).filter((name) => name.startsWith("eigenpairs-"));
    const { found: eigenvalues } = (await eigenvaluesFile.read(join(out, "curvature", pairs))) ?? {};
    // (L(h) − 2·L(0) + L(−h))/h² along each axis.
    const loss = found.loss as number[][];
    const at = (row: number, column: number) => loss[row]?.[column] as number;
    const middle = at(2, 2);
    const curves = [at(2, 3) - 2 * middle + at(2, 1), at(3, 2) - 2 * middle + at(1, 2)].map(
      (d) => d / 0.05 ** 2,
    );
    curves.forEach((value, k) => {
      expect(Math.abs(value - (eigenvalues?.values[k] as number))).toBeLessThan(0.01);
    });
    const [plane = ""] = readdirSync(join(out, "curvature")).filter((name) => name.startsWith("plane-"));
    const { found: projected } = (await planeHessianFile.read(join(out, "curvature", plane))) ?? {};
    expect(projected?.values[0]).toBeCloseTo(eigenvalues?.values[0] as number, 4);
    expect(projected?.matrix[1]).toBeCloseTo(0, 4);
    const picture = readFileSync(join(out, "plot-hessian.svg".replace("plot-", "")), "utf8");
    expect(picture).toContain("eigenvector 1");
    expect(picture.replace(/<[^>]*>/g, " ")).toContain("The Hessian within the plane has");
  });

  test("--differences says so in the caption, stands in files of its own, and not beside a map", async () => {
    const out = newFolder();
    const exact = await json(
      "curvature",
      run,
      "--data",
      dataModule,
      "--top",
      "1",
      "--format",
      "svg",
      "--out",
      out,
    );
    const found = await json(
      ...["curvature", run, "--data", dataModule, "--top", "1", "--differences", "--tolerance", "0.01"],
      ...["--format", "svg", "--out", out],
    );
    const [a, b] = [exact, found].map(
      ({ eigenvalues }) => (eigenvalues as { values: number[] }).values[0] as number,
    );
    expect(Math.abs((a as number) - (b as number))).toBeLessThan(0.01 * Math.abs(a as number));
    expect(found.differenceError).toBeLessThan(0.05);
    expect(readdirSync(join(out, "curvature")).length).toBe(2);
    const text = readFileSync(join(out, "curvature.svg"), "utf8").replace(/<[^>]*>/g, " ");
    expect(text.replace(/\s+/g, " ")).toContain("by differences of gradients (which change by");
    const { stderr } = await runCommand("curvature", run, "--data", dataModule, "--differences", "--map");
    expect(stderr).toContain("--differences: expected neither --map nor --gauss-newton, got both");
  });

  test("surface --plane moments lies along what the optimizer remembers, at right angles; without a state it is refused", async () => {
    const { xs, ys } = loadData();
    const ASKS = [
      "--plane",
      "moments",
      "--data",
      dataModule,
      "--grid",
      "-0.1:0.1:3,-0.1:0.1:3",
      "--format",
      "svg",
    ];
    const trained = async (optimizer: tf.Optimizer): Promise<string> => {
      const directory = newFolder();
      const own = tf.sequential({
        layers: [tf.layers.dense({ units: 2, inputShape: [3], activation: "softmax" })],
      });
      own.compile({ optimizer, loss: "categoricalCrossentropy" });
      const callbacks = [trajectoryCallback({ directory, optimizerState: true })];
      await own.fit(xs, ys, { epochs: 2, verbose: 0, callbacks });
      return directory;
    };
    const axes = async (directory: string) => {
      const { stderr } = await runCommand("surface", directory, ...ASKS);
      const name = readdirSync(join(directory, "directions")).find((file) => file.startsWith("moments-"));
      const found = await readDirections(join(directory, "directions", name as string));
      return { ...(found as NonNullable<typeof found>), stderr };
    };
    const product = (a?: Float32Array, b?: Float32Array) =>
      (a as Float32Array).reduce((sum, value, i) => sum + value * (b?.[i] as number), 0);
    const adam = await trained(tf.train.adam(0.01));
    const opened = await openRun(adam);
    const state = await readOptimizerState(opened, opened.snapshots.length - 1);
    const { vectors, labels } = await axes(adam);
    expect(labels).toEqual(["m", "m/√v, at a right angle"]);
    const [first, second] = vectors;
    const m = state?.slots.m;
    expect(product(first, m)).toBeCloseTo(Math.sqrt(product(m, m)), 6);
    expect(
      [product(first, first), product(second, second), product(first, second)].map((x) => x.toFixed(5)),
    ).toEqual([1, 1, 0].map((x) => expect.stringMatching(new RegExp(`^-?${x.toFixed(5)}$`))));
    const momentum = await axes(await trained(tf.train.momentum(0.1, 0.9)));
    expect(momentum.labels).toEqual(["momentum", "random direction (seed 0)"]);
    expect(momentum.stderr).toContain(
      "the optimizer remembers one direction (momentum): the second axis is a random",
    );
    const { status, stderr } = await runCommand("surface", run, ...ASKS);
    expect(status).not.toBe(0);
    expect(stderr).toContain('plane "moments": expected a run that was recorded with optimizerState: true');
  });

  test("a stored ellipse is drawn by plot as surface drew it; a random plane says what it hides", async () => {
    const out = ["--format", "svg"];
    const ASKS = ["--data", dataModule, "--loss", "logits", "--grid", "-1:1:3,-1:1:3"];
    await json("surface", run, "--plane", "random", "--ellipse", ...ASKS, ...out);
    const drawn = readFileSync(join(run, "random.svg"), "utf8");
    const text = drawn.replace(/<[^>]*>/g, " ");
    expect(text).toContain("Böttcher & Wheeler 2022".replace("&", "&amp;"));
    const folder = newFolder();
    await json("plot", run, ...out, "--out", folder);
    expect(readFileSync(join(folder, "plot-random.svg"), "utf8") === drawn).toBe(true);
    const { stderr } = await runCommand("surface", run, "--data", dataModule, "--second", "gradient");
    expect(stderr).toContain("--second: expected --plane hessian");
  });

  test("line --along gradient falls with the gradient's norm; eigenvector curves with its eigenvalue", async () => {
    const ASKS = ["--data", dataModule, "--loss", "logits", "--grid", "-0.02:0.02:3", "--format", "svg"];
    const lossAlong = async (axis: string): Promise<number[]> => {
      const { curves } = await json("line", run, "--along", axis, ...ASKS);
      return (curves as { loss: number[] }[])[0]?.loss as number[];
    };
    const { eigenvalues, gradientNorm } = (await json(
      "curvature",
      run,
      "--data",
      dataModule,
      "--loss",
      "logits",
    )) as {
      eigenvalues: { values: number[] };
      gradientNorm: number;
    };
    const [down, , up] = (await lossAlong("gradient")) as [number, number, number];
    expect((up - down) / 0.04).toBeCloseTo(gradientNorm, 2);
    const [low, middle, high] = (await lossAlong("eigenvector")) as [number, number, number];
    expect(Math.abs((high - 2 * middle + low) / 0.02 ** 2 - (eigenvalues.values[0] as number))).toBeLessThan(
      0.05,
    );
    const folder = newFolder();
    const { files } = await json("plot", run, "--format", "svg", "--out", folder);
    expect((files as string[]).filter((file) => /plot-along-(gradient|eigenvector)-/.test(file)).length).toBe(
      2,
    );
  });

  test("--map finds the matrix's ends at each point, and plot draws it again", async () => {
    const ASKS = ["--data", dataModule, "--loss", "logits", "--map", "--grid", "-1:1:3,-1:1:3", "--top", "0"];
    const { map, files } = await json("curvature", run, ...ASKS, "--format", "svg");
    const { largest, smallest, products } = map as Record<string, number[][]>;
    const columns = await fullHessian();
    const matrix = new Matrix(columns.map((column) => [...column]));
    const { realEigenvalues } = new EigenvalueDecomposition(matrix, { assumeSymmetric: true });
    const values = [Math.min(...realEigenvalues), Math.max(...realEigenvalues)] as const;
    expect(Math.abs((smallest?.[1]?.[1] as number) - values[0])).toBeLessThan(0.01 * values[1]);
    expect(Math.abs((largest?.[1]?.[1] as number) - values[1])).toBeLessThan(0.01 * values[1]);
    expect(Math.max(...(products ?? []).flat())).toBeLessThan(60);
    const own = (files as string[]).find((file) => file.endsWith("convexity-random.svg")) as string;
    const folder = newFolder();
    await json("plot", run, "--format", "svg", "--out", folder);
    expect(
      readFileSync(join(folder, "plot-convexity-random.svg"), "utf8") === readFileSync(own, "utf8"),
    ).toBe(true);
    const { stderr } = await runCommand("curvature", run, "--data", dataModule, "--size", "5");
    expect(stderr).toContain("--size: expected --map");
  });

  test("an interrupted map keeps its points, and goes on with them", async () => {
    const { xs, ys } = loadData();
    const opened = await openRun(run);
    const theta = await opened.readTheta(opened.snapshots.length - 1);
    const plane = randomDirections(opened.layout, theta, { seed: 1, count: 2 });
    const grid = { alpha: Float64Array.of(-1, 0, 1), beta: Float64Array.of(-1, 0, 1) };
    const options = { evaluation: { loss: "logits" as const }, directory: newFolder() };
    const controller = new AbortController();
    const work = convexityOnPlane(
      opened,
      plane,
      grid,
      model,
      { xs, ys },
      {
        ...options,
        signal: controller.signal,
        onProgress: (_, done) => {
          if (done === 4) controller.abort(new Error("stopped"));
        },
      },
    );
    await expect(work).rejects.toThrow("stopped");
    const first: number[] = [];
    const { map } = await convexityOnPlane(
      opened,
      plane,
      grid,
      model,
      { xs, ys },
      {
        ...options,
        onProgress: (_, done) => first.push(done),
      },
    );
    expect(first[0]).toBeGreaterThanOrEqual(4);
    const whole = await convexityOnPlane(
      opened,
      plane,
      grid,
      model,
      { xs, ys },
      { ...options, directory: newFolder() },
    );
    map.points.forEach(({ smallest, largest }, i) => {
      expect(smallest).toBeCloseTo(whole.map.points[i]?.smallest as number, 2);
      expect(largest).toBeCloseTo(whole.map.points[i]?.largest as number, 2);
    });
  });

  test("options are checked before anything is opened; what cannot be computed is named", async () => {
    const refused = async (...args: string[]): Promise<string> => {
      const { status, stderr } = await runCommand("curvature", ...args);
      expect(status).toBe(2);
      return stderr;
    };
    expect(await refused("nowhere", "--data", dataModule, "--top", "-1")).toContain(
      "--top: expected an integer",
    );
    for (const [given, expected] of [
      ["--steps 8", "--steps: expected --density, got none"],
      ["--probes 2", "--probes: expected --density, got none"],
      ["--products 9", "--products: expected --trace or --per-layer, got neither"],
      ["--trajectory --products 9", "--products: expected --trace, got none"],
    ] as const) {
      expect(await refused("nowhere", "--data", dataModule, ...given.split(" "))).toContain(expected);
    }
    expect(await refused(run, "--data", dataModule, "--top", "1000000")).toContain(
      "top: expected at most the number of weights, 26, got 1000000",
    );
    expect(await refused("nowhere", "--data", "nope.js")).toContain("no such file");
    // Without the logits, the softmax is part of the network.
    const noData = `${newFolder()}.mjs`;
    writeFileSync(noData, 'export const loadData = () => { throw new Error("read"); };');
    for (const map of [[], ["--map"]]) {
      expect(await refused(run, "--data", noData, "--gauss-newton", ...map)).toContain(
        "--gauss-newton: expected a loss that begins at the logits, got one on a softmax; add --loss logits",
      );
    }
    for (const given of [
      ["--samples", "25"],
      ["--samples", "25", "--map"],
      ["--trajectory", "--samples", "25"],
    ]) {
      expect(await refused(run, "--data", dataModule, ...given)).toContain(
        "--samples: expected at most the 24 samples of the data, got 25",
      );
    }
    expect(await refused(run, "--data", dataModule, "--trajectory", "--minibatch", "25")).toContain(
      "--minibatch: expected at most the 24 samples of the data, got 25",
    );
    const unsupported = newFolder();
    rmSync(unsupported, { recursive: true, force: true });
    const module = `${unsupported}.mjs`;
    writeFileSync(
      module,
      `export * from ${JSON.stringify(dataModule)};
import * as tf from ${JSON.stringify(import.meta.resolve("@tensorflow/tfjs"))};
export const loadLoss = () => (model, xs, ys) => tf.mean(tf.cumsum(tf.square(tf.sub(model.apply(xs), ys)), 1));`,
    );
    expect(await refused(run, "--data", module)).toContain(
      'curvature, kernel "Cumsum": expected a verified second derivative',
    );
  });
});

describe("curvature RUN --trajectory", () => {
  test("computes the run against its optimizer's edge, stores and draws it; a second time it is read", async () => {
    const out = newFolder();
    const args = [
      "curvature",
      run,
      "--data",
      dataModule,
      "--trajectory",
      "--trace",
      "--products",
      "4",
      "--out",
      out,
    ];
    const first = await json(...args);
    const points = first.points as { step: number; threshold: number; sharpness: number; trace: number }[];
    expect(points.map(({ step }) => step)).toEqual([0, 1, 2]);
    for (const { threshold, sharpness, trace } of points) {
      expect(threshold).toBeCloseTo(2 / 0.3, 5);
      expect(sharpness).toBeGreaterThan(0);
      expect(Number.isFinite(trace)).toBe(true);
    }
    const names = readdirSync(out);
    expect(names).toEqual(expect.arrayContaining(["stability.svg", "stability.png", "curvature.html"]));
    expect(readFileSync(join(out, "stability.svg"), "utf8")).toContain("edge of stability");
    expect((await json(...args)).points).toEqual(first.points);
    const { stdout } = await runCommand(...args, "--snapshots", "2");
    expect(stdout).toMatch(/step +loss +\|gradient\| +λ₁ +threshold/);
  });

  test("`plot` draws what is stored, and options of one model are refused beside it", async () => {
    await json("curvature", run, "--data", dataModule, "--trajectory", "--snapshots", "2");
    const { files } = (await json("plot", run)) as { files: string[] };
    expect(files.some((file) => file.endsWith("plot-stability.svg"))).toBe(true);
    const tried = async (...more: string[]) =>
      (await runCommand("curvature", run, "--data", dataModule, ...more)).stderr;
    expect(await tried("--trajectory", "--per-layer")).toContain(
      "--per-layer: expected not to stand beside --trajectory",
    );
    expect(await tried("--snapshots", "3")).toContain(
      "--snapshots: expected to stand beside --trajectory, got 3",
    );
  });
});
