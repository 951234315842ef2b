import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, expect, test } from "vitest";
import { trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { useTestBackend } from "../support/backend.js";
import { type CommandResult, runCommand } from "../support/command-line.js";
import { temporaryFolders, tinyModel } from "../support/tiny-training.js";
import { loadData } from "./fixtures/tiny-data.js";

const run = temporaryFolders()();
const data = fileURLToPath(new URL("./fixtures/tiny-data.js", import.meta.url));

function cli(...args: string[]): Promise<CommandResult> {
  return runCommand(...args);
}

beforeAll(async () => {
  await useTestBackend();
  const { xs, ys } = loadData();
  const callbacks = [trajectoryCallback({ directory: run, name: "tiny" })];
  await tinyModel(tf.train.sgd(0.1)).fit(xs, ys, { epochs: 4, verbose: 0, callbacks });
});

test("surface --approximate states its error, and plot draws it", async () => {
  const args = ["surface", run, "--data", data, "--points", "21", "--approximate", "--tolerance", "0.02"];
  const { status, stdout } = await cli(...args, "--json");
  expect(status).toBe(0);
  const { approximation, loss } = JSON.parse(stdout);
  expect([approximation.tolerance, approximation.budget]).toEqual([0.02, 0.1]);
  expect([loss.length, approximation.error.length, approximation.method[0].length]).toEqual([21, 21, 21]);
  expect(approximation.sampleEvaluations).toBeLessThan(0.2 * approximation.exactSampleEvaluations);
  expect(readdirSync(join(run, "surfaces")).length).toBe(1);
  expect((await cli(...args)).stdout).toMatch(/approximate: error of the loss at most .+ on 95 % of points/);
  expect((await cli("plot", run, "--format", "svg")).status).toBe(0);
});

test("another plane is approximated too", async () => {
  const plane = ["--plane", "random", "--points", "15", "--format", "svg"];
  const { status, stdout } = await cli("surface", run, "--data", data, ...plane, "--approximate");
  expect(status).toBe(0);
  expect(stdout).toContain("train: approximate: error of the loss");
});

test.each([
  [["--tolerance", "0.1"], "--tolerance: expected --approximate beside it, got none"],
  [["--approximate", "--budget", "2"], "--share: expected a number above 0 and at most 1"],
])("refuses %o", async (options, message) => {
  const { status, stderr } = await cli("surface", run, "--data", data, ...options);
  expect(status).toBe(2);
  expect(stderr).toContain(message);
});
