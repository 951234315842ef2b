import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { describe, expect, test } from "vitest";
import {
  COMMANDS,
  type Command,
  commandOf,
  type Ending,
  expectRecovery,
  FEW,
  filesIn,
  lastLine,
  newFolder,
  randomOf,
  readEverything,
  report,
  run,
  SEEDED,
  undisturbed,
} from "./commands.js";

const TIMEOUT = { timeout: 300_000 + FEW * 120_000 };

/** Each thread counts for itself: of the three that write in a `jump` one writes more than this share. */
const SHARE = 0.3;

/** A process that the disk has refused says so in our words, and ends by itself. */
function expectSaid({ status, signal, stderr }: Ending, words: RegExp): void {
  expect(signal, stderr).toBeNull();
  expect([2, 3], stderr).toContain(status);
  expect(stderr).toMatch(words);
  expect(stderr).not.toMatch(/^\s+at .*:\d+:\d+/m);
}

async function fillDisk(
  command: Command,
  name: string,
  words: RegExp,
  disturb: (bytes: number, folder: string) => Parameters<typeof run>[2],
) {
  const random = randomOf(`${name} ${command.name}`);
  const { bytes } = await undisturbed(command);
  let saw = "";
  for (let i = 0; i < FEW; i++) {
    const folder = newFolder();
    const end = await run(command, folder, disturb(Math.floor(bytes * SHARE * random()), folder));
    expectSaid(end, words);
    saw ||= lastLine(end);
    await readEverything(folder);
    await expectRecovery(command, folder);
  }
  report(name, command.name, FEW, saw);
}

describe("a full disk: everything readable or absent, then the bits of an undisturbed run", () => {
  test.each(COMMANDS)(`$name, ${FEW} times, ${SEEDED}`, TIMEOUT, (command) =>
    fillDisk(command, "full disk", /the disk is full/, (bytes, folder) => ({
      fault: { full: { bytes, under: [folder] } },
    })),
  );

  test(`surface, on its first tile and on a later one, ${SEEDED}`, TIMEOUT, async () => {
    const command = commandOf("surface");
    // Whatever the time, a part ends with a tile.
    const part: Command = {
      name: "part",
      args: (folder) => [...command.args(folder), "--max-points", "500"],
    };
    const folder = newFolder();
    const tiles = () => filesIn(folder).filter((file) => file.includes(".tiles"));
    const full = { fault: { full: { bytes: 100, under: [folder], in: ".tiles" } } };
    expectSaid(await run(part, folder, full), /the disk is full/);
    expect(tiles()).toEqual([]);
    await readEverything(folder);
    expect((await run(part, folder)).status).toBe(0);
    const before = tiles();
    expect(before.length).toBeGreaterThan(0);
    const end = await run(part, folder, full);
    expectSaid(end, /the disk is full/);
    expect(tiles()).toEqual(before);
    await readEverything(folder);
    await expectRecovery(command, folder);
    report("full disk, on a tile", command.name, 2, lastLine(end));
  });

  test(`the place for temporary files is full, ${SEEDED}`, TIMEOUT, async () => {
    const command = commandOf("surface --workers 2");
    const folder = newFolder();
    const end = await run(command, folder, { fault: { full: { bytes: 100, under: [tmpdir()] } } });
    expectSaid(end, /the disk is full/);
    await readEverything(folder);
    await expectRecovery(command, folder);
    report("full TMPDIR", command.name, 1, lastLine(end));
  });
});

describe("a limit of the system on the size of files (ulimit -f)", () => {
  const limited = ["surface", "embed", "report"].map(commandOf);
  test.skipIf(process.platform === "win32").each(limited)("$name", TIMEOUT, async (command) => {
    const folder = newFolder();
    const end = await run(command, folder, { under: ["bash", "-c", 'ulimit -f 2; exec "$@"', "bash"] });
    expectSaid(end, /larger than the system allows/);
    await readEverything(folder);
    await expectRecovery(command, folder);
    report("ulimit -f", command.name, 1, lastLine(end));
  });
});

/** A real disk of so many kilobytes, where this machine lets one be mounted; null where it does not. */
function mountDisk(folder: string, kilobytes: number): boolean {
  mkdirSync(folder, { recursive: true });
  const { status } = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${kilobytes}k`, "tmpfs", folder]);
  return status === 0;
}

test(`a disk that is really full, where one can be mounted, ${SEEDED}`, { timeout: 600_000 }, async () => {
  for (const name of ["capture", "surface", "report"]) {
    const command = commandOf(name);
    const source = newFolder();
    const { bytes } = await undisturbed(command);
    const used = filesIn(source).length * 4 + 4 * 20;
    const folder = `${source}-disk`;
    if (!mountDisk(folder, used + Math.ceil(bytes / 1024 / 2))) {
      rmdirSync(folder);
      report("full tmpfs", name, 0, "not allowed to mount one here: the faults above stand for it");
      continue;
    }
    try {
      cpSync(source, folder, { recursive: true });
      const end = await run(command, folder);
      expectSaid(end, /the disk is full/);
      await readEverything(folder);
      const roomy = newFolder();
      rmSync(roomy, { recursive: true });
      cpSync(folder, roomy, { recursive: true });
      await expectRecovery(command, roomy);
      report("full tmpfs", name, 1, lastLine(end));
    } finally {
      execFileSync("umount", [folder]);
    }
  }
});

/** The superuser may write anywhere: without these rights it may not. */
const AS_USER =
  process.getuid?.() === 0 ? ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--"] : [];

function setMode(folder: string, file: number, directory: number): void {
  for (const one of filesIn(folder)) chmodSync(one, file);
  const folders = execFileSync("find", [folder, "-type", "d"], { encoding: "utf8" }).trim().split("\n");
  for (const one of folders.reverse()) chmodSync(one, directory);
}

describe("a folder that must not be written to", () => {
  test.skipIf(process.platform === "win32").each(COMMANDS)("$name", TIMEOUT, async (command) => {
    const folder = newFolder();
    const before = await readEverything(folder);
    setMode(folder, 0o444, 0o555);
    let end: Ending;
    try {
      end = await run(command, folder, { under: AS_USER });
    } finally {
      setMode(folder, 0o644, 0o755);
    }
    expectSaid(end, /no permission to write/);
    expect(await readEverything(folder)).toEqual(before);
    await expectRecovery(command, folder);
    report("read-only folder", command.name, 1, lastLine(end));
  });
});
