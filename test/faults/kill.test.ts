import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  CASES,
  COMMANDS,
  commandOf,
  expectRecovery,
  newFolder,
  randomOf,
  readEverything,
  report,
  run,
  SEEDED,
  undisturbed,
} from "./commands.js";

/** After so many kills a command runs to its end. */
const ROUND = 5;

/** Processes that a process has started, and that live. */
function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
    .trim()
    .split(" ")
    .filter(Boolean)
    .map(Number);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("kill -9 at random moments: everything readable or absent, then the bits of an undisturbed run", () => {
  test.each(COMMANDS)(
    `$name, ${CASES} kills, ${SEEDED}`,
    { timeout: 300_000 + CASES * 60_000 },
    async (command) => {
      const random = randomOf(`kill ${command.name}`);
      const { milliseconds } = await undisturbed(command);
      let folder = newFolder();
      for (let kill = 1; kill <= CASES; kill++) {
        const after = milliseconds * (0.35 + 0.7 * random());
        await run(command, folder, { signal: "SIGKILL", after });
        await readEverything(folder);
        if (kill % ROUND !== 0 && kill < CASES) continue;
        await expectRecovery(command, folder);
        folder = newFolder();
      }
      report("kill -9", command.name, CASES, "nothing; the same command goes on");
    },
  );
});

test.skipIf(process.platform !== "linux")(
  `workers end with a process that is killed, and one that is killed is replaced, ${SEEDED}`,
  { timeout: 300_000 },
  async () => {
    const command = commandOf("surface --workers 2");
    const { milliseconds } = await undisturbed(command);
    let workers: number[] = [];
    await run(command, newFolder(), {
      after: milliseconds * 0.7,
      act: (pid) => {
        workers = childrenOf(pid);
        process.kill(pid, "SIGKILL");
      },
    });
    await expect.poll(() => workers.filter(isAlive), { timeout: 10_000 }).toEqual([]);
    const folder = newFolder();
    const random = randomOf("worker");
    const { status, stderr } = await run(command, folder, {
      after: milliseconds * (0.5 + 0.3 * random()),
      act: (pid) => {
        for (const worker of childrenOf(pid).slice(0, 1)) process.kill(worker, "SIGKILL");
      },
    });
    expect(status, stderr).toBe(0);
    expect(await readEverything(folder)).toEqual((await undisturbed(command)).content);
    report("kill -9 of a worker", command.name, 1, "nothing: another one takes its points");
  },
);
