import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { folderOf, importsOf, LAYERS, PURE, PURPOSE, sourceFiles } from "../../scripts/architecture.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const files = sourceFiles();
const imports = files.flatMap((file) => importsOf(file));
const layerOf = new Map(LAYERS.flatMap((layer, i) => layer.map((folder) => [folder, i] as const)));

const isOwn = (target: string): boolean => /^(src|callbacks)\//.test(target);

/** Files that a browser loads: the pages' scripts and everything that they import at run time. */
function browserFiles(): Set<string> {
  return loadedWith(
    files.filter((file) => /^src\/(figure|live)\/page\//.test(file)),
    () => true,
  );
}

/** Some files and everything that they import at run time, as far as `counts` says. */
function loadedWith(
  first: readonly string[],
  counts: (found: { readonly isLazy: boolean }) => boolean,
): Set<string> {
  const open = [...first];
  const known = new Set(open);
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    for (const found of importsOf(file)) {
      const { target, isType } = found;
      if (isType || !isOwn(target) || known.has(target) || !counts(found)) continue;
      known.add(target);
      open.push(target);
    }
  }
  return known;
}

describe("the house: folders and what they may import", () => {
  test("imports are read as they are: every one of ours leads to a file", () => {
    expect(imports.length).toBeGreaterThan(500);
    const lost = imports.filter(({ target }) => isOwn(target) && !existsSync(join(root, target)));
    expect(lost.filter(({ target }) => !target.endsWith("package.json"))).toEqual([]);
  });

  test("every folder has a layer and a purpose", () => {
    const folders = [...new Set(files.map(folderOf))];
    expect(folders.filter((folder) => !layerOf.has(folder))).toEqual([]);
    // What the picture of the architecture says of them.
    expect(Object.keys(PURPOSE).sort()).toEqual([...layerOf.keys()].sort());
  });

  test("imports point down only", () => {
    const upward = imports.filter(({ file, target }) => {
      if (!isOwn(target) || folderOf(file) === folderOf(target)) return false;
      return (layerOf.get(folderOf(target)) as number) >= (layerOf.get(folderOf(file)) as number);
    });
    expect(upward.map(({ file, target }) => `${file} -> ${target}`)).toEqual([]);
  });

  test("pure folders import no TensorFlow, Node.js, Arrow or ECharts", () => {
    const heavy = /^(@tensorflow\/|node:|apache-arrow|echarts)/;
    const found = imports.filter(({ file, target }) => PURE.includes(folderOf(file)) && heavy.test(target));
    expect(found).toEqual([]);
  });

  test("figures import no TensorFlow", () => {
    const found = imports.filter(({ file, target }) => {
      return folderOf(file) === "figure" && target.startsWith("@tensorflow/");
    });
    expect(found).toEqual([]);
  });

  test("the command line without a command loads only what prints: --help is quick", () => {
    const loaded = [...loadedWith(["src/cli/main.ts"], ({ isLazy }) => !isLazy)];
    expect(loaded).toContain("src/cli/output.ts");
    expect(loaded.filter((file) => !/^src\/(base|cli)\//.test(file))).toEqual([]);
    expect(loaded.filter((file) => file.startsWith("src/cli/")).sort()).toEqual([
      "src/cli/main.ts",
      "src/cli/output.ts",
    ]);
  });

  test("commands receive evaluators: only the demo, whose model is its own, makes one", () => {
    const makers = ["src/loss/create-loss-evaluator.ts", "src/loss/variables-evaluator.ts"];
    const found = imports.filter(({ file, target, isType }) => {
      return file.startsWith("src/cli/commands/") && !isType && makers.includes(target);
    });
    expect(found.map(({ file }) => file)).toEqual(["src/cli/commands/demo.ts"]);
  });

  test("what stops work is declared once, as Stoppable; others stop a part of it, and say which", () => {
    const own = files.filter((file) => {
      const text = readFileSync(join(root, file), "utf8");
      return /^ {2}readonly signal\?: AbortSignal \| undefined;/m.test(text);
    });
    expect(own.sort()).toEqual([
      "src/base/work.ts",
      "src/jobs/task-runner.ts",
      "src/loss/loss-evaluator.ts",
      "src/loss/loss-options.ts",
      "src/queue/queue-runner.ts",
      "src/training/jump-options.ts",
      "src/training/run-sweep.ts",
    ]);
  });

  test("code that runs in a browser imports nothing of Node.js, and no schema library", () => {
    const inBrowser = browserFiles();
    expect(inBrowser.size).toBeGreaterThan(20);
    const found = imports.filter(({ file, target, isType }) => {
      return inBrowser.has(file) && !isType && /^(node:|zod)/.test(target);
    });
    expect(found).toEqual([]);
  });

  test("what draws, and what loads TypeScript, is not loaded at the start: it takes longer than all the rest", () => {
    const entries = files.filter((file) =>
      /^(src\/cli\/commands\/.*|src\/index|callbacks\/index)\.ts$/.test(file),
    );
    expect(entries.length).toBeGreaterThan(18);
    const atStart = loadedWith(entries, ({ isLazy }) => !isLazy);
    const found = imports.filter(({ file, target, isType, isLazy }) => {
      return (
        atStart.has(file) && !isType && !isLazy && /^(echarts|pdfkit|svg-to-pdfkit|@resvg|jiti)/.test(target)
      );
    });
    expect(found.map(({ file, target }) => `${file} -> ${target}`)).toEqual([]);
  });

  test("only the command line imports the callbacks", () => {
    const found = imports.filter(({ file, target }) => {
      return target.startsWith("callbacks/") && !/^(callbacks|src\/cli)\//.test(file);
    });
    expect(found).toEqual([]);
  });
});
