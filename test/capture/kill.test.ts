import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it, vi } from "vitest";
import { readOptimizerState } from "../../src/capture/optimizer-state-file.js";
import { openRun } from "../../src/store/run/open-run.js";
import { temporaryFolders } from "../support/tiny-training.js";

// The compiled package in a process of its own, as a user has it: `npm run build` first.
const child = fileURLToPath(new URL("./endless-training.mjs", import.meta.url));
const newFolder = temporaryFolders();
afterEach(() => vi.unstubAllEnvs());

function start(...args: string[]) {
  const training = spawn(process.execPath, [child, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let errors = "";
  training.stderr.on("data", (chunk) => {
    errors += String(chunk);
  });
  return { training, ended: once(training, "exit"), errors: () => errors };
}

/** Trains until more than `recorded` snapshots can be seen and some time longer, then kills without warning. */
async function killAfter(directory: string, recorded: number, milliseconds: number): Promise<void> {
  const { training, ended, errors } = start(directory);
  while (visibleSnapshots(directory).length <= recorded) {
    if (training.exitCode !== null) throw new Error(errors());
    await sleep(5);
  }
  await sleep(milliseconds);
  training.kill("SIGKILL");
  await ended;
}

function visibleSnapshots(directory: string): string[] {
  const folder = join(directory, "snapshots");
  return existsSync(folder) ? readdirSync(folder).filter((name) => !name.startsWith(".")) : [];
}

/** Every snapshot that can be seen is whole: header, order and the sha-256 of θ. */
async function readEverything(directory: string) {
  const run = await openRun(directory);
  for (const index of run.snapshots.keys()) await run.readTheta(index);
  const steps = run.snapshots.map(({ step }) => step);
  expect(steps).toEqual(steps.map((_, index) => index));
  expect(visibleSnapshots(directory)).toHaveLength(steps.length);
  return run;
}

describe("kill -9 while training and writing", () => {
  it("leaves complete snapshots and a readable run, which resume continues", {
    timeout: 120_000,
  }, async () => {
    const directory = newFolder();
    let recorded = 0;
    for (let round = 0; round < 5; round++) {
      await killAfter(directory, recorded, Math.random() * 400);
      const run = await readEverything(directory);
      expect(run.snapshots.length).toBeGreaterThan(recorded);
      recorded = run.snapshots.length;
    }
    const { training, ended, errors } = start(directory, "2");
    let output = "";
    training.stdout.on("data", (chunk) => {
      output += String(chunk);
    });
    expect(await ended, errors()).toEqual([0, null]);
    // The writing thread was there: nothing fell back to the training thread. New weights go on after the old
    // ones, and the warning says so.
    const [said, warnings] = output.split("\n");
    expect(said).toBe("trained");
    expect(JSON.parse(warnings ?? "").map(({ code }: { code: string }) => code)).toEqual([
      "resumed-elsewhere",
    ]);
    const { snapshots } = await readEverything(directory);
    // New initial weights and 2 epochs of 4 updates.
    expect(snapshots).toHaveLength(recorded + 1 + 8);
    const leftovers = readdirSync(join(directory, "snapshots")).filter((name) => name.startsWith("."));
    expect(leftovers).toEqual([]);
  });

  it("a snapshot that is there has the optimizer's state beside it; one without its snapshot goes with resume", {
    timeout: 120_000,
  }, async () => {
    const directory = newFolder();
    vi.stubEnv("OPTIMIZER_STATE", "1");
    let recorded = 0;
    for (let round = 0; round < 2; round++) {
      await killAfter(directory, recorded, Math.random() * 200);
      const run = await readEverything(directory);
      for (const index of run.snapshots.keys()) {
        const state = await readOptimizerState(run, index);
        const isFirst = run.snapshots[index]?.iteration === 0 || state?.iterations === 0;
        expect(Object.keys(state?.slots ?? {})).toEqual(isFirst ? [] : ["m", "v"]);
      }
      recorded = run.snapshots.length;
    }
    // Killed between the two files.
    const orphan = join(directory, "optimizer", `${String(recorded).padStart(6, "0")}.arrow`);
    copyFileSync(join(directory, "optimizer", "000001.arrow"), orphan);
    vi.stubEnv("OPTIMIZER_STATE", "0");
    const { ended, errors } = start(directory, "1");
    expect(await ended, errors()).toEqual([0, null]);
    const run = await readEverything(directory);
    expect(run.snapshots.length).toBeGreaterThan(recorded);
    expect(await readOptimizerState(run, recorded)).toBeNull();
    expect(existsSync(orphan)).toBe(false);
  });
});
