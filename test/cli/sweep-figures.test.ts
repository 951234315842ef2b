import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ownFigures } from "../../src/analysis/sweep-report.js";
import { loadSweepFigures } from "../../src/cli/load-module.js";
import { createTrainingFigure } from "../../src/figure/make/create-training-figure.js";
import { temporaryFolders } from "../support/tiny-training.js";

const newFolder = temporaryFolders();
const task = { directory: "", signal: new AbortController().signal };

/** What a sweep's module exports as `createFigures`, beside a default export and without `loadData`. */
async function figuresOf(text: string) {
  const folder = newFolder();
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "sweep.mjs");
  const sweep = "export default { grid: { a: [1] }, async train() {} };";
  writeFileSync(file, `${sweep}\nexport const createFigures = ${text};\n`);
  const create = await loadSweepFigures(file);
  if (create === null) throw new Error("createFigures was not found");
  return create;
}

test("a name that is no file name is refused before the page is lost to it", async () => {
  const create = await figuresOf('async () => [{ name: "width/1", figure: { panels: [] } }]');
  const { figures, warnings } = await ownFigures(create, { runs: [] }, task, []);
  expect(figures).toEqual([]);
  expect(warnings[0]?.message).toBe(
    'createFigures() failed: name: expected a file name, without a folder, got "width/1"',
  );
});

test("a figure that cannot be laid out is an error of its own, not of the page", async () => {
  const create = await figuresOf('async () => [{ name: "own", figure: { title: "own", panels: [{}] } }]');
  const { figures, warnings } = await ownFigures(create, { runs: [] }, task, []);
  expect(figures).toEqual([]);
  expect(warnings[0]?.message).toMatch(/^createFigures\(\) failed: ./);
});

/** A figure that can be laid out, as the text of a module. */
const snapshots = [0, 1].map((epoch) => ({ epoch, iteration: epoch, logs: { loss: 1 / (1 + epoch) } }));
const figure = createTrainingFigure([{ name: "a", snapshots: snapshots as never }]);
const own = JSON.stringify({ name: "own", figure });
const other = JSON.stringify({ name: "other", figure });

test("every documented form is taken: a list, figures with warnings, figures alone", async () => {
  const warning = { code: "capped-loss", message: "seed 1: the loss is capped" };
  const forms: [string, object[]][] = [
    [`[${own}]`, []],
    [`({ figures: [${own}], warnings: [${JSON.stringify(warning)}] })`, [warning]],
    [`({ figures: [${own}] })`, []],
    [`({ figures: [${own}], warnings: undefined })`, []],
  ];
  for (const [text, warnings] of forms) {
    const found = await ownFigures(await figuresOf(`async () => ${text}`), { runs: [] }, task, []);
    expect([found.figures.map(({ name }) => name), found.warnings], text).toEqual([["own"], warnings]);
  }
});

test("other forms are named, with what was expected", async () => {
  const expected =
    "createFigures() failed: expected a list of { name, figure }, or { figures, warnings } with such a list";
  const forms = {
    undefined: "undefined",
    '"own"': '"own"',
    [`(${own})`]: "an object with name, figure",
    "({ figures: 3 })": "figures: 3",
    "({})": "an empty object",
  };
  for (const [text, got] of Object.entries(forms)) {
    const { figures, warnings } = await ownFigures(
      await figuresOf(`async () => ${text}`),
      { runs: [] },
      task,
      [],
    );
    expect([figures, warnings.map(({ message }) => message)], text).toEqual([
      [],
      [`${expected}, got ${got}`],
    ]);
  }
});

test("one figure that cannot be used, or warnings that are none, do not cost the other figures", async () => {
  const text = `async () => ({ figures: [${own}, { name: "bare" }, ${own}, ${other}], warnings: ["capped"] })`;
  const { figures, warnings } = await ownFigures(await figuresOf(text), { runs: [] }, task, []);
  expect(figures.map(({ name }) => name)).toEqual(["own", "other"]);
  expect(warnings.map(({ code, message }) => `${code}: ${message}`)).toEqual([
    "sweep-figures: createFigures() failed: figures[1]: expected { name, figure }, got an object with name",
    'sweep-figures: createFigures() failed: figures[2]: expected a name of its own, got "own" twice',
    'sweep-figures: createFigures() failed: warnings: expected a list of { code, message }, got "capped"',
  ]);
});

test("a promise that never settles is an error", async () => {
  const create = await figuresOf("() => new Promise(() => undefined)");
  const making = ownFigures(create, { runs: [] }, task, []);
  // As when nothing is left to do.
  process.emit("beforeExit", 0);
  expect((await making).warnings[0]?.message).toBe("createFigures() failed: its promise never settles");
});
