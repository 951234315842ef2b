import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), "utf8");

/** The pages whose snippets are compiled; docs/migration.md shows names that are gone. */
const pages = [
  "README.md",
  "CONTRIBUTING.md",
  ...readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md") && name !== "migration.md")
    .map((name) => `docs/${name}`),
];

const options: ts.CompilerOptions = {
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: true,
  noEmit: true,
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  types: ["node"],
  allowJs: true,
  maxNodeModuleJsDepth: 0,
};
/** Files that exist in memory only; in examples/, so that they find this package by its name. */
const snippets = new Map<string, string>();
const memory = (name: string): string => join(root, "examples", `${name}.ts`);
const host = ts.createCompilerHost(options);
const { readFile, fileExists } = host;
host.readFile = (file) => snippets.get(file) ?? readFile(file);
host.fileExists = (file) => snippets.has(file) || fileExists(file);
host.getCurrentDirectory = () => root;

/** The doors of the built package, and which door a public name has. */
const { exports } = JSON.parse(read("package.json")) as { exports: Record<string, { types: string }> };
const doors = Object.entries(exports).filter(([path]) => !path.endsWith(".json"));
const declarations = ts.createProgram(
  doors.map(([, { types }]) => join(root, types)),
  options,
  host,
);
const publicNames = doors.flatMap(([path, { types }]) =>
  exportsOf(join(root, types)).map((symbol) => ({ symbol, door: path.replace(".", "tfjs-landscape") })),
);

const contextFile = memory("names-in-examples");
const context = [...read("docs/api.md").matchAll(/^\| (`.*`) \| `([^`|]+)` \|/gm)].flatMap(
  ([, names = "", type = ""]) => {
    return [...names.matchAll(/`(\w+)`/g)].map(([, name = ""]) => ({ name, type }));
  },
);
snippets.set(contextFile, contextOfExamples());

/** Snippets of pages, and examples of docstrings, by the file that they become. */
const ofPages = pages.flatMap((page) =>
  [...read(page).matchAll(/^```(ts|js)\n([\s\S]*?)^```$/gm)].map(({ 1: language, 2: text = "", index }) => {
    const line = read(page).slice(0, index).split("\n").length;
    const file = memory(`${page.replace(/\W/g, "-")}-${line}`);
    return { where: `${page}:${line}`, file, text, language };
  }),
);
const ofDocstrings = publicNames.flatMap(({ symbol, door }) =>
  examplesOf(symbol).map((text) => {
    const where = `${door}: ${symbol.name}`;
    return { where, file: memory(`example-${symbol.name}`), text: `${importsFor(text)}${text}` };
  }),
);
/** Tables whose first column names options of the library, and the type that has them. */
const TABLES = [
  { page: "docs/jump.md", type: "JumpOptions", door: "tfjs-landscape" },
  { page: "docs/phate.md", type: "PhateOptions", door: "tfjs-landscape/embedding" },
  { page: "docs/approximate.md", type: "ApproximateSurfaceOptions", door: "tfjs-landscape/surface" },
];

const ofTables = TABLES.map(({ page, type, door }) => {
  const rows = [...read(page).matchAll(/^\| option \|.*\n\|[-| ]+\n((?:\|.*\n)+)/gm)].map(
    ([, body = ""]) => body,
  );
  const cells = rows
    .join("")
    .split("\n")
    .map((row) => row.split("|")[1] ?? "");
  const names = [...cells.join(" ").matchAll(/`(\w+)`/g)].map(([, name = ""]) => name);
  const keys = names.map((name) => `  ${name}: ${type}["${name}"];`);
  const text = [`import type { ${type} } from "${door}";`, "export interface Row {", ...keys, "}"].join("\n");
  return { where: page, file: memory(`table-${type}`), names, text };
});
for (const { file, text } of [...ofPages, ...ofDocstrings, ...ofTables])
  snippets.set(file, `${text}\nexport {};\n`);

const program = ts.createProgram([...snippets.keys()], options, host, declarations);
const checker = program.getTypeChecker();

describe("code that a reader may copy compiles against the built package", () => {
  test("the names that examples take for granted have public types", () => {
    expect(context.length).toBeGreaterThan(20);
    expect(problemsOf(contextFile)).toEqual([]);
  });

  test("snippets of README and pages", () => {
    expect(ofPages.length).toBeGreaterThan(12);
    expect(
      ofPages.flatMap(({ where, file, language }) =>
        problemsOf(file, language).map((text) => `${where}: ${text}`),
      ),
    ).toEqual([]);
  });

  test("snippets of the README need nothing but what they show", () => {
    const ofReadme = ofPages.filter(({ where }) => where.startsWith("README.md"));
    expect(ofReadme.length).toBeGreaterThanOrEqual(2);
    expect(ofReadme.flatMap(({ file }) => namesTakenForGranted(file))).toEqual([]);
  });

  test.each(ofTables)("options in the tables of $where exist", ({ file, names }) => {
    expect(names.length).toBeGreaterThan(3);
    expect(problemsOf(file)).toEqual([]);
  });

  test("examples of docstrings", () => {
    expect(ofDocstrings.length).toBeGreaterThan(80);
    const problems = ofDocstrings.flatMap(({ where, file }) =>
      problemsOf(file).map((text) => `${where}: ${text}`),
    );
    expect(problems).toEqual([]);
  });
});

function exportsOf(file: string): ts.Symbol[] {
  const source = declarations.getSourceFile(file);
  const module = source && declarations.getTypeChecker().getSymbolAtLocation(source);
  if (module === undefined) throw new Error(`${file}: expected a module, got none; run npm run build`);
  return declarations.getTypeChecker().getExportsOfModule(module);
}

function examplesOf(symbol: ts.Symbol): string[] {
  const known = declarations.getTypeChecker();
  const target = symbol.flags & ts.SymbolFlags.Alias ? known.getAliasedSymbol(symbol) : symbol;
  return target
    .getJsDocTags(known)
    .filter(({ name }) => name === "example")
    .map(({ text }) => ts.displayPartsToString(text).replace(/^```\w*\n|```$/g, ""));
}

/** Imports of the public functions that an example calls: docstrings leave them out. */
function importsFor(text: string): string {
  const called = publicNames.filter(({ symbol }) => new RegExp(`\\b${symbol.name}\\(`).test(text));
  const lines = called.map(({ symbol, door }) => `import { ${symbol.name} } from "${door}";\n`);
  const others = [
    ["tf", 'import * as tf from "@tensorflow/tfjs";\n'],
    ["writeFileSync", 'import { writeFileSync } from "node:fs";\n'],
  ].filter(([name]) => new RegExp(`\\b${name}\\b`).test(text));
  return [...others.map(([, line]) => line), ...lines].join("");
}

/** The names of the table in docs/api.md as globals. */
function contextOfExamples(): string {
  const types = publicNames.map(({ symbol, door }) => `import type { ${symbol.name} } from "${door}";`);
  const names = context.map(({ name, type }) => `  const ${name}: ${type};`);
  const tf = 'import type * as tf from "@tensorflow/tfjs";';
  return [tf, ...types, "declare global {", ...names, "}", "export {};"].join("\n");
}

/** Parameters without a type, as JavaScript has them. */
const IMPLICIT_ANY = [7006, 7031];

function problemsOf(file: string, language = "ts"): string[] {
  const source = program.getSourceFile(file);
  return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
    .filter(({ code }) => language === "ts" || !IMPLICIT_ANY.includes(code))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
}

function namesTakenForGranted(file: string): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const symbol = ts.isIdentifier(node) ? checker.getSymbolAtLocation(node) : undefined;
    if (symbol?.declarations?.some((place) => place.getSourceFile().fileName === contextFile)) {
      found.push(symbol.name);
    }
    ts.forEachChild(node, visit);
  };
  visit(program.getSourceFile(file) as ts.SourceFile);
  return found;
}
