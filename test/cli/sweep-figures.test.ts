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
    'createFigures(): figures[0] ("width/1"): expected a file name, without a folder, got "width/1"',
  );
});

test("a figure that cannot be laid out is an error of its own, not of the page", async () => {
  const create = await figuresOf('async () => [{ name: "own", figure: { title: "own", panels: [{}] } }]');
  const { figures, warnings } = await ownFigures(create, { runs: [] }, task, []);
  expect(figures).toEqual([]);
  expect(warnings[0]?.message).toMatch(
    /^createFigures\(\): figures\[0\] \("own"\): expected a figure that can be drawn, got an error: ./,
  );
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

test("each part that cannot be used is named, and does not cost the others", async () => {
  const capped = (share: number) => ({
    code: "capped-loss",
    message: `${share} % are capped`,
    of: `${share}`,
  });
  const study = ["seed 1 diverged", "500 samples only"].map((message) => ({ code: "study", message }));
  const warnings = JSON.stringify([capped(3), "capped", capped(4), 5, ...study]);
  const figures = `[${own}, { name: "bare" }, ${own}, ${other}, null]`;
  const create = await figuresOf(`async () => ({ figures: ${figures}, warnings: ${warnings} })`);
  const found = await ownFigures(create, { runs: [] }, task, []);
  expect(found.figures.map(({ name }) => name)).toEqual(["own", "other"]);
  expect(found.warnings.map(({ code, message }) => `${code}: ${message}`)).toEqual([
    "study: seed 1 diverged",
    "study: 500 samples only",
    // Of one kind, with names: as everywhere.
    'capped-loss: 3 % are capped (and 1 more of this kind, in "3" and "4")',
    'sweep-figures: createFigures(): figures[1] ("bare"): expected { name, figure }, got an object with name',
    'sweep-figures: createFigures(): figures[2] ("own"): expected a name of its own, got "own" twice',
    "sweep-figures: createFigures(): figures[4]: expected { name, figure }, got null",
    'sweep-figures: createFigures(): warnings[1]: expected { code, message }, got "capped"',
    "sweep-figures: createFigures(): warnings[3]: expected { code, message }, got 5",
  ]);
});

test("a promise that never settles is an error", async () => {
  const create = await figuresOf("() => new Promise(() => undefined)");
  const making = ownFigures(create, { runs: [] }, task, []);
  // As when nothing is left to do.
  process.emit("beforeExit", 0);
  expect((await making).warnings[0]?.message).toBe("createFigures() failed: its promise never settles");
});
