import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { readPathProfile } from "../../src/between/path-profile-file.js";
import { readPathStatistics } from "../../src/store/kinds/path-file.js";
import { useTestBackend } from "../support/backend.js";
import { runCommand } from "../support/command-line.js";
import { temporaryFolders, tinyModel } from "../support/tiny-training.js";
import { loadData } from "./fixtures/tiny-data.js";

const newFolder = temporaryFolders();
const run = newFolder();
const dataModule = fileURLToPath(new URL("./fixtures/tiny-data.js", import.meta.url));

beforeAll(async () => {
  await useTestBackend();
  const { xs, ys } = loadData();
  const model = tinyModel(tf.train.momentum(0.1, 0.9));
  await model.fit(xs, ys, {
    epochs: 6,
    batchSize: 6,
    verbose: 0,
    callbacks: [trajectoryCallback({ directory: run, name: "tiny" })],
  });
});

describe("path", () => {
  test("the shape of a path needs no data", async () => {
    const out = newFolder();
    const { status, stdout, stderr } = await runCommand(
      "path",
      run,
      "--out",
      out,
      "--format",
      "svg",
      "--json",
    );
    expect([status, stderr.includes("Error")]).toEqual([0, false]);
    const found = JSON.parse(stdout);
    expect(found.steps).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(found.map.length).toBe(7);
    expect(found.layers.length).toBe(3);
    expect(found.meanMap).toBeGreaterThan(found.walkMeanMap);
    expect(existsSync(join(out, "path.svg"))).toBe(true);
    expect(existsSync(join(out, "path-losses.svg"))).toBe(false);
    const stored = await readPathStatistics(join(out, "path", "statistics.arrow"));
    expect(stored?.meanMap).toBe(found.meanMap);
    expect([...(stored?.stepLength ?? [])]).toEqual(found.stepLength);
  });

  test("with data: barriers and averages, batch norm recalibrated; a second call reads what is stored", async () => {
    const out = newFolder();
    const args = ["path", run, "--data", dataModule, "--out", out, "--format", "svg", "--points", "3"];
    const first = await runCommand(...args, "--averages", "2,3");
    expect(first.stderr).not.toContain("Error");
    expect(first.status).toBe(0);
    expect(first.stdout).toMatch(/train: loss [\d.]+ at the last snapshot, [\d.]+ at the best average/);
    const [name] = readdirSync(join(out, "path")).filter((file) => file.startsWith("profile-train"));
    const file = join(out, "path", name as string);
    const profile = await readPathProfile(file);
    expect(profile?.policy).toBe("recalibrate");
    expect(profile?.averages.map(({ kind, count }) => `${kind} ${count}`)).toEqual([
      "swa 2",
      "swa 3",
      "ema 2",
      "ema 3",
    ]);
    expect(profile?.loss.every(Number.isFinite)).toBe(true);
    const before = readFileSync(file);
    await runCommand(...args, "--averages", "2,3");
    expect(readFileSync(file).equals(before)).toBe(true);
    const svg = readFileSync(join(out, "path-losses.svg"), "utf8");
    for (const text of ["Between neighbouring snapshots", "Loss of averages", "PC 1"])
      expect(svg).toContain(text);
  });

  test("options that cannot be used are refused before any work", async () => {
    const refused = async (message: string, ...args: string[]) => {
      const { status, stderr } = await runCommand("path", run, ...args);
      expect([status, stderr]).toEqual([2, expect.stringContaining(message)]);
    };
    await refused("--points: expected --data beside it, got none", "--points", "3");
    for (const resume of ["--resume", "--no-resume"])
      await refused("--resume: expected --data beside it, got none", resume);
    await refused("--averages: expected whole numbers from 2 on", "--averages", "1,x");
    await refused("origin: expected a step of the run (0 to 6), got 9", "--origin", "9");
    await refused(
      "averages: expected numbers of snapshots from 2 to 7, got 8",
      "--data",
      dataModule,
      "--averages",
      "8",
    );
  });
});
