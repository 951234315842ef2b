import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync } from "node:fs";
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createFilePool } from "../../src/store/arrow/regular-file.js";
import { temporaryFolder } from "./sample-run.js";

/** Files of this process that are open in a folder. */
async function openIn(folder: string): Promise<number> {
  const { readlink } = await import("node:fs/promises");
  const links = await Promise.all(
    (await readdir("/proc/self/fd")).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => "")),
  );
  return links.filter((target) => target.startsWith(folder)).length;
}

test("reads right pieces with fewer open files than files, one by one and all at once", async () => {
  const folder = await temporaryFolder();
  const files = Array.from({ length: 7 }, (_, i) => join(folder, `${i}`));
  for (const [i, file] of files.entries()) await writeFile(file, Buffer.alloc(100, i));
  const pool = createFilePool(3);
  const read = async (file: string, i: number) => {
    const out = new Uint8Array(10);
    expect(await pool.readInto(file, 10 * i, out)).toBe(10);
    expect(new Set(out)).toEqual(new Set([i]));
  };
  for (let round = 0; round < 3; round++) for (const [i, file] of files.entries()) await read(file, i);
  await Promise.all(Array.from({ length: 20 }, () => files.map((file, i) => read(file, i))).flat());
  if (process.platform === "linux") expect(await openIn(folder)).toBeLessThanOrEqual(3);
  await pool.close();
  if (process.platform === "linux") expect(await openIn(folder)).toBe(0);
  await read(files[2] as string, 2);
  await pool.close();
});

test("a file that ends early gives what there is; a missing one fails, and opens once it is there", async () => {
  const folder = await temporaryFolder();
  const file = join(folder, "late");
  const pool = createFilePool(3);
  await expect(pool.readInto(file, 0, new Uint8Array(1))).rejects.toThrow(/ENOENT/);
  await writeFile(file, "abc");
  expect(await pool.readInto(file, 1, new Uint8Array(9))).toBe(2);
  await pool.close();
});

test.skipIf(process.platform === "win32")(
  "what lies in the place of a file that was read before is refused, and the file is read once it is back",
  async () => {
    const folder = await temporaryFolder();
    const file = join(folder, "swapped");
    const pool = createFilePool(3);
    const read = () => pool.readInto(file, 0, new Uint8Array(3));
    await writeFile(file, "abc");
    expect(await read()).toBe(3);
    for (const [put, got] of [
      [() => execFileSync("mkfifo", [file]), "no regular file"],
      [() => symlinkSync("/dev/zero", file), "no regular file"],
      [() => mkdirSync(file), "a folder"],
    ] as const) {
      await pool.close();
      await rm(file, { recursive: true });
      put();
      await expect(read()).rejects.toThrow(`${file}: expected a file that can be read, got ${got}`);
      await rm(file, { recursive: true });
      await writeFile(file, "abc");
      expect(await read()).toBe(3);
    }
    await pool.close();
  },
);
