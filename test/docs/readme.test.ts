import { execFileSync, spawnSync } from "node:child_process";
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

/** The command lines of the README, without demo. */
function commandLines(): string[] {
  return blocks("sh")
    .flatMap((block) => block.trim().split("\n"))
    .filter((line) => line.startsWith("npx tfjs-landscape ") && !line.includes(" demo "));
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

/** What `npm run demo` leaves. */
const OF_DEMO = ["sgd/run.json", "adam/run.json", "report.html", "sgd.png", "adam.svg", "joint.png"];

const IN_CI = process.env.CI === "true";

/** Where the README's commands are tried: two runs, and a module with data for them. */
interface Tried {
  readonly sgd: string;
  readonly adam: string;
  readonly module: string;
}

/** Two runs of six numbers, trained in seconds. */
async function tinyRuns(): Promise<Tried> {
  const [sgd, adam] = [newFolder(), newFolder()] as const;
  await useTestBackend();
  const { xs, ys } = loadData();
  for (const [directory, optimizer] of [
    [sgd, tf.train.momentum(0.1, 0.9)],
    [adam, tf.train.adam(0.05)],
  ] as const) {
    const callbacks = [trajectoryCallback({ directory })];
    await tinyModel(optimizer).fit(xs, ys, { epochs: 8, batchSize: 6, verbose: 0, callbacks });
  }
  return { sgd, adam, module: "test/cli/fixtures/three-sets.js" };
}

/** What `npm run demo` does as it stands: LeNet, MNIST, the defaults of every command. Takes minutes. */
function demoRuns(): Tried {
  const out = newFolder();
  run("npm", ["run", "--silent", "demo", "--", "--out", out]);
  for (const file of OF_DEMO) expect(existsSync(join(out, file)), file).toBe(true);
  const module = join(out, "images.mjs");
  writeFileSync(
    module,
    `import { loadMnist } from ${JSON.stringify(pathToFileURL(join(root, "examples/data/mnist.js")).href)};
export const loadData = () => loadMnist({ count: 64 });
export const loadTestData = () => loadMnist({ split: "test", count: 64 });
export const loadValidationData = loadTestData;\n`,
  );
  return { sgd: join(out, "sgd"), adam: join(out, "adam"), module };
}

describe(`the command lines of the README, on ${IN_CI ? "the runs of npm run demo" : "two tiny runs (CI=true: of npm run demo)"}`, () => {
  const DIR = newFolder();
  let tried: Tried;
  beforeAll(async () => {
    tried = IN_CI ? demoRuns() : await tinyRuns();
  }, 900_000);

  test("are seventeen", () => {
    expect(commandLines().length).toBe(17);
  });

  test.each(commandLines())(
    "%s",
    async (line) => {
      const { sgd, adam, module } = tried;
      const names: Record<string, string> = { DIR, RUN: sgd, A: sgd, B: adam, C: `${sgd}@0`, MODULE: module };
      const [command = "", name, ...args] = line
        .replace("RUN…", "A B")
        .split(" ")
        .map((word) => names[word] ?? word);
      const { status, stdout, stderr } = IN_CI
        ? spawnSync(command, [name as string, ...args], { cwd: root, encoding: "utf8", timeout: 290_000 })
        : await runCommand(...args);
      expect(stderr).not.toContain("Error");
      const said = status === 0 ? "" : stderr;
      expect({ status, said, isSilent: stdout === "" }).toEqual({ status: 0, said: "", isSilent: false });
    },
    300_000,
  );
});

test("demo writes both runs and the report, here of 60 images and 3 × 3 points", async () => {
  const out = newFolder();
  const small = ["--images", "60", "--epochs", "2", "--size", "3"];
  const { status } = await runCommand("demo", "--out", out, ...small);
  expect(status).toBe(0);
  for (const file of OF_DEMO) expect(existsSync(join(out, file)), file).toBe(true);
}, 120_000);
