import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { joinModules } from "../../scripts/join-modules.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Within the checkout, so that packages are found from there. */
const folder = join(root, "coverage", `joined-${process.pid}`);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Files of modules below a folder, by their paths there. */
function modulesIn(place: string): string[] {
  return ["src", "callbacks"].flatMap((name) =>
    readdirSync(join(place, name), { recursive: true })
      .map((file) => `${name}/${String(file).replaceAll("\\", "/")}`)
      .filter((file) => file.endsWith(".js") && !file.includes("/page/")),
  );
}

/** Files that a program loads as modules of its own. */
function loadedBy(program: string): string[] {
  const write = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  write(
    "hooks.mjs",
    `import { writeSync } from "node:fs";
    export async function load(url, context, next) {
      writeSync(2, "loaded " + url + "\\n");
      return next(url, context);
    }`,
  );
  const register = write(
    "register.mjs",
    `import { register } from "node:module"; register("./hooks.mjs", import.meta.url);`,
  );
  const script = write("program.mjs", program);
  const { status, stderr } = spawnSync(process.execPath, ["--import", register, script], {
    encoding: "utf8",
  });
  expect(status, stderr).toBe(0);
  return [...stderr.matchAll(/^loaded (file:.*)$/gm)].map(([, url = ""]) => url);
}

/** Where the joined build is: dist/, or made here of a build that is not joined. */
let dist = join(root, "dist");

beforeAll(async () => {
  mkdirSync(folder, { recursive: true });
  const isJoined = readFileSync(join(dist, "src/store/run/open-run.js"), "utf8").includes("/joined/");
  if (isJoined) return;
  const plain = join(folder, "plain");
  for (const file of modulesIn(dist).filter((name) => !name.startsWith("src/joined/"))) {
    mkdirSync(dirname(join(plain, file)), { recursive: true });
    writeFileSync(join(plain, file), readFileSync(join(dist, file)));
  }
  dist = join(folder, "dist");
  await joinModules(plain, dist);
}, 400_000);

const importOf = (file: string): Promise<Record<string, unknown>> =>
  import(/* @vite-ignore */ pathToFileURL(join(dist, file)).href);

describe("modules that are loaded together are one file", () => {
  test("a surface begins with few files, and figures and the threads that write snapshots and show a run without TensorFlow.js", () => {
    const ofUrl = (file: string): string => JSON.stringify(pathToFileURL(join(dist, file)).href);
    const surface = loadedBy(`await import(${ofUrl("src/cli/commands/surface.js")});`);
    // They were 480. Files of TensorFlow.js and other packages are among them.
    expect(surface.length).toBeGreaterThan(10);
    expect(surface.length).toBeLessThan(80);
    expect(surface.filter((url) => /node_modules\/(zod|apache-arrow)\//.test(url))).toEqual([]);

    const writer = loadedBy(`await import(${ofUrl("src/capture/write-queue.js")});`);
    expect(writer.some((url) => url.endsWith("/capture/write-queue.js"))).toBe(true);
    expect(writer.filter((url) => /@tensorflow|onnxruntime|echarts/.test(url))).toEqual([]);

    const live = loadedBy(`await import(${ofUrl("src/live/start-live-view.js")});`);
    expect(live.some((url) => url.endsWith("/live/start-live-view.js"))).toBe(true);
    expect(live.filter((url) => /@tensorflow|onnxruntime|echarts/.test(url))).toEqual([]);

    const figures = loadedBy(`await import(${ofUrl("src/doors/figures.js")});`);
    expect(figures.filter((url) => /@tensorflow|onnxruntime/.test(url))).toEqual([]);
  }, 400_000);

  test("there is one copy of every module, and every module keeps its path", async () => {
    const places = new Map<string, Set<string>>();
    for (const file of modulesIn(dist)) {
      for (const [, module = ""] of readFileSync(join(dist, file), "utf8").matchAll(
        /^\/\/ ((?:src|callbacks)\/\S+\.js)$/gm,
      )) {
        places.set(module, (places.get(module) ?? new Set()).add(file));
      }
    }
    expect(places.size).toBeGreaterThan(400);
    expect([...places].filter(([, files]) => files.size > 1)).toEqual([]);
    expect([...places.keys()].filter((module) => !existsSync(join(dist, module)))).toEqual([]);

    const [library = {}, deep = {}, errors = {}, deepErrors = {}] = await Promise.all(
      ["src/index.js", "src/store/run/open-run.js", "src/doors/errors.js", "src/base/errors.js"].map(
        importOf,
      ),
    );
    expect(library.openRun).toBe(deep.openRun);
    expect(library.LandscapeError).toBe(deepErrors.LandscapeError);
    expect(errors.FormatError).toBe(deepErrors.FormatError);
    const failure = await (library.openRun as (path: string) => Promise<unknown>)(folder).catch((e) => e);
    expect(failure).toBeInstanceOf(library.LandscapeError as typeof Error);
    expect((failure as Error).stack).toContain("openRun");
  }, 400_000);

  test("functions and classes have the names by which they are imported, or a number behind them", async () => {
    const doors = readdirSync(join(dist, "src/doors")).filter((name) => name.endsWith(".js"));
    for (const file of ["src/index.js", "callbacks/index.js", ...doors.map((name) => `src/doors/${name}`)]) {
      const functions = Object.entries(await importOf(file)).filter(
        ([, value]) => typeof value === "function",
      );
      const withoutNumber = (name: string): string => name.replace(/\d+$/, "");
      const own = functions.map(([, value]) => withoutNumber((value as () => void).name));
      expect(own).toEqual(functions.map(([name]) => withoutNumber(name)));
    }
  }, 400_000);

  test("the licences of what is inside lie beside it", () => {
    const licenses = readFileSync(join(dist, "src/joined/LICENSES.txt"), "utf8");
    const joined = readdirSync(join(dist, "src/joined")).filter((name) => name.endsWith(".js"));
    const inside = new Set(
      joined.flatMap((name) =>
        [
          ...readFileSync(join(dist, "src/joined", name), "utf8").matchAll(
            /^\s*\/\/ .*node_modules\/((?:@[^/]+\/)?[^/]+)\/\S+$/gm,
          ),
        ].map(([, name]) => name as string),
      ),
    );
    expect([...inside].sort()).toEqual(["apache-arrow", "flatbuffers", "tslib", "zod"]);
    for (const name of inside) expect(licenses).toMatch(new RegExp(`^${name} [\\d.]+ \\(`, "m"));
    expect(licenses).toContain("Permission is hereby granted, free of charge");
    expect(licenses).toContain("Apache License");
  });
});

describe("joining small modules", () => {
  test("names that two modules share, modules that are loaded later, and constants that change keep working; a further build leaves no old file", async () => {
    const from = join(folder, "small");
    const write = (file: string, text: string): void => {
      mkdirSync(dirname(join(from, file)), { recursive: true });
      writeFileSync(join(from, file), text);
    };
    write("src/a.js", `export const name = "a"; export let count = 0; export function add() { count++; }`);
    write("src/b.js", `export const name = "b"; export class Own { static of() { return new Own(); } }`);
    write("src/later.js", `import { name } from "./b.js"; export const told = "later " + name;`);
    write(
      "src/index.js",
      `import { name as first } from "./a.js"; import { name as second } from "./b.js";
       export const both = first + second; export const load = () => import("./later.js");`,
    );
    write(
      "callbacks/index.js",
      `export { name as other } from "../src/b.js"; export { add } from "../src/a.js";`,
    );
    const to = join(folder, "small-joined");
    const { files } = await joinModules(from, to, {
      "src/index.js": "library",
      "callbacks/index.js": "callbacks",
    });
    expect(files).toContain("src/joined/library-callbacks.js");

    const load = (file: string) => import(/* @vite-ignore */ pathToFileURL(join(to, file)).href);
    const [index, callbacks, a, b] = await Promise.all(
      ["src/index.js", "callbacks/index.js", "src/a.js", "src/b.js"].map(load),
    );
    expect([index.both, callbacks.other, a.name, b.name]).toEqual(["ab", "b", "a", "b"]);
    expect((await index.load()).told).toBe("later b");
    callbacks.add();
    expect(a.count).toBe(1);
    expect(b.Own.of().constructor.name).toBe("Own");

    await joinModules(from, to, { "src/index.js": "main", "callbacks/index.js": "callbacks" });
    expect(readdirSync(join(to, "src/joined")).sort()).toEqual([
      "LICENSES.txt",
      "main-callbacks.js",
      "zod.js",
    ]);
  });
});
