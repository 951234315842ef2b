import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { useTestBackend } from "../support/backend.js";
import { type CommandResult, runCommand, runCommandProcess } from "../support/command-line.js";
import { temporaryFolders, tinyModel } from "../support/tiny-training.js";
import { loadData } from "./fixtures/tiny-data.js";

const newFolder = temporaryFolders();
const run = newFolder();
const bin = fileURLToPath(new URL("../../bin/tfjs-landscape.js", import.meta.url));
const fixtures = fileURLToPath(new URL("./fixtures/", import.meta.url));
const dataModule = join(fixtures, "tiny-data.js");

function cli(...args: string[]): Promise<CommandResult> {
  return runCommand(...args);
}

/** The lines on stderr that are the program's own: TensorFlow's library greets there by itself. */
function ownLines(stderr: string): string[] {
  const isOwn = (line: string) =>
    line !== "" && !/^(WARNING: All log messages before absl|I0000 )/.test(line);
  return stderr.split("\n").filter(isOwn);
}

/** Runs a command with --json and returns its object; stdout must hold nothing else. */
async function json(...args: string[]): Promise<Record<string, unknown>> {
  const { status, stdout, stderr } = await cli(...args, "--json");
  expect(stderr).not.toContain("Error");
  expect(status).toBe(0);
  expect(stdout.trim().split("\n").length).toBe(1);
  return JSON.parse(stdout);
}

/** The run's description and snapshots (those of the names asked for), without results. */
function copyOfRun(wanted: (name: string) => boolean = () => true): string {
  const copy = newFolder();
  mkdirSync(join(copy, "snapshots"), { recursive: true });
  writeFileSync(join(copy, "run.json"), readFileSync(join(run, "run.json")));
  for (const name of readdirSync(join(run, "snapshots")).filter(wanted)) {
    writeFileSync(join(copy, "snapshots", name), readFileSync(join(run, "snapshots", name)));
  }
  return copy;
}

beforeAll(async () => {
  await useTestBackend();
  const { xs, ys } = loadData();
  const model = tinyModel(tf.train.momentum(0.1, 0.9));
  await model.fit(xs, ys, {
    epochs: 5,
    batchSize: 6,
    verbose: 0,
    callbacks: [trajectoryCallback({ directory: run, name: "tiny" })],
  });
});

describe("inspect", () => {
  test("ends quietly when its reader does", () => {
    const shown = `"${process.execPath}" "${bin}" inspect "${run}" | true`;
    const { stderr, status } = spawnSync("sh", ["-c", shown], { encoding: "utf8" });
    expect([ownLines(stderr), status]).toEqual([[], 0]);
  });

  test("--json gives snapshots and parameters", async () => {
    const result = await json("inspect", run);
    const snapshots = result.snapshots as { epoch: number; iteration: number; logs: object }[];
    expect(snapshots.map(({ epoch }) => epoch)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(snapshots.map(({ iteration }) => iteration)).toEqual([0, 4, 8, 12, 16, 20]);
    expect(Object.keys(snapshots[0]?.logs ?? {})).toEqual([]);
    expect(Object.keys(snapshots[1]?.logs ?? {}).sort()).toEqual(["acc", "loss"]);
    const parameters = result.parameters as { role: string; trainable: boolean; size: number }[];
    expect(parameters.map(({ role }) => role)).toEqual([
      "kernel",
      "bias",
      "scale",
      "offset",
      "kernel",
      "bias",
      "state",
      "state",
    ]);
    const sizes = parameters.map(({ size }) => size);
    expect(result.parameterCount).toBe(sizes.reduce((sum, size) => sum + size, 0));
    expect(result.trainableCount).toBe((result.parameterCount as number) - 8);
  });

  test("RUN@STEP is one snapshot; a step that is not there is named", async () => {
    const { snapshots } = (await json("inspect", `${run}@3`)) as { snapshots: { step: number }[] };
    expect(snapshots.map(({ step }) => step)).toEqual([3]);
    expect((await cli("inspect", `${run}@3`)).stdout).toMatch(/^snapshot 3: epoch 3/);
    const { status, stderr } = await cli("inspect", `${run}@9`);
    expect([status, stderr]).toEqual([2, expect.stringContaining("expected a step from 0 to 5, got 9")]);
  });

  test("bad input with --json is an object on stdout", async () => {
    const { status, stdout } = await cli("inspect", "nowhere", "--json");
    expect(status).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ error: { message: expect.stringContaining("nowhere") } });
    const usage = await cli("surface", run, "--json");
    expect(JSON.parse(usage.stdout)).toMatchObject({ error: { code: "usage" } });
  });

  test("a data module that is not there is reported before any backend starts", async () => {
    const { stderr } = await cli("surface", run, "--data", "nope.js");
    expect(stderr).not.toContain("backend");
    expect(stderr).toContain("no such file");
  });

  test("for a person: the run's name, its weights and snapshots", async () => {
    const { stdout, status } = await cli("inspect", run);
    expect(status).toBe(0);
    expect(stdout).toContain("tiny");
    expect(stdout).toContain("snapshot 5: epoch 5, iteration 20, learning rate 0.1");
  });
});

describe("pca, surface and plot", () => {
  test("pca --json: shares, baseline, coordinates that end at the centre", async () => {
    const result = await json("pca", run);
    const shares = result.explainedVarianceRatio as number[];
    expect(shares.length).toBe(2);
    expect(shares[0]).toBeGreaterThan(shares[1] as number);
    expect((result.randomWalkBaseline as number[]).length).toBe(2);
    const coordinates = result.coordinates as number[][];
    expect(coordinates.length).toBe(6);
    expect(coordinates[5]).toEqual([0, 0]);
    expect((result.inPlaneShare as number[])[5]).toBe(1);
    const other = await json("pca", run, "--components", "1,3", "--centering", "final");
    expect(other.explainedVarianceRatio).not.toEqual(shares);
  });

  test("surface --json: rows over beta, the centre on the grid, the model's own loss there", async () => {
    const result = await json("surface", run, "--data", dataModule, "--points", "7x5");
    const [alpha, beta] = [result.alpha as number[], result.beta as number[]];
    const loss = result.loss as number[][];
    expect([alpha.length, beta.length, loss.length, loss[0]?.length]).toEqual([7, 5, 5, 7]);
    const center = result.center as { loss: number; metrics: Record<string, number> };
    expect(loss[beta.indexOf(0)]?.[alpha.indexOf(0)]).toBe(center.loss);
    const metrics = result.metrics as Record<string, number[][]>;
    expect(metrics.acc?.[beta.indexOf(0)]?.[alpha.indexOf(0)]).toBe(center.metrics.acc);
    expect(result.nonFinite).toBe(0);
    expect((result.engine as { name: string }).name).toMatch(/^(tfjs|tensorflow|onnx)$/);
    const own = await json(
      "surface",
      run,
      "--data",
      dataModule,
      "--points",
      "7x5",
      "--engine",
      "tfjs",
      "--force",
    );
    expect(own.engine).toMatchObject({ name: "tfjs" });
    for (const [j, row] of (own.loss as number[][]).entries()) {
      for (const [i, value] of row.entries()) expect(loss[j]?.[i]).toBeCloseTo(value, 5);
    }
  });

  test("surface again is read, not computed; --force computes; a TypeScript module gives the same", async () => {
    const copy = copyOfRun();
    await json("surface", copy, "--data", dataModule, "--points", "5");
    const files = () => readdirSync(join(copy, "surfaces"));
    const [name = ""] = files();
    expect(name).toMatch(/^pca-train-[0-9a-f]{8}\.arrow$/);
    const file = join(copy, "surfaces", name);
    const first = statSync(file).mtimeMs;
    await json("surface", copy, "--data", dataModule, "--size", "5");
    expect([files(), statSync(file).mtimeMs]).toEqual([[name], first]);
    // The same engine, for "auto" may choose another the next time: then the last digits differ.
    const again = ["--points", "5", "--engine", "tfjs"];
    const forced = await json("surface", copy, "--data", dataModule, ...again, "--force");
    expect(files().length).toBe(2);
    const typed = await json("surface", copy, "--data", join(fixtures, "typed-data.ts"), ...again);
    expect(typed.loss).toEqual(forced.loss);
  });

  test("surface takes a range literally and keeps the centre beside it", async () => {
    const result = await json("surface", run, "--data", dataModule, "--range", "0.5:1.5:3,-1:0:4");
    expect(result.alpha).toEqual([0.5, 1, 1.5]);
    expect((result.beta as number[]).length).toBe(4);
    expect(typeof (result.center as { loss: unknown }).loss).toBe("number");
  });

  test("plot writes SVG, PNG and HTML that name the run and the data", async () => {
    await json("surface", run, "--data", dataModule, "--points", "5");
    const out = newFolder();
    const { files } = (await json("plot", run, "--out", out)) as { files: string[] };
    expect(files.map((file) => file.slice(out.length + 1))).toEqual([
      "plot.svg",
      "plot.png",
      "plot-3d.svg",
      "plot-3d.png",
      "report.html",
    ]);
    expect(readFileSync(files[0] as string, "utf8")).toContain("tiny");
    expect(readFileSync(files[4] as string, "utf8")).toContain("24 points on a ring");
    const only = await json("plot", run, "--out", newFolder(), "--format", "svg", "--title", "A & B");
    expect((only.files as string[]).length).toBe(2);
    expect(readFileSync((only.files as string[])[0] as string, "utf8")).toContain("A &amp; B");
  });

  test("with --json stdout holds the object alone, whatever a data module writes", async () => {
    const result = await json("surface", run, "--data", join(fixtures, "talking-data.js"), "--points", "3");
    expect(Object.keys(result).sort()).toEqual([
      "alpha",
      "beta",
      "center",
      "engine",
      "loss",
      "metrics",
      "nonFinite",
    ]);
  });

  test("surfaces of different losses stand beside each other, each drawn with its own path", async () => {
    const copy = copyOfRun();
    const pictures: string[] = [];
    for (const loss of ["model", "logits", "model"]) {
      await json("surface", copy, "--data", dataModule, "--size", "3", "--loss", loss);
      expect((await cli("plot", copy, "--format", "svg")).status).toBe(0);
      pictures.push(readFileSync(join(copy, "plot.svg"), "utf8"));
    }
    expect(pictures[2]).toBe(pictures[0]);
    expect(pictures[1]).not.toBe(pictures[0]);
    const { surfaces } = (await json("inspect", copy)) as { surfaces: { name: string }[] };
    expect(surfaces.length).toBe(2);
    const named = surfaces[0]?.name as string;
    expect((await cli("plot", copy, "--format", "svg", "--surface", named)).status).toBe(0);
    expect((await cli("plot", copy, "--surface", "no-such")).stderr).toContain(
      "surface: expected one of pca-train-",
    );
  });

  test("clean removes the surfaces that are not to be kept, and prints which", async () => {
    const copy = copyOfRun();
    for (const size of ["5", "3"]) await json("surface", copy, "--data", dataModule, "--size", size);
    const before = readdirSync(join(copy, "surfaces"));
    expect(before.length).toBe(2);
    const stored = async () =>
      ((await json("inspect", copy)) as { surfaces: { name: string; size: number[] }[] }).surfaces;
    const [large, small] = (await stored()).map(({ name }) => name) as [string, string];
    // The clock was set back before the second was stored.
    utimesSync(join(copy, "surfaces", `${small}.arrow`), 1, 1);
    expect((await stored()).map(({ name }) => name)).toEqual([large, small]);
    const dry = await json("clean", copy, "--keep", "newest", "--dry-run");
    expect([dry.removed, readdirSync(join(copy, "surfaces"))]).toEqual([[large], before]);
    const { removed } = (await json("clean", copy, "--keep", "best")) as { removed: string[] };
    const surfaces = await stored();
    expect(surfaces.map(({ size }) => size)).toEqual([[5, 5]]);
    expect(removed).not.toContain(surfaces[0]?.name);
    expect((await cli("clean", copy)).status).toBe(2);
  });

  test("two snapshots have a plane with a random second direction, named as such", async () => {
    const copy = copyOfRun((name) => name < "000002");
    const { status, stdout, stderr } = await cli("pca", copy);
    expect(status).toBe(0);
    expect(stdout).toContain("random direction (seed 0)");
    expect(stderr).toContain("random-second-direction");
  });

  test("a part of a run is analysed by --from and --until, or RUN@A..B", async () => {
    const part = await json("pca", run, "--from", "1", "--until", "3");
    expect((part.coordinates as number[][]).length).toBe(3);
    expect(await json("pca", `${run}@1..3`)).toEqual(part);
    expect((await cli("pca", run, "--from", "99")).status).toBe(2);
  });

  test("stderr begins with the backend", async () => {
    const { stderr } = await cli("pca", run);
    expect(ownLines(stderr)[0]).toMatch(/^backend \w+ \(@tensorflow\//);
  });
});

describe("interpolate, line, surface --plane and weights", () => {
  const out = () => newFolder();

  test("interpolate --json: the ends are the models' own losses, on both sets; pictures lie in --out", async () => {
    const folder = out();
    const range = ["--range=-0.5:1.5:5", "--test", "--out", folder];
    const result = await json("interpolate", `${run}@0`, run, "--data", dataModule, ...range);
    expect(result.alpha).toEqual([-0.5, 0, 0.5, 1, 1.5]);
    const curves = result.curves as { set: string; loss: number[]; center: { loss: number } }[];
    expect(curves.map(({ set }) => set)).toEqual(["train", "test"]);
    expect(curves[0]?.loss[1]).toBe(curves[0]?.center.loss);
    const own = ["--points", "3", "--batch-norm", "keep", "--out", out(), "--format", "svg"];
    const plane = await json("surface", run, "--data", dataModule, ...own);
    expect(curves[0]?.loss[3]).toBeCloseTo((plane.center as { loss: number }).loss, 6);
    expect((result.files as string[]).map((file) => file.slice(folder.length + 1))).toEqual([
      "interpolate.svg",
      "interpolate.png",
      "interpolate.html",
    ]);
    expect(readdirSync(join(folder, "lines")).length).toBe(1);
  });

  test("line --json has a curve for each seed", async () => {
    const args = [
      "--data",
      dataModule,
      "--seeds",
      "3..5",
      "--range=-1:1:3",
      "--out",
      out(),
      "--format",
      "svg",
    ];
    const { curves } = (await json("line", run, ...args)) as { curves: { seed: number }[] };
    expect(curves.map(({ seed }) => seed)).toEqual([3, 4, 5]);
  });

  test("surface --plane random, ineffective, and pca on two sets", async () => {
    const args = ["--data", dataModule, "--points", "4x3", "--format", "svg"];
    const random = await json("surface", run, "--plane", "random", "--seed", "4", "--out", out(), ...args);
    expect((random.loss as number[][]).map((row) => row.length)).toEqual([4, 4, 4]);
    const folder = out();
    const { status, stderr } = await cli(
      "surface",
      run,
      "--plane",
      "ineffective-initial",
      "--out",
      folder,
      ...args,
    );
    expect([status, stderr]).toEqual([0, expect.stringContaining("warning (ineffective-plane)")]);
    expect(existsSync(join(folder, "ineffective-initial.svg"))).toBe(true);
    const both = await json("surface", run, "--test", "--out", out(), ...args);
    expect(Object.keys(both.sets as object)).toEqual(["train", "test"]);
  });

  test("surface --metric draws it instead of the loss, as the error with --error", async () => {
    const args = ["surface", run, "--data", dataModule, "--points", "3", "--format", "svg"];
    const folder = out();
    await json(...args, "--metric", "acc", "--error", "--out", folder);
    expect(readFileSync(join(folder, "pca.svg"), "utf8")).toContain("Error (%) at 3 × 3 points");
    const { status, stderr } = await cli(...args, "--error");
    expect([status, stderr]).toEqual([2, expect.stringContaining("--error: expected --metric NAME")]);
  });

  test("plot --error and --accuracy decide for all figures, and not together", async () => {
    const copy = copyOfRun();
    await json("weights", copy, "--format", "svg");
    await json("plot", copy, "--format", "svg", "--accuracy");
    expect(readFileSync(join(copy, "plot-weights-training.svg"), "utf8")).toContain("Accuracy");
    await json("plot", copy, "--format", "svg", "--error");
    expect(readFileSync(join(copy, "plot-weights-training.svg"), "utf8")).not.toContain("Accuracy");
    expect((await cli("plot", copy, "--error", "--accuracy")).status).toBe(2);
  });

  test("weights --json has norms, distances and figures", async () => {
    const { runs } = (await json("weights", run, "--out", out(), "--format", "svg")) as {
      runs: { norm: number[]; distance: number[] }[];
    };
    expect(runs[0]?.norm.length).toBe(6);
    expect(runs[0]?.distance[0]).toBe(0);
  });

  test.each([
    [
      "a range upside down",
      ["interpolate", `${run}@0`, run, "--data", dataModule, "--range=1:0:5"],
      "the smaller first",
    ],
    ["one model twice", ["interpolate", run, run, "--data", dataModule], "expected weights of its own"],
    [
      "no such step",
      ["interpolate", `${run}@77`, run, "--data", dataModule],
      "expected a step from 0 to 5, got 77",
    ],
    [
      "too few models",
      ["surface", run, "--plane", "models", "--data", dataModule],
      'expected 3 models for plane "models", got 1',
    ],
    [
      "two runs on a plane of one",
      ["surface", run, run, "--data", dataModule, "--plane", "random"],
      'expected 1 model for plane "random", got 2',
    ],
    ["seeds", ["line", run, "--data", dataModule, "--seeds", "a"], "expected integers such as 0,1,2 or 0..9"],
    [
      "no such metric",
      ["interpolate", `${run}@0`, run, "--data", dataModule, "--metric", "mae"],
      "--metric: expected one of acc, none",
    ],
    ["no held-out set", ["line", run, "--data", join(fixtures, "typed-data.ts"), "--test"], "loadTestData()"],
    [
      "a plane of no directions",
      ["surface", run, "--plane", "custom", "--data", dataModule],
      "expected --directions FILE",
    ],
  ])("%s: exit code 2 and one line", async (_, args, message) => {
    const folder = out();
    const { status, stderr } = await cli(...args, "--out", folder);
    expect(stderr).toContain(message);
    expect(status).toBe(2);
    expect(existsSync(folder)).toBe(false);
  });
});

describe("bad input: exit code 2, one line that says what was expected", () => {
  const cases: [string, string[], RegExp][] = [
    ["no such run", ["inspect", "nowhere"], /nowhere.*expected/],
    ["no such command", ["inspct", run], /unknown command 'inspct'/],
    ["no data module", ["surface", run], /--data: expected <module>, got none/],
    ["a module that is not there", ["surface", run, "--data", "nope.js"], /no such file/],
    ["a module without loadData", ["surface", run, "--data", join(fixtures, "no-data.js")], /loadData\(\)/],
    ["data that throw", ["surface", run, "--data", join(fixtures, "throwing-data.js")], /disk is on fire/],
    ["a range of one axis", ["surface", run, "--data", dataModule, "--range", "0:1:5"], /two axes/],
    [
      "a range upside down",
      ["surface", run, "--data", dataModule, "--range", "1:0:5,0:1:5"],
      /grid along alpha: expected two finite numbers, the smaller first, got 1 to 0/,
    ],
    [
      "points beside a range",
      ["surface", run, "--data", dataModule, "--points", "3", "--range", "0:1:3,0:1:3"],
      /no size/,
    ],
    ["a folder as data module", ["surface", run, "--data", fixtures], /a folder/],
    [
      "loadModel that throws",
      ["surface", run, "--data", join(fixtures, "throwing-model.js")],
      /no model today/,
    ],
    [
      "loadModel without a model",
      ["surface", run, "--data", join(fixtures, "wrong-model.js")],
      /compiled tf.LayersModel/,
    ],
    [
      "an output folder that is a file",
      ["plot", run, "--out", join(dataModule, "x")],
      /--out .*expected a folder that can be written to.*is a file/,
    ],
    ["too few points", ["surface", run, "--data", dataModule, "--points", "1"], /--size/],
    ["an unknown backend", ["pca", run, "--backend", "abacus"], /abacus/],
    ["an unknown option", ["pca", run, "--colour"], /unknown option '--colour'/],
    [
      "a component beyond the path",
      ["pca", run, "--components", "1,9"],
      /components: expected numbers up to 5.* got 9/,
    ],
    [
      "an unknown loss mode",
      ["surface", run, "--data", dataModule, "--loss", "best"],
      /--loss: expected one of model, logits, got "best"/,
    ],
    [
      "data that are nothing",
      ["surface", run, "--data", join(fixtures, "null-data.js")],
      /data: .* got null/,
    ],
    [
      "data that never come",
      ["line", run, "--data", join(fixtures, "endless-data.js")],
      /loadData\(\): expected data, got an error: its promise never settles/,
    ],
    [
      "a metric that is not measured",
      ["line", run, "--data", dataModule, "--metric", "f1"],
      /--metric: expected one of .*none, got "f1"/,
    ],
    ["more points than memory", ["surface", run, "--data", dataModule, "--points", "99999x99"], /at most/],
    [
      "a folder as directions",
      ["surface", run, "--data", dataModule, "--plane", "custom", "--directions", fixtures],
      /expected a file that can be read, got a folder/,
    ],
    [
      "a seed where nothing is random",
      ["surface", run, "--data", dataModule, "--plane", "bilinear", "--seed", "3"],
      /--seed: expected --plane random or another, got --plane bilinear/,
    ],
    [
      "pictures where none are drawn",
      ["surface", run, "--data", dataModule, "--out", "elsewhere"],
      /--out: expected .*; draw the surface with: tfjs-landscape plot/,
    ],
    [
      "components of a random plane",
      ["surface", run, "--data", dataModule, "--plane", "random", "--components", "1,3"],
      /--components: expected --plane pca, got --plane random/,
    ],
    ["a port that is none", ["watch", run, "--port", "99999"], /--port: expected .* at most 65535/],
    ["watching a file", ["watch", dataModule], /expected a run directory/],
    ["watching a name that is too long", ["watch", "x".repeat(300)], /a name that is too long/],
    [
      "a picture wider than any",
      ["weights", run, "--width", "9000"],
      /width: expected at most 8000 px, got 9000/,
    ],
    ["no value", ["pca", run, "--center"], /--center: expected a value, got none/],
  ];
  test.each(cases)("%s", async (_title, args, pattern) => {
    const endless = args.some((arg) => arg.endsWith("endless-data.js"));
    const { status, stdout, stderr } = endless ? runCommandProcess(...args) : await cli(...args);
    expect(status).toBe(2);
    expect(stdout).toBe("");
    const lines = ownLines(stderr).filter((line) => !/^(backend |warning )/.test(line));
    expect(lines.length).toBe(1);
    expect(lines[0]).toMatch(pattern);
  });

  test("a damaged snapshot is named, with what was expected", async () => {
    const copy = copyOfRun();
    truncateSync(join(copy, "snapshots/000002.arrow"), 300);
    const { status, stderr } = await cli("inspect", copy);
    expect(status).toBe(2);
    expect(stderr).toContain("000002.arrow");
  });

  test("plot before surface says how to compute it, and writes nothing", async () => {
    const copy = copyOfRun();
    const { status, stderr } = await cli("plot", copy);
    expect(status).toBe(2);
    expect(stderr).toContain("tfjs-landscape surface");
    expect(existsSync(join(copy, "plot.svg"))).toBe(false);
  });

  test("a demo never replaces an earlier one unasked", async () => {
    const out = newFolder();
    mkdirSync(join(out, "sgd", "snapshots"), { recursive: true });
    writeFileSync(join(out, "sgd", "run.json"), readFileSync(join(run, "run.json")));
    const { status, stderr } = await cli("demo", "--out", out);
    expect(status).toBe(2);
    expect(stderr).toContain(join(out, "sgd"));
    expect(stderr).toContain("--overwrite");
    expect(stderr).not.toContain("training");
  });
});

test("--help and --version end with exit code 0", async () => {
  expect(runCommandProcess("--help").status).toBe(0);
  const { status, stdout } = runCommandProcess("--version");
  expect(status).toBe(0);
  expect(stdout.trim()).toMatch(/^\d+\.\d+\.\d+$/);
});
