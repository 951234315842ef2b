import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { removeFolder } from "../support/tiny-training.js";
import {
  BIN,
  COMMANDS,
  type Command,
  commandOf,
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

describe("SIGINT and SIGTERM at random moments", () => {
  const signals = ["SIGINT", "SIGTERM"] as const;
  const cases = COMMANDS.map((command, i) => ({
    name: command.name,
    command,
    signal: signals[i % 2] as NodeJS.Signals,
  }));
  test.each(cases)(`$name, $signal, ${FEW} times, ${SEEDED}`, TIMEOUT, async ({ command, signal }) => {
    const random = randomOf(`${signal} ${command.name}`);
    const { milliseconds } = await undisturbed(command);
    let saw = "";
    for (let i = 0; i < FEW; i++) {
      const folder = newFolder();
      const after = milliseconds * (0.4 + 0.4 * random());
      const end = await run(command, folder, { signal, after });
      const code = signal === "SIGINT" ? 130 : 143;
      expect([0, code, null], end.stderr).toContain(end.status);
      if (end.status === code) expect(end.stderr).toContain(`interrupted by ${signal}`);
      if (end.status === null) expect(end.signal).toBe(signal);
      saw ||= lastLine(end);
      await readEverything(folder);
      await expectRecovery(command, folder);
    }
    report(signal, command.name, FEW, saw);
  });
});

describe("a folder that is removed meanwhile", () => {
  test.each(COMMANDS)(`$name, ${SEEDED}`, TIMEOUT, async (command) => {
    const random = randomOf(`removed ${command.name}`);
    const { milliseconds } = await undisturbed(command);
    const folder = newFolder();
    const end = await run(command, folder, {
      after: milliseconds * (0.4 + 0.4 * random()),
      act: () => removeFolder(folder),
    });
    expect(end.signal, end.stderr).toBeNull();
    expect([0, 2, 3], end.stderr).toContain(end.status);
    expect(end.stderr).not.toMatch(/^\s+at .*:\d+:\d+/m);
    // A run must not come back as snapshots without their run.json.
    for (const run of ["one", "two", "new"]) {
      if (filesIn(join(folder, run, "snapshots")).length > 0)
        expect(existsSync(join(folder, run, "run.json"))).toBe(true);
    }
    await readEverything(folder);
    report("removed folder", command.name, 1, lastLine(end));
  });
});

describe("two processes at once", () => {
  test("two trainings of one run: one has it, the other is told", TIMEOUT, async () => {
    const command = commandOf("capture");
    const folder = newFolder();
    const ends = await Promise.all([run(command, folder), run(command, folder)]);
    expect(ends.map(({ status }) => status).sort(), ends.map(({ stderr }) => stderr).join()).toEqual([0, 3]);
    const refused = ends.find(({ status }) => status === 3) as (typeof ends)[0];
    expect(refused.stderr).toMatch(/expected a run that nobody writes, got one in use by process \d+/);
    expect(await readEverything(folder)).toEqual((await undisturbed(command)).content);
    report("two processes", command.name, 1, lastLine(refused));
  });

  test.each(["surface", "compare", "embed", "report"].map(commandOf))(
    "$name twice: both end well",
    TIMEOUT,
    async (command) => {
      const folder = newFolder();
      for (const { status, stderr } of await Promise.all([run(command, folder), run(command, folder)])) {
        expect(status, stderr).toBe(0);
      }
      await expectRecovery(command, folder);
      report("two processes", command.name, 1, "nothing; both end well");
    },
  );
});

describe("a clock that is set back by an hour", () => {
  test.each(["capture", "surface", "jump", "report"].map(commandOf))(
    `$name, ${SEEDED}`,
    TIMEOUT,
    async (command) => {
      const random = randomOf(`clock ${command.name}`);
      const { milliseconds, content } = await undisturbed(command);
      const folder = newFolder();
      const clock = { after: milliseconds * (0.3 + 0.4 * random()), by: -3_600_000 };
      const end = await run(command, folder, { fault: { clock } });
      expect(end.status, end.stderr).toBe(0);
      expect(await readEverything(folder)).toEqual(content);
      report("clock set back", command.name, 1, "nothing");
    },
  );
});

describe("a worker that runs out of memory", () => {
  const LITTLE = { NODE_OPTIONS: "--max-old-space-size=256" };
  const hungry = fileURLToPath(new URL("hungry-data.mjs", import.meta.url));
  const command: Command = {
    name: "surface --workers 2, hungry",
    args: (folder) => [
      ...[BIN, "surface", join(folder, "one"), "--data", hungry, "--engine", "tfjs", "--batch-size", "7"],
      ...["--threads", "1", "--backend", "wasm", "--size", "9", "--workers", "2"],
    ],
  };

  test("once: another one takes its points, with the same bits", TIMEOUT, async () => {
    const { content } = await undisturbed(command);
    const folder = newFolder();
    const mark = `${folder}.mark`;
    const end = await run(command, folder, { env: { LANDSCAPE_HUNGRY: mark, ...LITTLE } });
    expect(existsSync(mark)).toBe(true);
    expect(end.status, end.stderr).toBe(0);
    expect(await readEverything(folder)).toEqual(content);
    report("worker out of memory, once", command.name, 1, "nothing: another one takes its points");
  });

  test("every time: said by name", TIMEOUT, async () => {
    const folder = newFolder();
    const end = await run(command, folder, { env: { LANDSCAPE_HUNGRY: "always", ...LITTLE } });
    expect(end.status, end.stderr).toBe(2);
    expect(end.stderr).toMatch(/died.*, the last by .*: it ran out of memory/);
    await readEverything(folder);
    await expectRecovery(command, folder);
    report("worker out of memory, always", command.name, 1, lastLine(end));
  });
});
