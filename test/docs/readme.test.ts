import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const readme = readFileSync(join(root, "README.md"), "utf8");
const folder = mkdtempSync(join(tmpdir(), "landscape-readme-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The fenced blocks of one language. */
function blocks(language: string): string[] {
  const fence = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm");
  return [...readme.matchAll(fence)].map((match) => match[1] as string);
}

function run(command: string, args: readonly string[], cwd = root): string {
  return execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

describe("README", () => {
  test("every TypeScript snippet compiles against the built package", () => {
    const snippets = blocks("ts");
    expect(snippets.length).toBeGreaterThanOrEqual(2);
    const files = new Map(snippets.map((text, i) => [join(root, "examples", `readme-${i}.ts`), text]));
    const { options } = ts.parseJsonConfigFileContent(
      ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile).config,
      ts.sys,
      root,
    );
    const host = ts.createCompilerHost(options);
    const { readFile, fileExists } = host;
    host.readFile = (file) => files.get(file) ?? readFile(file);
    host.fileExists = (file) => files.has(file) || fileExists(file);
    const program = ts.createProgram([...files.keys()], { ...options, noEmit: true }, host);
    const problems = ts.getPreEmitDiagnostics(program).map((problem) => {
      return ts.flattenDiagnosticMessageText(problem.messageText, "\n");
    });
    expect(problems).toEqual([]);
  }, 120_000);

  test("the quick start runs as it stands and leaves what the text says", () => {
    const [snippet] = blocks("ts");
    const { outputText } = ts.transpileModule(snippet as string, {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
    });
    const scripts = join(root, "coverage", "readme");
    mkdirSync(scripts, { recursive: true });
    const script = join(scripts, `quick-start-${process.pid}.mjs`);
    writeFileSync(script, outputText);
    run(process.execPath, [script], folder);
    rmSync(script);
    for (const file of ["report.html", "plot.svg", "plot.png", "run.json"]) {
      expect(existsSync(join(folder, "runs/sgd", file)), file).toBe(true);
    }
  }, 120_000);

  test("every file that the text links to exists", () => {
    const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map((match) => match[1] as string);
    expect(links.length).toBeGreaterThan(5);
    expect(links.filter((link) => !existsSync(join(root, link)))).toEqual([]);
  });

  test("every npm script that the text names exists", () => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    const named = [...readme.matchAll(/`?npm run ([\w:-]+)/g)].map((match) => match[1] as string);
    expect(named).toContain("demo");
    expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
  });
});

describe("the command lines of the README, on the demo's own runs", () => {
  const out = join(folder, "demo");
  beforeAll(() => {
    run("npm", ["run", "--silent", "demo", "--", "--out", out]);
  }, 600_000);

  test("npm run demo writes both runs and the report", () => {
    for (const file of ["sgd/run.json", "adam/run.json", "report.html", "sgd.png", "adam.svg", "joint.png"]) {
      expect(existsSync(join(out, file)), file).toBe(true);
    }
  });

  test("each command of the list runs", () => {
    const commands = blocks("sh")
      .flatMap((block) => block.trim().split("\n"))
      .filter((line) => line.startsWith("npx tfjs-landscape") && !line.includes(" demo "));
    expect(commands.length).toBe(13);
    const [sgd, adam] = [join(out, "sgd"), join(out, "adam")];
    const names = {
      DIR: join(folder, "comparison"),
      RUN: sgd,
      A: sgd,
      B: adam,
      C: `${sgd}@0`,
      MODULE: "examples/data/mnist.js",
    };
    for (const line of commands) {
      const words = line.replace("RUN…", "A B").split(" ");
      const [command, ...args] = words.map((word) => names[word as keyof typeof names] ?? word);
      expect(run(command as string, args).length, line).toBeGreaterThan(0);
    }
  }, 600_000);
});
