import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The doors that package.json opens. */
const doors = Object.keys(JSON.parse(readFileSync(join(root, "package.json"), "utf8")).exports).filter(
  (path) => !path.endsWith(".json"),
);

test("our declarations have no error of their own, so that nobody needs skipLibCheck for them", () => {
  const file = join(root, "examples", "all-doors.ts");
  const text = doors
    .map((path, i) => `export * as door${i} from "${path.replace(".", "tfjs-landscape")}";`)
    .join("\n");
  const options: ts.CompilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    types: ["node"],
  };
  const host = ts.createCompilerHost(options);
  const { readFile, fileExists } = host;
  host.readFile = (name) => (name === file ? text : readFile(name));
  host.fileExists = (name) => name === file || fileExists(name);
  host.getCurrentDirectory = () => root;
  const problems = ts
    .getPreEmitDiagnostics(ts.createProgram([file], options, host))
    .filter((problem) => problem.file === undefined || !problem.file.fileName.includes("/node_modules/"))
    .map(({ file: source, messageText }) => {
      return `${source?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
    });
  expect(problems).toEqual([]);
}, 400_000);
