import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const pages = [
  ...readdirSync(root).filter((name) => name.endsWith(".md")),
  ...readdirSync(join(root, "docs"), { recursive: true })
    .map((name) => join("docs", String(name)))
    .filter((name) => name.endsWith(".md")),
];
const read = (page: string): string => readFileSync(join(root, page), "utf8");

/** The anchor that a heading gets. */
function anchor(heading: string): string {
  const plain = heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "");
  return plain.trim().replace(/\s/g, "-");
}

describe("the pages of the documentation", () => {
  test.each(pages)("%s: every link leads to a file, and to a heading in it", (page) => {
    const links = [...read(page).matchAll(/\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)]+))?\)/g)];
    const lost = links.filter(([, path = "", heading]) => {
      const file = path === "" ? page : join(dirname(page), path);
      if (!existsSync(join(root, file))) return true;
      if (heading === undefined) return false;
      const anchors = [...read(file).matchAll(/^#+ (.*)$/gm)].map(([, text = ""]) => anchor(text));
      return !anchors.includes(heading);
    });
    expect(lost.map(([link]) => link)).toEqual([]);
  });

  test("every import from this package names what its door exports", () => {
    const problems = pages.flatMap((page) => {
      return [...read(page).matchAll(/^```(?:ts|js)\n([\s\S]*?)^```$/gm)].flatMap(([, code = ""]) =>
        unknownNames(page, code),
      );
    });
    expect(problems).toEqual([]);
  });
});

describe("guarantees", () => {
  const rows = [...read("docs/guarantees.md").matchAll(/\| `(test\/[^`]+)`: "([^"]+)" \|/g)];

  test("each names a test that exists", () => {
    expect(rows.length).toBeGreaterThan(20);
    const lost = rows.filter(([, file = "", title = ""]) => {
      return !existsSync(join(root, file)) || !read(file).includes(title);
    });
    expect(lost.map(([row]) => row)).toEqual([]);
  });
});

/** Names that a snippet imports from a door that does not have them. */
function unknownNames(page: string, code: string): string[] {
  return [...code.matchAll(/import \{([^}]*)\} from "(tfjs-landscape[^"]*)"/g)].flatMap(
    ([, names = "", door = ""]) => {
      const known = doorNames(door);
      return names
        .split(",")
        .map((name) => name.trim().replace(/^type /, ""))
        .filter((name) => name !== "" && !known.has(name))
        .map((name) => `${page}: ${name} from ${door}`);
    },
  );
}

function doorNames(door: string): Set<string> {
  const { exports } = JSON.parse(read("package.json"));
  const path: string | undefined = exports[door.replace("tfjs-landscape", ".")]?.default;
  if (path === undefined) return new Set();
  const text = read(path.replace("./dist/", "").replace(/\.js$/, ".ts"));
  const source = ts.createSourceFile("door.ts", text, ts.ScriptTarget.ES2022);
  const names = source.statements.flatMap((statement) => {
    if (!ts.isExportDeclaration(statement) || !statement.exportClause) return [];
    return ts.isNamedExports(statement.exportClause)
      ? statement.exportClause.elements.map(({ name }) => name.text)
      : [];
  });
  return new Set(names);
}
