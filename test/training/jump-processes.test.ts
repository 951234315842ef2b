import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { openRun } from "../../src/store/run/open-run.js";
import type { JumpRun } from "../../src/training/jump-options.js";
import { temporaryFolders } from "../support/tiny-training.js";

// The compiled package in processes of its own, as a user has it: `npm run build` first.
const script = fileURLToPath(new URL("./compiled-jumps.mjs", import.meta.url));
const newFolder = temporaryFolders();

interface Answer {
  readonly runs?: readonly JumpRun[];
  readonly error?: { readonly name: string; readonly code: string; readonly message: string };
  /** Jumps made by the end of a process that met an error. */
  readonly made?: number;
}

function start(directory: string, options: object) {
  const child = spawn(process.execPath, [script, directory, JSON.stringify(options)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [out, errors] = ["", ""];
  child.stdout.on("data", (chunk) => {
    out += String(chunk);
  });
  child.stderr.on("data", (chunk) => {
    errors += String(chunk);
  });
  const answer = new Promise<Answer>((resolve, reject) => {
    child.on("close", (code) => {
      if (code === 0) resolve(JSON.parse(out));
      else reject(new Error(`exit code ${code}: ${errors}`));
    });
  });
  return { child, answer };
}

/** The process that writes a jump now, or null. */
function writerOf(directory: string, folder: string): number | null {
  const file = join(directory, folder, ".writer.lock");
  if (!existsSync(file)) return null;
  try {
    return (JSON.parse(readFileSync(file, "utf8")) as { pid: number }).pid;
  } catch {
    return null;
  }
}

/** Kills `count` processes one after another as they begin the jump; returns their numbers. */
async function killWriters(directory: string, folder: string, count: number, parent: number | undefined) {
  const killed: number[] = [];
  const until = Date.now() + 100_000;
  while (killed.length < count && Date.now() < until) {
    const pid = writerOf(directory, folder);
    if (pid !== null && pid !== parent && !killed.includes(pid)) {
      process.kill(pid, "SIGKILL");
      killed.push(pid);
    }
    await sleep(3);
  }
  return killed;
}

async function content(runs: readonly JumpRun[] = []) {
  return Promise.all(
    runs.map(async ({ directory, seed, distance, states }) => {
      const digest = await (await openRun(directory)).digest();
      return { seed, distance, digest, logs: states.map(({ logs }) => logs) };
    }),
  );
}

describe("jumps in processes", () => {
  test("one process and two give the same bits", { timeout: 120_000 }, async () => {
    const answers: Answer[] = [];
    for (const workers of [1, 2]) answers.push(await start(newFolder(), { workers }).answer);
    const [one, two] = await Promise.all(answers.map(({ runs }) => content(runs)));
    expect(one).toHaveLength(4);
    expect(new Set(one?.map(({ digest }) => digest)).size).toBe(4);
    expect(two).toEqual(one);
  });

  test("a process that dies is replaced, and the result is the same", { timeout: 120_000 }, async () => {
    const options = { workers: 2, epochs: 60 };
    const whole = await content((await start(newFolder(), { ...options, workers: 1 }).answer).runs);
    const directory = newFolder();
    const { child, answer } = start(directory, options);
    const killed = await killWriters(directory, "seed-0_step-1", 2, child.pid);
    expect(new Set(killed).size).toBe(2);
    expect(await content((await answer).runs)).toEqual(whole);
  });

  test("three deaths over one jump are an error that names it; the others are kept", {
    timeout: 120_000,
  }, async () => {
    const directory = newFolder();
    const options = { workers: 2, epochs: 60 };
    const { child, answer } = start(directory, options);
    const killed = await killWriters(directory, "seed-1_step-0.5", 3, child.pid);
    expect(killed).toHaveLength(3);
    const { error } = await answer;
    expect(error).toMatchObject({ name: "RunStateError", code: "run-state", own: true });
    expect(error?.message).toContain("jump of seed 1 and distance 0.5");
    expect(error?.message).toContain("expected a process that retrains it, got 3 that died");
    expect(error?.message).toContain("signal SIGKILL");
    const { runs } = await start(directory, { ...options, workers: 1 }).answer;
    expect(runs?.map(({ status }) => status)).toContain("found");
    expect(runs?.every(({ states }) => states.length === 61)).toBe(true);
  });

  test("an error in a process arrives with its class and place, and no other process goes on", {
    timeout: 60_000,
  }, async () => {
    const directory = newFolder();
    mkdirSync(directory, { recursive: true });
    // Found out only by the process: the folder is fine until it is written to.
    mkdirSync(join(directory, "seed-0_step-0.5"));
    const lock = { pid: process.pid, host: (await import("node:os")).hostname(), id: "test" };
    writeFileSync(join(directory, "seed-0_step-0.5", ".writer.lock"), JSON.stringify(lock));
    const { error, made } = await start(directory, { workers: 2, epochs: 500 }).answer;
    expect(error).toMatchObject({ name: "RunStateError", code: "run-state", own: true });
    // The other jump of that moment has 500 epochs to go.
    expect(made).toBe(0);
    expect(error?.message).toContain(`expected a run that nobody writes, got one in use by process`);
  });

  test("an abort ends the processes; what is complete is found again", { timeout: 60_000 }, async () => {
    const directory = newFolder();
    const { error } = await start(directory, { workers: 2, epochs: 30, abort: true }).answer;
    expect(error?.name).toBe("AbortError");
    const { runs } = await start(directory, { workers: 2, epochs: 30 }).answer;
    const statuses = runs?.map(({ status }) => status) ?? [];
    expect(statuses).toContain("found");
    expect(statuses).toContain("made");
  });

  test("functions cannot be sent", { timeout: 60_000 }, async () => {
    const { error } = await start(newFolder(), { workers: 2, customLoss: true }).answer;
    expect(error?.message).toContain("workers: expected 1 with a loss or metric function of your own");
    const elsewhere = await start(newFolder(), { runner: true, customLoss: true }).answer;
    expect(elsewhere.error?.message).toContain(
      "runner: expected none with a loss or metric function of your own, which cannot be sent to a process, got one",
    );
  });
});
