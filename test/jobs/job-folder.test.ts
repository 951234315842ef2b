import { existsSync, mkdirSync, renameSync } from "node:fs";
import { afterEach, expect, test, vi } from "vitest";
import { temporaryFolders } from "../support/tiny-training.js";

const newFolder = temporaryFolders();
/** No process has it: ids are at most 2²². */
const DEAD = 2 ** 23;

afterEach(() => {
  vi.doUnmock("node:os");
  vi.unstubAllEnvs();
});

/** Makes a worker folder as a process of another host would. */
async function folderAt(host: string) {
  vi.resetModules();
  vi.doMock("node:os", async (original) => ({ ...(await original<object>()), hostname: () => host }));
  const { createJobFolder } = await import("../../src/jobs/job-folder.js");
  return createJobFolder();
}

test("what a killed process left is removed by its own host only", async () => {
  const folder = newFolder();
  mkdirSync(folder, { recursive: true });
  vi.stubEnv("TMPDIR", folder);
  const live = await folderAt("one");
  const killed = await folderAt("one");
  const left = killed.path.replace(`-${process.pid}-`, `-${DEAD}-`);
  renameSync(killed.path, left);
  killed.remove();
  (await folderAt("two")).remove();
  expect([live.path, left].map((path) => existsSync(path))).toEqual([true, true]);
  (await folderAt("one")).remove();
  expect([live.path, left].map((path) => existsSync(path))).toEqual([true, false]);
  live.remove();
  expect(existsSync(live.path)).toBe(false);
});
