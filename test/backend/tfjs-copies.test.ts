import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { copiesWarning, otherCopies } from "../../src/backend/tfjs-copies.js";
import { temporaryFolders } from "../support/tiny-training.js";

const newFolder = temporaryFolders();

it("a program that finds another TensorFlow.js than this package is told of both", () => {
  const folder = newFolder();
  const copy = join(folder, "node_modules", "@tensorflow", "tfjs");
  mkdirSync(copy, { recursive: true });
  writeFileSync(join(copy, "package.json"), JSON.stringify({ name: "@tensorflow/tfjs", version: "3.21.0" }));
  const program = join(folder, "train.js");
  expect(otherCopies(program)?.theirs).toMatchObject({ version: "3.21.0" });
  const { code, message } = copiesWarning(program) ?? {};
  expect(code).toBe("two-tfjs-copies");
  expect(message).toMatch(
    /two copies of @tensorflow\/tfjs: 3\.21\.0 in .*, which the program uses, and 4\..*install one/,
  );
});

it("one copy, and a program that has none, are no news", () => {
  expect(otherCopies(import.meta.filename ?? process.argv[1])).toBeNull();
  expect(copiesWarning(join(newFolder(), "nothing.js"))).toBeNull();
  expect(copiesWarning()).toBeNull();
});
