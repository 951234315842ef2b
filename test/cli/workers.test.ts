import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, expect, test } from "vitest";
import { trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { analyzePlane, createLossEvaluator, openRun } from "../../src/index.js";
import { modelFromManifest } from "../../src/model/model-from-manifest.js";
import { readSurface } from "../../src/store/kinds/surface-file.js";
import { readInterruptedSurface } from "../../src/store/kinds/surface-journal.js";
import { useTestBackend } from "../support/backend.js";
import { type CommandResult, runCommand } from "../support/command-line.js";
import { temporaryFolders, tinyModel } from "../support/tiny-training.js";
import { loadData } from "./fixtures/tiny-data.js";

const newFolder = temporaryFolders();
const run = newFolder();
const bin = fileURLToPath(new URL("../../bin/tfjs-landscape.js", import.meta.url));
const fixture = (name: string) => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));

function cli(...args: string[]): Promise<CommandResult> {
  return runCommand(...args);
}

async function json(...args: string[]): Promise<Record<string, unknown>> {
  const { status, stdout, stderr } = await cli(...args, "--json");
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout);
}

function copyOf(directory: string): string {
  const copy = newFolder();
  cpSync(directory, copy, { recursive: true });
  return copy;
}

const copyOfRun = (): string => copyOf(run);

beforeAll(async () => {
  await useTestBackend();
  const { xs, ys } = loadData();
  await tinyModel(tf.train.momentum(0.1, 0.9)).fit(xs, ys, {
    epochs: 4,
    verbose: 0,
    callbacks: [trajectoryCallback({ directory: run, name: "tiny" })],
  });
});

test("--workers 2 prints what --workers 1 prints, also on a stream, with a model of the module's own", async () => {
  const common = ["--points", "5x4", "--engine", "tfjs", "--batch-size", "7"];
  const surface = async (count: string, data: string) =>
    await json("surface", copyOfRun(), "--data", fixture(data), ...common, "--workers", count);
  const one = await surface("1", "tiny-data.js");
  expect(await surface("2", "tiny-data.js")).toEqual(one);
  expect((one.engine as { name: string }).name).toBe("tfjs");
  const streamed = await surface("2", "streamed-data.js");
  expect(streamed).toEqual(await surface("1", "streamed-data.js"));
  const row = (one.loss as number[][])[0] as number[];
  for (const [i, value] of ((streamed.loss as number[][])[0] as number[]).entries()) {
    expect(value).toBeCloseTo(row[i] as number, 5);
  }
});

test("a convexity map in 2 processes is that of this process", { timeout: 240_000 }, async () => {
  const common = ["--loss", "logits", "--map", "--grid", "-1:1:3,-1:1:3", "--top", "0", "--format", "svg"];
  const map = async (...workers: string[]) =>
    (await json("curvature", copyOfRun(), "--data", fixture("tiny-data.js"), ...common, ...workers))
      .map as Record<string, number[][]>;
  const [here, there] = [await map(), await map("--workers", "2")];
  for (const name of ["smallest", "largest"]) {
    for (const [i, value] of (here[name] as number[][]).flat().entries()) {
      expect(value).toBeCloseTo((there[name] as number[][]).flat()[i] as number, 3);
    }
  }
});

/** The folder of points of the surface that was interrupted. */
function tilesIn(directory: string): string | undefined {
  const folder = join(directory, "surfaces");
  return existsSync(folder) ? readdirSync(folder).find((name) => name.endsWith(".tiles")) : undefined;
}

test("--max-points stops early, the same command goes on, and other data are refused with --resume", async () => {
  const copy = copyOfRun();
  const args = ["surface", copy, "--data", fixture("tiny-data.js"), "--points", "5", "--threads", "1"];
  const partial = await json(...args, "--max-points", "8");
  expect(partial.partial).toBe("8 points");
  expect((partial.evaluated as number[][]).flat().filter((one) => one === 1).length).toBe(8);
  expect(await json("plot", copy, "--format", "svg")).toHaveProperty("files");
  expect(readFileSync(join(copy, "plot.svg"), "utf8")).toContain("Partial surface: 8 of 25 grid points");
  const refused = await cli(...args.with(3, fixture("other-data.js")), "--resume");
  expect(refused.status).toBe(2);
  expect(refused.stderr).toMatch(/resume .*another data \(digest/);
  const folder = tilesIn(copy) as string;
  const damaged = copyOf(copy);
  truncateSync(
    join(damaged, "surfaces", folder, readdirSync(join(copy, "surfaces", folder))[0] as string),
    100,
  );
  expect((await cli(...args.with(1, damaged))).stderr).toContain("expected a complete Arrow IPC file");
  expect((await json(...args.with(1, damaged), "--no-resume")).partial).toBeUndefined();
  const whole = await json(...args, "--resume", "--workers", "2");
  expect(whole.partial).toBeUndefined();
  expect((whole.loss as number[][]).flat().every(Number.isFinite)).toBe(true);
});

test("an interrupted surface goes on with the engine, batch size and threads that it began with", async () => {
  const stored = await openRun(copyOfRun());
  const [copy, model] = [stored.directory, await modelFromManifest(stored.manifest)];
  // Left to be chosen, all 24 samples would be one batch.
  const reuse = { name: "onnx", batchSize: 5, threads: 1 };
  const evaluator = await createLossEvaluator(model, loadData(), { reuse });
  const options = { sets: [{ name: "train", evaluator }], size: 5, directory: copy, budget: { points: 8 } };
  await analyzePlane([stored], { kind: "pca" }, options);
  evaluator.dispose();
  expect(tilesIn(copy)).toBeDefined();
  const whole = await json("surface", copy, "--data", fixture("tiny-data.js"), "--points", "5", "--resume");
  expect(whole.partial).toBeUndefined();
  expect(whole.engine).toMatchObject(reuse);
});

test("--batch-norm recalibrate gives the same with workers, which recalibrate themselves, as without", async () => {
  const given = ["--plane", "random", "--batch-norm", "recalibrate", "--points", "4x3", "--format", "svg"];
  const engine = ["--engine", "tfjs", "--batch-size", "7", "--threads", "1"];
  const surface = async (...more: string[]) => {
    const result = await json(
      "surface",
      copyOfRun(),
      "--data",
      fixture("tiny-data.js"),
      ...given,
      ...engine,
      ...more,
    );
    return { loss: result.loss, metrics: result.metrics, center: result.center };
  };
  expect(await surface("--workers", "2")).toEqual(await surface());
});

test("lines: --max-points stops early, --resume goes on with workers to the same values, other seeds are refused", async () => {
  const copy = copyOfRun();
  const common = [
    "--data",
    fixture("tiny-data.js"),
    "--engine",
    "tfjs",
    "--batch-size",
    "7",
    "--threads",
    "1",
  ];
  const args = ["line", copy, ...common, "--seeds", "0,1", "--range", "-1:1:21", "--format", "svg"];
  const partial = await json(...args, "--max-points", "20");
  const evaluatedOf = (result: Record<string, unknown>) =>
    (result.curves as { evaluated?: number[] }[]).map(
      ({ evaluated }) => evaluated?.filter((one) => one === 1).length,
    );
  expect(evaluatedOf(partial)).toEqual([11, 9]);
  expect(readFileSync(join(copy, "line.svg"), "utf8")).toContain("20 of 42 points are evaluated");
  const refused = await cli(...args.with(args.indexOf("0,1"), "0,2"), "--resume");
  expect(refused.status).toBe(2);
  expect(refused.stderr).toContain("expected an interrupted line of what is asked now, got one of 20 points");
  const whole = await json(...args, "--resume", "--workers", "2");
  expect(evaluatedOf(whole)).toEqual([undefined, undefined]);
  const other = args.with(1, copyOfRun());
  expect(((await json(...other)) as { curves: unknown }).curves).toEqual(whole.curves);
});

test("Ctrl-C stores what is finished and ends with 130; the same command goes on to the same surface", async () => {
  const args = (directory: string, points: string) => [
    ...["surface", directory, "--data", fixture("tiny-data.js"), "--points", points],
    ...["--engine", "tfjs", "--batch-size", "7", "--threads", "1", "--json"],
  ];
  const copy = copyOfRun();
  // Points enough to take a while; the second second brings the first tile.
  const child = spawn(process.execPath, [bin, ...args(copy, "151")], { stdio: ["ignore", "pipe", "pipe"] });
  const [out, error] = [child.stdout, child.stderr].map((stream) => {
    const text: string[] = [];
    stream.setEncoding("utf8").on("data", (part: string) => text.push(part));
    return text;
  }) as [string[], string[]];
  const count = () => {
    const folder = tilesIn(copy);
    if (folder === undefined) return 0;
    return readdirSync(join(copy, "surfaces", folder)).filter((name) => /^\d/.test(name)).length;
  };
  await expect.poll(count, { timeout: 50_000, interval: 20 }).toBeGreaterThan(0);
  child.kill("SIGINT");
  const [status] = (await once(child, "exit")) as [number];
  expect(status, error.join("")).toBe(130);
  expect(out.join("")).toBe("");
  expect(error.join("")).toContain("interrupted by SIGINT; the same command goes on");
  const [folder = ""] = readdirSync(join(copy, "surfaces"));
  expect(readdirSync(join(copy, "surfaces"))).toEqual([tilesIn(copy)]);
  const name = folder.replace(/^\./, "").replace(".tiles", "");
  const left = await readInterruptedSurface(join(copy, "surfaces", name));
  expect(left?.points.length).toBeGreaterThan(0);
  // Another grid is refused with --resume, and the coarse picture of this one is there at once.
  expect((await cli(...args(copy, "5"), "--resume")).status).toBe(2);
  const more = await json(...args(copy, "151").slice(0, -1), "--resume", "--max-points", "1");
  const known = (more.evaluated as number[][]).flat().filter((one) => one === 1).length;
  expect(known).toBe((left?.points.length ?? 0) + 1);
});

test.each([
  ["compare", () => [run, copyOfRun(), "--out", newFolder()]],
  ["embed", () => [run]],
])("Ctrl-C ends %s with 130 too", async (command, args) => {
  const folder = newFolder();
  mkdirSync(folder, { recursive: true });
  const [asked, module] = [join(folder, "asked"), join(folder, "slow.mjs")];
  writeFileSync(
    module,
    `import { writeFileSync } from "node:fs";
     import * as given from ${JSON.stringify(pathToFileURL(fixture("tiny-data.js")).href)};
     export async function loadData() {
       writeFileSync(${JSON.stringify(asked)}, "");
       await new Promise((resolve) => setTimeout(resolve, 1000));
       return given.loadData();
     }`,
  );
  const child = spawn(process.execPath, [bin, command, ...args(), "--data", module], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const said: string[] = [];
  child.stderr.setEncoding("utf8").on("data", (part: string) => said.push(part));
  const ended = once(child, "exit");
  await expect.poll(() => existsSync(asked), { timeout: 50_000, interval: 20 }).toBe(true);
  child.kill("SIGINT");
  const [status] = (await ended) as [number];
  expect(status, said.join("")).toBe(130);
  expect(said.join("")).toContain("interrupted by SIGINT");
});

test("numbers of workers and seconds that cannot be are one line", async () => {
  for (const [name, value] of [
    ["--workers", "0"],
    ["--workers", "many"],
    ["--max-seconds", "-1"],
    ["--threads", "0"],
  ] as const) {
    const { status, stderr } = await cli(
      "surface",
      run,
      "--data",
      fixture("tiny-data.js"),
      `${name}=${value}`,
    );
    expect(status).toBe(2);
    expect(stderr).toContain(`${name}: expected`);
  }
});

test("compare takes --workers: equal numbers from one process and two, on both sets", async () => {
  const other = copyOfRun();
  writeFileSync(
    join(other, "run.json"),
    readFileSync(join(other, "run.json"), "utf8").replace('"name": "tiny"', '"name": "twin"'),
  );
  const small = ["--points", "3", "--seeds", "0", "--range=-1:1:3", "--format", "csv", "--test"];
  const compare = async (count: string) => {
    const args = ["--data", fixture("tiny-data.js"), ...small, "--engine", "tfjs", "--batch-size", "7"];
    const { runs, distance } = await json(
      "compare",
      run,
      other,
      ...args,
      "--workers",
      count,
      "--out",
      newFolder(),
    );
    return { runs, distance };
  };
  const one = await compare("1");
  expect(await compare("2")).toEqual(one);
  expect((one.runs as { scores: { set: string }[] }[])[0]?.scores.map(({ set }) => set)).toEqual([
    "train",
    "test",
  ]);
});

test("--shard: parts on several machines, joined by the command without it, bit for bit", async () => {
  const common = ["--size", "5x4", "--engine", "tfjs", "--batch-size", "7"];
  const whole = await json("surface", copyOfRun(), "--data", fixture("tiny-data.js"), ...common);
  const shared = copyOfRun();
  const command = ["surface", shared, "--data", fixture("tiny-data.js"), ...common];
  for (const part of ["1/3", "3/3"]) await json(...command, "--shard", part);
  expect(readdirSync(join(shared, "shards"))).toEqual(["1-of-3", "3-of-3"]);
  expect(existsSync(join(shared, "surfaces"))).toBe(false);
  // A part that is given again has nothing to do.
  const again = await json(...command, "--shard", "1/3");
  expect(again.folder).toBe(join(shared, "shards", "1-of-3"));
  const evaluated = (folder: string) => {
    const [name = ""] = readdirSync(join(folder, "surfaces")).filter((one) => one.endsWith(".arrow"));
    return readSurface(join(folder, "surfaces", name));
  };
  const parts = await Promise.all(
    ["1-of-3", "3-of-3"].map((name) => evaluated(join(shared, "shards", name))),
  );
  expect(parts.map((part) => part?.partial?.budget)).toEqual(["shard 1 of 3", "shard 3 of 3"]);
  const counts = parts.map(
    (part) => part?.partial?.evaluated.reduce((sum: number, one) => sum + one, 0) ?? 0,
  );
  expect(counts.every((count) => count >= 6 && count <= 8)).toBe(true);
  // The joined surface is complete though a part is missing: its points are evaluated now.
  expect(await json(...command)).toEqual(whole);
  expect((await evaluated(shared))?.partial).toBeUndefined();
});

test("--shard is refused where parts could not be joined", async () => {
  const data = ["--data", fixture("tiny-data.js")];
  const refused = async (message: string | RegExp, ...args: string[]) => {
    const { status, stderr } = await cli("surface", run, ...data, ...args);
    expect(status, stderr).toBe(2);
    expect(stderr).toMatch(message);
  };
  await refused(/--shard: expected I\/N .*, got "4\/3"/, "--shard", "4/3");
  await refused(/--shard: expected --engine NAME/, "--shard", "1/3");
  await refused(/--shard: expected --batch-size N/, "--shard", "1/3", "--engine", "tfjs");
  const engine = ["--engine", "tfjs", "--batch-size", "7"];
  await refused(/shard: expected an exact surface/, "--shard", "1/3", ...engine, "--approximate");
  expect(existsSync(join(run, "shards"))).toBe(false);
});
