import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { openRun } from "../../src/store/run/open-run.js";
import { useTestBackend } from "../support/backend.js";
import { type CommandResult, runCommand, runCommandProcess } from "../support/command-line.js";
import { temporaryFolders, tinyModel } from "../support/tiny-training.js";
import { loadData } from "./fixtures/tiny-data.js";

// Runs the compiled command: `npm run build` first.
const newFolder = temporaryFolders();
const run = newFolder();
const fixtures = fileURLToPath(new URL("./fixtures/", import.meta.url));
const threeSets = join(fixtures, "three-sets.js");

function cli(...args: string[]): Promise<CommandResult> {
  // Worker processes start from the build only.
  if (args.includes("--workers")) return Promise.resolve(runCommandProcess("jump", ...args));
  return runCommand("jump", ...args);
}

interface JumpAnswer {
  readonly directory: string;
  readonly source: { readonly run: string; readonly step: number; readonly weights: string };
  readonly runs: readonly {
    readonly directory: string;
    readonly seed: number;
    readonly step: number;
    readonly status: string;
    readonly epochs: readonly number[];
    readonly logs: readonly Readonly<Record<string, number>>[];
  }[];
}

async function json(...args: string[]): Promise<JumpAnswer> {
  const { status, stdout, stderr } = await cli(...args, "--json");
  expect(status, stderr).toBe(0);
  expect(stdout.trim().split("\n")).toHaveLength(1);
  return JSON.parse(stdout) as JumpAnswer;
}

beforeAll(async () => {
  await useTestBackend();
  const { xs, ys } = loadData();
  const model = tinyModel(tf.train.momentum(0.1, 0.9));
  const callbacks = [trajectoryCallback({ directory: run, name: "tiny" })];
  await model.fit(xs, ys, { epochs: 3, batchSize: 6, verbose: 0, callbacks });
});

describe("jump", () => {
  const few = ["--seeds", "0,1", "--steps", "0.5", "--epochs", "2"];
  const out = newFolder();

  test("--json: one run for each seed and size, with losses on three sets; again it finds them", async () => {
    const args = [run, "--data", threeSets, ...few, "--optimizer", "sgd", "--learning-rate", "0.05"];
    const first = await json(...args, "--workers", "2", "--out", out);
    expect(first.directory).toBe(out);
    expect(first.runs.map(({ seed, step, status }) => [seed, step, status])).toEqual([
      [0, 0.5, "made"],
      [1, 0.5, "made"],
    ]);
    const theta = await (await openRun(run)).readTheta(3);
    const weights = createHash("sha256").update(new Uint8Array(theta.buffer)).digest("hex");
    expect(first.source).toEqual({ run, step: 3, weights });
    const names = ["loss", "acc", "val_loss", "val_acc", "test_loss", "test_acc"];
    for (const { epochs, logs, directory } of first.runs) {
      expect(epochs).toEqual([0, 1, 2]);
      for (const entry of logs) expect(Object.keys(entry).sort()).toEqual([...names].sort());
      const { manifest, snapshots } = await openRun(directory);
      expect(snapshots.map((snapshot) => snapshot.logs)).toEqual(logs);
      expect(manifest.optimizer).toEqual({ className: "SGD", config: { learningRate: 0.05 } });
      expect(manifest.provenance?.inputs.weights).toBe(weights);
      expect(manifest.name).toBe(`tiny, seed ${manifest.seed}, jump 0.5`);
    }
    const again = await json(...args, "--out", out);
    expect(again.runs.map(({ status }) => status)).toEqual(["found", "found"]);
    expect(again.runs.map(({ logs }) => logs)).toEqual(first.runs.map(({ logs }) => logs));
    const { status, stderr } = await cli(...args, "--out", out, "--weight-decay", "0");
    expect(status).toBe(2);
    expect(stderr).toContain("expected a jump made with weightDecay 0, got one made with weightDecay 0.0001");
  }, 120_000);

  test("RUN@STEP jumps from that snapshot, into a folder of its own; plain text names the losses", async () => {
    const { status, stdout, stderr } = await cli(`${run}@1`, "--data", threeSets, ...few, "--epochs", "1");
    expect(status, stderr).toBe(0);
    const folder = join(run, "jumps-1");
    expect(stdout).toContain(`runs: ${folder}`);
    expect(stdout).toMatch(/seed 1, jump 0\.5: loss [\d.]+ to [\d.]+, acc/);
    expect(existsSync(join(folder, "seed-1_step-0.5", "run.json"))).toBe(true);
    expect((await openRun(run)).snapshots).toHaveLength(4);
  }, 60_000);

  test.each([
    [["--steps", "0.5,0"], 'expected numbers above 0 such as 0.25,0.5, got "0.5,0"'],
    [["--optimizer", "lion"], "--optimizer: expected one of sgd, momentum"],
    [["--seeds", "x"], "--seeds: expected integers"],
    [["--learning-rate", "fast"], '--learning-rate: expected a number of at least 0, got "fast"'],
    [["--optimizer", "adam", "--momentum", "0.5"], 'momentum: expected none with optimizer "adam", got 0.5'],
  ])("%j is refused with exit code 2", async (args, message) => {
    const { status, stderr, stdout } = await cli(run, "--data", threeSets, "--out", newFolder(), ...args);
    expect(status).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain(message);
  });

  test("data that cannot be loaded end it before a server is asked, which would keep the process alive", async () => {
    const where = ["--redis", "redis://127.0.0.1:1", "--store", newFolder()];
    const { status, stderr } = await cli(run, "--data", join(fixtures, "throwing-data.js"), ...few, ...where);
    expect(status).not.toBe(0);
    expect(stderr).toContain("loadData");
    expect(stderr).not.toContain("a server that answers");
  });
});
