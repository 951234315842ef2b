import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readArtifact } from "../../src/store/results/artifact.js";
import {
  CASES,
  COMMANDS,
  type Command,
  CURVATURE_PATHS,
  commandOf,
  expectRecovery,
  filesIn,
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

/** The numbers of a map, or of the points along a run. */
async function curvatureNumbers(folder: string): Promise<Record<string, number[]>> {
  const curvature = join(folder, "one", "curvature");
  const name = readdirSync(curvature).find((file) => /^(map|stability)-.*\.arrow$/.test(file)) as string;
  const columns = (await readArtifact(join(curvature, name)))?.columns ?? {};
  // How many products it took depends on where they began.
  const kept = Object.entries(columns).filter(([key]) => !/products|residual/i.test(key));
  return Object.fromEntries(
    kept.flatMap(([key, { values }]) =>
      ArrayBuffer.isView(values) ? [[key, Array.from(values as Float64Array, Number)]] : [],
    ),
  );
}

async function expectSameNumbers(command: Command, folder: string): Promise<void> {
  const { status, stderr } = await run(command, folder);
  expect(status, stderr).toBe(0);
  const whole = newFolder();
  await run(command, whole);
  const [found, wanted] = [await curvatureNumbers(folder), await curvatureNumbers(whole)];
  expect(Object.keys(wanted).length).toBeGreaterThan(2);
  const largestOf = (values: readonly number[]): number =>
    Math.max(0, ...values.filter(Number.isFinite).map(Math.abs));
  // Both ends of a spectrum are known to a share of the larger one.
  const ends = largestOf([...(wanted.smallest ?? []), ...(wanted.largest ?? [])]);
  for (const [key, values] of Object.entries(wanted)) {
    const largest = key === "smallest" || key === "largest" ? ends : largestOf(values);
    values.forEach((value, i) => {
      const gap = Math.abs((found[key]?.[i] as number) - value);
      expect(Number.isNaN(value) || gap <= 0.02 * largest, `${key} ${i}: ${found[key]?.[i]}, ${value}`).toBe(
        true,
      );
    });
  }
  const left = filesIn(folder).filter((file) => file.endsWith(".tmp") || file.includes(".tiles"));
  expect(left).toEqual([]);
}

describe("curvature in many places goes on with the points that it has", () => {
  test.each(CURVATURE_PATHS)(
    `$name, kill -9 and Ctrl-C, ${SEEDED}`,
    { timeout: 600_000 + CASES * 120_000 },
    async (command) => {
      const random = randomOf(`kill ${command.name}`);
      const { milliseconds } = await undisturbed(command);
      const folder = newFolder();
      for (let kill = 1; kill <= CASES; kill++) {
        await run(command, folder, { signal: "SIGKILL", after: milliseconds * (0.35 + 0.5 * random()) });
        await readEverything(folder);
      }
      const { status, signal } = await run(command, folder, { signal: "SIGINT", after: milliseconds * 0.6 });
      // On a busy machine it may have ended before, or not have begun to listen.
      expect([0, 130, null]).toContain(status);
      if (status === null) expect(signal).toBe("SIGINT");
      await readEverything(folder);
      await expectSameNumbers(command, folder);
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
