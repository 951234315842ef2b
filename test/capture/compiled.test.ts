import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { openRun } from "../../src/store/run/open-run.js";
import { temporaryFolders } from "../support/tiny-training.js";

// The writing thread exists in the compiled package only: `npm run build` first.
const script = fileURLToPath(new URL("./compiled-cases.mjs", import.meta.url));
const newFolder = temporaryFolders();
const execute = promisify(execFile);

async function run(name: string, directory: string, prefix = ""): Promise<unknown> {
  const command = `${prefix} exec "$0" "$1" "$2" "$3"`;
  const args = ["-c", command, process.execPath, script, name, directory];
  const { stdout } = await execute("sh", args, { timeout: 30_000 });
  return JSON.parse(stdout);
}

async function readAll(directory: string) {
  const opened = await openRun(directory);
  for (const index of opened.snapshots.keys()) await opened.readTheta(index);
  return opened.snapshots;
}

describe("the writing thread", () => {
  it("writes what the training thread hands it, in order, behind a short queue", async () => {
    const directory = newFolder();
    // No warning: nothing fell back to the training thread.
    expect(await run("many", directory)).toEqual({ result: [], tensors: 0 });
    const snapshots = await readAll(directory);
    expect(snapshots.map(({ iteration }) => iteration)).toEqual(Array.from({ length: 41 }, (_, i) => i));
  });

  it("finishes before the process ends, though training threw and nobody closed the callback", async () => {
    const directory = newFolder();
    expect(await run("not-closed", directory)).toMatchObject({ result: "bad luck" });
    expect((await readAll(directory)).map(({ epoch }) => epoch)).toEqual([0, 1, 2, 3]);
  });

  it.each(["failed-before-first-batch", "failed-in-first-batch"])(
    "has the initial weights before the process ends, though nobody closed the callback (%s)",
    async (name) => {
      const directory = newFolder();
      expect(await run(name, directory)).toMatchObject({ result: "bad luck" });
      expect((await readAll(directory)).map(({ iteration }) => iteration)).toEqual([0]);
      expect(existsSync(join(directory, ".writer.lock"))).toBe(false);
    },
  );

  it.each([
    ["nothing-recorded", []],
    ["same-directory", "RunStateError"],
  ])("does not keep a process alive that wrote nothing (%s)", async (name, result) => {
    const directory = newFolder();
    expect(await run(name, directory)).toMatchObject({ result });
    await readAll(directory);
  });

  it.skipIf(process.platform === "win32")(
    "reports a failing disk to the training, and leaves nothing half-written",
    async () => {
      const directory = newFolder();
      // Blocks of 512 bytes (dash) or 1,024 (bash): room for run.json, none for a snapshot of 263 kB.
      const answer = await run("disk-error", directory, "ulimit -f 100;");
      expect(answer).toMatchObject({
        result: {
          name: "RunStateError",
          code: "run-state",
          cause: "EFBIG",
          message: expect.stringMatching(
            /^snapshot 0 of .*: expected to be written, got a file larger than the system allows \(.*000000\.arrow\)/,
          ),
        },
        tensors: 0,
      });
      expect(await readAll(directory)).toEqual([]);
      expect(readdirSync(join(directory, "snapshots"))).toEqual([]);
      expect(existsSync(join(directory, ".writer.lock"))).toBe(false);
    },
  );
});
