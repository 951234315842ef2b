import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { importModule } from "../../src/base/import-module.js";
import { temporaryFolder } from "../store/sample-run.js";

const SWEEP = "{ grid: { a: [1] }, async train() {} }";
const MORE = "async () => []";

test("what a module exports beside a default object is there, whatever kind of module it is", async () => {
  const folder = await temporaryFolder();
  const modules = {
    "a.mjs": `export default ${SWEEP}; export const createFigures = ${MORE};`,
    "b.ts": `export default ${SWEEP}; export const createFigures: unknown = ${MORE};`,
    "c.mjs": `export const { grid, train } = ${SWEEP}; export const createFigures = ${MORE};`,
    "d.cjs": `module.exports = { ...${SWEEP}, createFigures: ${MORE} };`,
  };
  for (const [name, text] of Object.entries(modules)) {
    const file = join(folder, name);
    writeFileSync(file, text);
    const { grid, train, createFigures } = await importModule(file);
    expect([grid, typeof train, typeof createFigures], name).toEqual([{ a: [1] }, "function", "function"]);
  }
});

test("a CommonJS module is what it exports", async () => {
  const file = join(await temporaryFolder(), "a.cjs");
  writeFileSync(file, "class Data { loadData() { return 1; } }\nmodule.exports = new Data();");
  expect(((await importModule(file)) as unknown as { loadData(): number }).loadData()).toBe(1);
});
