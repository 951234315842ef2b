import { constants } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  flushFolder,
  isDeviceName,
  isProcess,
  readingFlags,
  removal,
  renameOver,
  startOfProcess,
} from "../../src/base/platform.js";

const failing = (code: string) => Object.assign(new Error(code), { code });

/** A rename that the system refuses so many times. */
function refusing(times: number, code: string) {
  const calls = { count: 0 };
  const rename = async (): Promise<void> => {
    if (++calls.count <= times) throw failing(code);
  };
  return { calls, rename };
}

describe("a rename over a file that somebody has open", () => {
  test.each(["EPERM", "EACCES", "EBUSY"])("Windows is asked again after %s", async (code) => {
    const { calls, rename } = refusing(2, code);
    await renameOver("a", "b", "win32", rename);
    expect(calls.count).toBe(3);
  });

  test.each(["linux", "darwin"] as const)("%s is asked once", async (platform) => {
    const { calls, rename } = refusing(1, "EPERM");
    await expect(renameOver("a", "b", platform, rename)).rejects.toThrow("EPERM");
    expect(calls.count).toBe(1);
  });

  test("other errors are told at once, and one that stays is told in the end", async () => {
    const other = refusing(1, "ENOSPC");
    await expect(renameOver("a", "b", "win32", other.rename)).rejects.toThrow("ENOSPC");
    expect(other.calls.count).toBe(1);
    const { calls, rename } = refusing(1000, "EBUSY");
    await expect(renameOver("a", "b", "win32", rename)).rejects.toThrow("EBUSY");
    expect(calls.count).toBe(60);
  });

  test("here it replaces the file", async () => {
    const folder = await mkdtemp(join(tmpdir(), "landscape-platform-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const [from, to] = [join(folder, "from"), join(folder, "to")];
    await writeFile(from, "new");
    await writeFile(to, "old");
    await renameOver(from, to);
    expect(await readFile(to, "utf8")).toBe("new");
  });
});

test("the start of a process is known on Linux only", async () => {
  expect(await startOfProcess(process.pid, "darwin")).toBeNull();
  expect(await startOfProcess(process.pid, "win32")).toBeNull();
  if (process.platform === "linux") {
    expect(await startOfProcess(process.pid)).toMatch(/^[0-9a-f-]{36} \d+$/);
    expect(await startOfProcess(2 ** 22 + 1)).toBeNull();
  }
  expect(isProcess(process.pid)).toBe(true);
  expect(isProcess(2 ** 22 + 1)).toBe(false);
});

test("files are opened without waiting, where the system has a flag for it", () => {
  expect(readingFlags()).toBe(constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  expect(readingFlags({ O_RDONLY: 0 })).toBe(0);
});

test("Windows removes with patience; folders are flushed elsewhere", async () => {
  expect(removal("win32")).toEqual({ recursive: true, force: true, maxRetries: 60, retryDelay: 50 });
  expect(removal("linux")).toEqual({ recursive: true, force: true });
  await expect(flushFolder("/nobody's folder", "win32")).resolves.toBeUndefined();
  await expect(flushFolder("/nobody's folder", "linux")).rejects.toThrow("ENOENT");
});

test("names of devices are known with any extension and in any case", () => {
  for (const name of ["con", "NUL.svg", "com1.txt", "Lpt9", "aux ", "prn.tar.gz"]) {
    expect(isDeviceName(name), name).toBe(true);
  }
  for (const name of ["console", "nulls.svg", "com", "my.con"]) expect(isDeviceName(name), name).toBe(false);
});
