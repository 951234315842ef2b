import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ownFigures } from "../../src/analysis/sweep-report.js";
import { loadSweepFigures } from "../../src/cli/load-module.js";
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

test("warnings may come with the figures", async () => {
  const warning = { code: "capped-loss", message: "seed 1: the loss is capped" };
  const create = await figuresOf(`async () => ({ figures: [], warnings: [${JSON.stringify(warning)}] })`);
  expect((await ownFigures(create, { runs: [] }, task, [])).warnings).toEqual([warning]);
});

test("warnings that are none are named", async () => {
  for (const given of ["undefined", '["capped"]']) {
    const create = await figuresOf(`async () => ({ figures: [], warnings: ${given} })`);
    expect((await ownFigures(create, { runs: [] }, task, [])).warnings).toEqual([
      {
        code: "sweep-figures",
        message:
          "createFigures() failed: expected a list of { code, message } as warnings, got something else",
      },
    ]);
  }
});

test("a promise that never settles is an error", async () => {
  const create = await figuresOf("() => new Promise(() => undefined)");
  const making = ownFigures(create, { runs: [] }, task, []);
  // As when nothing is left to do.
  process.emit("beforeExit", 0);
  expect((await making).warnings[0]?.message).toBe("createFigures() failed: its promise never settles");
});
