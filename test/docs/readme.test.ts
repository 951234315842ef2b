import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as tf from "@tensorflow/tfjs";
import ts from "typescript";
import { beforeAll, describe, expect, test } from "vitest";
import { trajectoryCallback } from "../../callbacks/trajectory-callback.js";
import { loadData } from "../cli/fixtures/tiny-data.js";
import { useTestBackend } from "../support/backend.js";
import { runCommand } from "../support/command-line.js";
import { temporaryFolders, tinyModel } from "../support/tiny-training.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const readme = readFileSync(join(root, "README.md"), "utf8");
const newFolder = temporaryFolders();

/** The fenced blocks of one language. */
function blocks(language: string): string[] {
  const fence = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm");
  return [...readme.matchAll(fence)].map((match) => match[1] as string);
}

function run(command: string, args: readonly string[], cwd = root): string {
  return execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/** The command lines of the README, without demo, as words with the names replaced by what `names` gives. */
function commandLines(names: Record<string, string>): { readonly line: string; readonly words: string[] }[] {
  return blocks("sh")
    .flatMap((block) => block.trim().split("\n"))
    .filter((line) => line.startsWith("npx tfjs-landscape ") && !line.includes(" demo "))
    .map((line) => ({
      line,
      words: line
        .replace("RUN…", "A B")
        .split(" ")
        .map((word) => names[word] ?? word),
    }));
}

describe("README", () => {
  test("the quick start runs as it stands and leaves what the text says", () => {
    const [snippet] = blocks("ts");
    const { outputText } = ts.transpileModule(snippet as string, {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
    });
    const scripts = join(root, "coverage", "readme");
    mkdirSync(scripts, { recursive: true });
    const script = join(scripts, `quick-start-${process.pid}.mjs`);
    writeFileSync(script, outputText);
    const folder = newFolder();
    mkdirSync(folder);
    run(process.execPath, [script], folder);
    rmSync(script);
    for (const file of ["report.html", "plot.svg", "plot.png", "run.json"]) {
      expect(existsSync(join(folder, "runs/sgd", file)), file).toBe(true);
    }
  }, 120_000);

  test("every npm script that the text names exists", () => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    const named = [...readme.matchAll(/`?npm run ([\w:-]+)/g)].map((match) => match[1] as string);
    expect(named).toContain("demo");
    expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
  });
});

describe("the command lines of the README, on two tiny runs", () => {
  const [sgd, adam] = [newFolder(), newFolder()] as const;
  const names = {
    DIR: newFolder(),
    RUN: sgd,
    A: sgd,
    B: adam,
    C: `${sgd}@0`,
    MODULE: "test/cli/fixtures/three-sets.js",
  };

  beforeAll(async () => {
    await useTestBackend();
    const { xs, ys } = loadData();
    for (const [directory, optimizer] of [
      [sgd, tf.train.momentum(0.1, 0.9)],
      [adam, tf.train.adam(0.05)],
    ] as const) {
      const callbacks = [trajectoryCallback({ directory })];
      await tinyModel(optimizer).fit(xs, ys, { epochs: 8, batchSize: 6, verbose: 0, callbacks });
    }
  });

  test("are seventeen", () => {
    expect(commandLines(names).length).toBe(17);
  });

  test.each(commandLines(names))("$line", async ({ words: [, , ...args] }) => {
    const { status, stdout, stderr } = await runCommand(...args);
    expect(stderr).not.toContain("Error");
    expect([status, stdout.length > 0]).toEqual([0, true]);
  });
});

/** What `npm run demo` leaves. */
const OF_DEMO = ["sgd/run.json", "adam/run.json", "report.html", "sgd.png", "adam.svg", "joint.png"];

test("demo writes both runs and the report, here of 60 images and 3 × 3 points", async () => {
  const out = newFolder();
  const small = ["--images", "60", "--epochs", "2", "--size", "3"];
  const { status } = await runCommand("demo", "--out", out, ...small);
  expect(status).toBe(0);
  for (const file of OF_DEMO) expect(existsSync(join(out, file)), file).toBe(true);
}, 120_000);

// Takes minutes: LeNet, MNIST, the defaults of every command, on a tenth of the example's images.
test.skipIf(process.env.CI !== "true")(
  "README: npm run demo in full, and the command lines on its runs (CI=true npm test does it)",
  () => {
    const out = newFolder();
    run("npm", ["run", "--silent", "demo", "--", "--out", out]);
    for (const file of OF_DEMO) expect(existsSync(join(out, file)), file).toBe(true);
    const [sgd, adam] = [join(out, "sgd"), join(out, "adam")];
    const MODULE = join(out, "images.mjs");
    writeFileSync(
      MODULE,
      `import { loadMnist } from ${JSON.stringify(pathToFileURL(join(root, "examples/data/mnist.js")).href)};
export const loadData = () => loadMnist({ count: 64 });
export const loadTestData = () => loadMnist({ split: "test", count: 64 });\n`,
    );
    const names = { DIR: newFolder(), RUN: sgd, A: sgd, B: adam, C: `${sgd}@0`, MODULE };
    for (const { line, words } of commandLines(names)) {
      const [command, ...args] = words;
      expect(run(command as string, args).length, line).toBeGreaterThan(0);
    }
  },
  1_200_000,
);
