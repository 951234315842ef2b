import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { beforeAll, describe, expect, test } from "vitest";
import { sectionsOfDoor } from "../../scripts/typedoc-doors.mjs";
import { runCommand } from "../support/command-line.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const pages = [
  ...readdirSync(root).filter((name) => name.endsWith(".md")),
  ...readdirSync(join(root, "docs"), { recursive: true })
    .map((name) => join("docs", String(name)))
    .filter((name) => name.endsWith(".md")),
];
const read = (page: string): string => readFileSync(join(root, page), "utf8");

/** Pages of the present state: the list of earlier names and that of changes name what is gone. */
const present = pages.filter((page) => !/migration|CHANGELOG/.test(page));

/** Names of the source files, without their folders. */
const sources = new Set(
  ["src", "callbacks", "examples", "test", "bench"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true }).map((path) => basename(String(path))),
  ),
);

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

  test.each(present)("%s: every file of the project that it names exists", (page) => {
    const spans = [...read(page).matchAll(/`([^`\s]+)`/g)].map(([, span = ""]) => span);
    const paths = spans.filter((span) =>
      /^(src|callbacks|test|scripts|examples|bench|docs)\/[\w./-]+$/.test(span),
    );
    const names = spans.filter((span) => /^[a-z][\w/-]*\.ts$/.test(span)).map((span) => basename(span));
    const lostPaths = paths.filter(
      (path) => !/NAME|\bdata\.js\b/.test(path) && !existsSync(join(root, path)),
    );
    const lostNames = names.filter((name) => !name.startsWith("NAME") && !sources.has(name));
    expect([...lostPaths, ...lostNames]).toEqual([]);
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

describe("docs/api.md", () => {
  const doors = Object.entries<{ default: string }>(JSON.parse(read("package.json")).exports)
    .filter(([path]) => !path.endsWith(".json"))
    .map(([path, { default: built }]) => ({
      door: path.replace(".", "tfjs-landscape"),
      source: sourceOf(built),
    }));

  test.each(doors)("lists the names of $door under the headings of its source", ({ door, source }) => {
    const [, section = ""] = read("docs/api.md").split(new RegExp(`^## \`${door}\`$`, "m"));
    const parts = section.split(/^## /m)[0]?.split(/^\*\*(.+?)\*\*(?: \(types\))?/m) ?? [];
    const listed = parts.slice(1).flatMap((heading, i) => {
      if (i % 2 === 1) return [];
      const text = parts[i + 2] ?? "";
      const lines = text.split("\n").filter((line) => /^(\| `|Types: |: `)/.test(line));
      const cells = lines.map((line) => (line.startsWith("|") ? (line.split("|")[1] ?? "") : line));
      return [
        { heading, names: [...cells.join(" ").matchAll(/`(\w+)`/g)].map(([, name = ""]) => name).sort() },
      ];
    });
    const sections = sectionsOfDoor(read(source)).map(({ heading, names }) => ({
      heading,
      names: [...names].sort(),
    }));
    expect(listed).toEqual(sections);
  });
});

describe("docs/migration.md", () => {
  test("names that have moved are at the door that the table says", () => {
    const rows = [...read("docs/migration.md").matchAll(/^\| `(tfjs-landscape\/\w+)` \| (.*) \|$/gm)];
    expect(rows.length).toBeGreaterThan(5);
    const lost = rows.flatMap(([, door = "", names = ""]) =>
      [...names.matchAll(/`(\w+)`/g)]
        .map(([, name = ""]) => name)
        .filter((name) => !doorNames(door).has(name)),
    );
    expect(lost).toEqual([]);
  });

  test("names that replace others are at the door that the table says", () => {
    const places = [
      ...read("docs/migration.md").matchAll(/`(\w+)(?:\([^`]*\))?` of `(?:tfjs-landscape)?(\/?\w*)`/g),
    ];
    const known = places.filter(([, , door = ""]) => /^(\/\w+)?$/.test(door));
    expect(known.length).toBeGreaterThan(30);
    const lost = known.filter(([, name = "", door = ""]) => !doorNames(`tfjs-landscape${door}`).has(name));
    expect(lost.map(([text]) => text)).toEqual([]);
  });
});

describe("flags of the command line in pages", () => {
  const flags = new Map<string, Set<string>>();
  const flagsIn = (text: string) => [...text.matchAll(/(?<![\w-])--[a-z][a-z-]*/g)].map(([flag]) => flag);

  beforeAll(async () => {
    const { stdout } = await runCommand("--help");
    const commands = [...stdout.matchAll(/^ {2}([a-z]+) \[/gm)].map(([, name = ""]) => name);
    for (const command of commands.filter((name) => name !== "help")) {
      flags.set(command, new Set(flagsIn((await runCommand(command, "--help")).stdout)));
    }
  });

  test("help names every command and its flags", () => {
    expect(flags.size).toBeGreaterThan(12);
    expect(flags.get("surface")).toContain("--max-seconds");
  });

  test.each(present)("%s: command lines have flags that their command takes", (page) => {
    const code = [...read(page).matchAll(/^```sh\n([\s\S]*?)^```$|`((?:npx )?tfjs-landscape [^`]*)`/gm)];
    const lines = code.flatMap(([, block, span]) => (block ?? span ?? "").split("\n"));
    const problems = lines.flatMap((line) => {
      const command = /^(?:npx )?tfjs-landscape ([a-z]+)/.exec(line)?.[1];
      if (command === undefined) return [];
      return flagsIn(line)
        .filter((flag) => !flags.get(command)?.has(flag))
        .map((flag) => `${command} ${flag}`);
    });
    expect(problems).toEqual([]);
  });

  test.each(present)("%s: flags named in the text exist", (page) => {
    const all = new Set([...flags.values()].flatMap((names) => [...names]));
    const text = read(page).replace(/^```[\s\S]*?^```$/gm, "");
    const spans = [...text.matchAll(/`([^`\n]*)`/g)].map(([, span = ""]) => span);
    const ours = spans.filter((span) => span.startsWith("--"));
    expect(ours.flatMap(flagsIn).filter((flag) => !all.has(flag) && !FOREIGN.includes(flag))).toEqual([]);
  });
});

/** Flags of npm and of programs in scripts/ and examples/ that the pages name on their own. */
const FOREIGN = ["--save-optional", "--quick", "--network", "--full"];

/** The source of a built door. */
function sourceOf(built: string): string {
  return built.replace("./dist/", "").replace(/\.js$/, ".ts");
}

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
  const text = read(sourceOf(path));
  const source = ts.createSourceFile("door.ts", text, ts.ScriptTarget.ES2022);
  const names = source.statements.flatMap((statement) => {
    if (!ts.isExportDeclaration(statement) || !statement.exportClause) return [];
    return ts.isNamedExports(statement.exportClause)
      ? statement.exportClause.elements.map(({ name }) => name.text)
      : [];
  });
  return new Set(names);
}
