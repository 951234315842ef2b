import { existsSync, mkdirSync } from "node:fs";
import { basename, join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { createWorkerFolder } from "../../src/workers/worker-folder.js";
import { temporaryFolders } from "../support/tiny-training.js";

const newFolder = temporaryFolders();
/** No process has it: ids are at most 2²². */
const DEAD = 2 ** 23;

afterEach(() => vi.unstubAllEnvs());

test("what a killed process left is removed, another host's is not", async () => {
  const folder = newFolder();
  mkdirSync(folder, { recursive: true });
  vi.stubEnv("TMPDIR", folder);
  const live = await createWorkerFolder();
  const name = basename(live.path).replace(`-${process.pid}-`, `-${DEAD}-`);
  const host = name.split("-").at(-3) as string;
  const [own, others] = [join(folder, name), join(folder, name.replace(host, "0123456789ab"))];
  mkdirSync(own);
  mkdirSync(others);
  (await createWorkerFolder()).remove();
  expect([live.path, own, others].map((path) => existsSync(path))).toEqual([true, false, true]);
  live.remove();
  expect(existsSync(live.path)).toBe(false);
});
