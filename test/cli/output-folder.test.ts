import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { outputFolder } from "../../src/cli/command-options.js";
import { temporaryFolders } from "../support/tiny-training.js";

const newFolder = temporaryFolders();

test("a folder that is there or can be made is taken, and not made", () => {
  const folder = newFolder();
  const deep = join(folder, "a/b 図");
  expect(outputFolder(deep, "elsewhere")).toBe(deep);
  expect(outputFolder(undefined, deep)).toBe(deep);
  expect(existsSync(folder)).toBe(false);
});

test("a file, or a path through one, is refused before any work", () => {
  const folder = newFolder();
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "file");
  writeFileSync(file, "");
  for (const path of [file, join(file, "deep/er")]) {
    expect(() => outputFolder(path, ".")).toThrow(
      `--out ${path}: expected a folder that can be written to, got ${file}, which is a file`,
    );
  }
});

test("a folder without the right to write is refused, but for the superuser, who has it", () => {
  const folder = newFolder();
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o555);
  const ask = () => outputFolder(join(folder, "new"), ".");
  if (process.getuid?.() === 0) expect(ask()).toBe(join(folder, "new"));
  else expect(ask).toThrow(`no permission to write in ${folder}`);
});
