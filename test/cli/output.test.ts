import { describe, expect, test } from "vitest";
import { InvalidOptionError } from "../../src/base/errors.js";
import {
  alignedTable,
  barWidth,
  createOutput,
  reportError,
  shortened,
  timeLeft,
} from "../../src/cli/output.js";

/** What `work` writes on both streams. */
function written(work: () => void): { readonly stdout: string; readonly stderr: string } {
  const text = { stdout: "", stderr: "" };
  const kept = { out: process.stdout.write, error: process.stderr.write, console: globalThis.console };
  process.stdout.write = ((chunk: string) => {
    text.stdout += chunk;
    return true;
  }) as typeof process.stdout.write;
  process.stderr.write = ((chunk: string) => {
    text.stderr += chunk;
    return true;
  }) as typeof process.stderr.write;
  try {
    work();
  } finally {
    process.stdout.write = kept.out;
    process.stderr.write = kept.error;
    globalThis.console = kept.console;
  }
  return text;
}

/** Names as a hostile run.json may hold: colours, the clipboard, a cleared screen, a reversed line. */
const HOSTILE = ["\u001b[31mred", "\u001b]52;c;aGk=\u0007", "\u009b2J", "a\rb", "abc\u202edcba"];

describe("text from files", () => {
  test.each(HOSTILE)("reaches the terminal without control characters: %j", (name) => {
    const { stdout, stderr } = written(() => {
      const output = createOutput({ json: false });
      output.print(name);
      output.note(name);
      output.warn([{ code: "name", message: name }]);
      reportError(new InvalidOptionError(name, "a name", name));
      reportError(new Error(name));
    });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
    expect(`${stdout}${stderr}`).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
  });
});

describe("errors with --json", () => {
  test("stand on stdout as one object, and on stderr as a line", () => {
    const { stdout, stderr } = written(() => reportError(new InvalidOptionError("--size", "3", "2"), true));
    expect(JSON.parse(stdout)).toEqual({
      error: { code: "invalid-option", message: expect.stringContaining("--size: expected 3, got 2") },
    });
    expect(stderr).toContain("--size: expected 3, got 2");
  });

  test("without it stdout stays empty", () => {
    expect(written(() => reportError(new InvalidOptionError("--size", "3", "2"))).stdout).toBe("");
  });
});

test("long lists keep their ends", () => {
  const lines = Array.from({ length: 300 }, (_, i) => String(i));
  expect(shortened(lines)).toEqual([
    ..."01234".split(""),
    "… 290 more",
    ...["295", "296", "297", "298", "299"],
  ]);
  expect(shortened(lines.slice(0, 11))).toEqual(lines.slice(0, 11));
});

test("tables have aligned columns, numbers to the right", () => {
  expect(
    alignedTable([
      ["run", "loss"],
      ["adam", "0.01400"],
    ]),
  ).toEqual(["run      loss", "adam  0.01400"]);
});

describe("a progress bar", () => {
  test("says how long the rest takes once something is known of it", () => {
    expect(timeLeft(0, 100, 5)).toBe("");
    expect(timeLeft(1, 100, 0.01)).toBe("");
    expect(timeLeft(10, 0, 5)).toBe("");
    expect(timeLeft(10, 20, 5)).toBe(" · 10s left");
    expect(timeLeft(10, 400, 5)).toBe(" · 3m20s left");
    expect(timeLeft(1, 7200, 1.5)).toBe(" · 3h00m left");
  });

  test("fits into 80 columns with title, counts and time", () => {
    for (const title of [
      "surface",
      "snapshots and plane, losses",
      "a title of a step that is much too long for it",
    ]) {
      const line = `${title} [${"=".repeat(barWidth(title, 80))}] 441/441${timeLeft(10, 400, 5)}`;
      expect(line.length).toBeLessThanOrEqual(80);
    }
  });
});
