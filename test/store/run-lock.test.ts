import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lockRun } from "../../src/store/run/run-lock.js";

const folders: string[] = [];
async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "run-lock-"));
  folders.push(folder);
  return folder;
}
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

const deadPid = 2 ** 22 + 1;
const dead = JSON.stringify({ pid: deadPid, host: hostname() });

// The compiled package in processes of their own: `npm run build` first.
describe("processes that start together", () => {
  const script = fileURLToPath(new URL("./run-lock-process.mjs", import.meta.url));
  let children: ChildProcess[] = [];
  beforeAll(async () => {
    children = Array.from({ length: 4 }, () => fork(script, { execArgv: [] }));
    await Promise.all(children.map((child) => once(child, "message")));
  });
  afterAll(() => {
    for (const child of children) child.kill();
  });

  async function tellAll(message: "release" | { directory: string; at: number }): Promise<string[]> {
    const answers = children.map(async (child) => String((await once(child, "message"))[0]));
    for (const child of children) child.send(message);
    return Promise.all(answers);
  }

  test.each<[string, Record<string, string>]>([
    ["no lock", {}],
    ["the lock of a dead process", { ".writer.lock": dead }],
    ["one whose removal was cut off by a crash", { ".writer.lock": dead, ".writer.lock.removal": dead }],
    ["a lock that was cut off", { ".writer.lock": '{"pid":' }],
  ])("exactly one gets the directory: %s", async (_name, files) => {
    for (let round = 0; round < 25; round++) {
      const directory = await temporaryFolder();
      for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
      const answers = await tellAll({ directory, at: Date.now() + 10 });
      expect(answers.filter((answer) => answer === "held")).toHaveLength(1);
      for (const answer of answers) expect(answer).toMatch(/^held$|one in use by process \d+; end it/);
      const winner = children[answers.indexOf("held")]?.pid;
      expect(JSON.parse(await readFile(join(directory, ".writer.lock"), "utf8"))).toMatchObject({
        pid: winner,
      });
      await tellAll("release");
      expect(await readdir(directory)).toEqual([]);
    }
  });
});

describe("lockRun", () => {
  test("writers of one process that claim together: the last one has it, the others are told", async () => {
    const directory = await temporaryFolder();
    const locks = await Promise.all([1, 2, 3].map(() => lockRun(directory)));
    for (const lock of locks.slice(0, 2)) {
      expect(() => lock.check()).toThrow(/a newer one that has taken over/);
      await lock.release();
    }
    locks[2]?.check();
    expect(await readdir(directory)).toEqual([".writer.lock"]);
    await locks[2]?.release();
    expect(await readdir(directory)).toEqual([]);
  });

  test("leaves the lock of somebody else in place when it is released", async () => {
    const directory = await temporaryFolder();
    const lock = await lockRun(directory);
    const other = JSON.stringify({ pid: 1, host: "elsewhere" });
    await writeFile(join(directory, ".writer.lock"), other);
    await lock.release();
    expect(await readFile(join(directory, ".writer.lock"), "utf8")).toBe(other);
  });

  test("does not stop after a claim that failed", async () => {
    const missing = join(await temporaryFolder(), "missing");
    await expect(lockRun(missing)).rejects.toThrow(/ENOENT/);
    const lock = await lockRun(await temporaryFolder());
    lock.check();
    await lock.release();
  });
});
