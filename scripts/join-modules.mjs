/**
 * Joins compiled modules that are always loaded together into one file each: finding, opening and linking 480 small
 * files took a third of a short command's time.
 *
 * Two modules are joined if the same ROOTS need them, so none of these loads what it does not use, and no joined file
 * imports another in a circle. Each module keeps its path: a file there hands its names on. So there is one copy of
 * everything, whichever path it is imported by. Zod becomes one file, Apache Arrow a part of the file that uses it.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { build } from "esbuild";

/** What a process, a thread, a command or a user's program begins with, and a name for it. */
const ROOTS = {
  "src/cli/main.js": "cli",
  "src/capture/snapshot-worker.js": "writer",
  "src/live/live-worker.js": "live",
  "src/jobs/task-worker.js": "task",
  "src/loss/workers/loss-program.js": "loss",
  "src/cli/commands/inspect.js": "inspect",
  "src/cli/commands/surface.js": "surface",
  "src/index.js": "library",
  "src/doors/figures.js": "figures",
  "callbacks/index.js": "callbacks",
};

/** Folder of the joined files, below the package's dist/. */
const JOINED = "src/joined";

/** Zod has many users here, so it is a file of its own; the name is what they import. */
const ZOD = { exports: ["z"], imports: [] };

/** A package whose code becomes part of the module that imports it, with all that it brings along. */
const INSIDE = /^apache-arrow(\/|$)/;

/**
 * Joins what the compiler has written to `from`, and writes it to `to`.
 *
 * @returns how many modules there were, and the files that they are in now.
 */
export async function joinModules(from, to, roots = ROOTS) {
  const graph = await readGraph(from);
  const groups = groupsOf(graph, roots);
  const places = placesOf(groups, graph);
  const { outputs, packages } = await bundle(from, groups, places);
  for (const { modules } of groups) {
    if (modules.length === 1) continue;
    for (const module of modules) outputs.set(module, `${handedOn(module, module, places)}\n`);
  }
  outputs.set(`${JOINED}/LICENSES.txt`, licenses(packages));
  for (const [file, text] of outputs) writeIfNew(join(to, file), text);
  // What an earlier build called otherwise: nothing leads there.
  const old = readdirSync(join(to, JOINED)).filter(
    (name) => /\.js$/.test(name) && !outputs.has(`${JOINED}/${name}`),
  );
  for (const name of old) rmSync(join(to, JOINED, name), { force: true });
  return { modules: graph.size, files: groups.map(({ file }) => file) };
}

/** Every module below `from` by its path, with the modules that it imports at once, and the names that it exports. */
async function readGraph(from) {
  const entryPoints = ["src", "callbacks"].flatMap((folder) =>
    readdirSync(join(from, folder), { recursive: true })
      .map((name) => `${folder}/${name.replaceAll("\\", "/")}`)
      .filter((name) => name.endsWith(".js")),
  );
  const graph = new Map();
  const { metafile } = await build({
    absWorkingDir: from,
    ...{ entryPoints, outdir: "unused", write: false, metafile: true, format: "esm", logLevel: "warning" },
  });
  for (const { entryPoint, exports, imports } of Object.values(metafile.outputs)) {
    const own = imports
      .filter(({ kind, path }) => kind === "import-statement" && path.startsWith("."))
      .map(({ path }) => posix.join(posix.dirname(entryPoint), path));
    graph.set(entryPoint, { exports, imports: own });
  }
  return graph;
}

/** Groups of modules that the same roots need, each with the file that they are in; what no root needs is alone. */
function groupsOf(graph, roots) {
  const users = new Map([...graph.keys()].map((module) => [module, []]));
  for (const [entry, name] of Object.entries(roots)) {
    for (const module of reachedFrom(entry, graph)) users.get(module).push(name);
  }
  const groups = new Map();
  for (const [module, names] of users) {
    const key = names.length === 0 ? module : names.join("-");
    groups.set(key, [...(groups.get(key) ?? []), module]);
  }
  const joined = [...groups].map(([key, modules]) => {
    return { file: modules.length === 1 ? modules[0] : `${JOINED}/${key}.js`, modules };
  });
  return [...joined, { file: `${JOINED}/zod.js`, modules: ["zod"] }];
}

function reachedFrom(entry, graph) {
  const reached = new Set([entry]);
  for (const module of reached) for (const target of graph.get(module).imports) reached.add(target);
  return reached;
}

/** Of each module its file, and what its names are called there: two modules of a file may have the same name. */
function placesOf(groups, graph) {
  const places = new Map();
  for (const { file, modules } of groups) {
    const taken = new Set();
    modules.forEach((module, i) => {
      const names = (graph.get(module) ?? ZOD).exports.map((name) => {
        const there = taken.has(name) ? `${name}$${i}` : name;
        taken.add(there);
        return { name, there };
      });
      places.set(module, { file, names });
    });
  }
  return places;
}

/** Code that exports a module's names from the file that it is in, for a file `at` some place. */
function handedOn(module, at, places) {
  const { file, names } = places.get(module);
  const list = names.map(({ name, there }) => (name === there ? name : `${there} as ${name}`));
  return `export { ${list.join(", ")} } from ${JSON.stringify(relativePath(at, file))};`;
}

function relativePath(from, to) {
  const path = posix.relative(posix.dirname(from), to);
  return path.startsWith(".") ? path : `./${path}`;
}

/** The code of every group, and the folders of the packages that became part of it. */
async function bundle(from, groups, places) {
  const entries = new Map(groups.map(({ file, modules }) => [file, entryOf(modules, places)]));
  const { outputFiles, metafile } = await build({
    absWorkingDir: from,
    entryPoints: groups.map(({ file }) => ({ in: `group:${file}`, out: file.slice(0, -3) })),
    outdir: from,
    write: false,
    metafile: true,
    bundle: true,
    format: "esm",
    platform: "node",
    mainFields: ["module", "main"],
    target: "es2022",
    charset: "utf8",
    logLevel: "warning",
    plugins: [grouping(from, entries, places)],
  });
  const outputs = new Map(outputFiles.map(({ path, text }) => [posixPath(from, path), withClassNames(text)]));
  const packages = Object.keys(metafile.inputs)
    .map((input) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)/.exec(input)?.[1])
    .filter((folder) => folder !== undefined);
  return { outputs, packages: [...new Set(packages)].map((folder) => join(from, folder)) };
}

/** Code that exports the names of all modules of a group, as they are called there. */
function entryOf(modules, places) {
  return modules
    .map((module) => {
      const names = places
        .get(module)
        .names.map(({ name, there }) => (name === there ? name : `${name} as ${there}`));
      const target = JSON.stringify(module === "zod" ? "zod" : `./${module}`);
      return names.length === 0 ? `import ${target};` : `export { ${names.join(", ")} } from ${target};`;
    })
    .join("\n");
}

/** esbuild calls a class of ours that speaks of itself `_Name`, which users would read in messages and stack traces. */
function withClassNames(text) {
  const modules = text.split(/^(?=\/\/ \S+\.m?js$)/m);
  const named = modules.map((module) => {
    const names = [...module.matchAll(/^var (\w+) = class _\1\b/gm)].map(([, name]) => name);
    if (!/^\/\/ (src|callbacks)\//.test(module) || names.length === 0) return module;
    return module.replace(new RegExp(`\\b_(${names.join("|")})\\b`, "g"), "$1");
  });
  return named.join("");
}

const posixPath = (from, path) => path.slice(from.length + 1).replaceAll("\\", "/");

/** Tells esbuild what lies within the same file, and where the rest lies. */
function grouping(from, entries, places) {
  return {
    name: "grouping",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^group:/ }, ({ path }) => ({ path: path.slice(6), namespace: "group" }));
      onLoad({ filter: /.*/, namespace: "group" }, ({ path }) => {
        return { contents: entries.get(path), resolveDir: from };
      });
      onLoad({ filter: /.*/, namespace: "elsewhere" }, ({ path }) => {
        const [at, module] = path.split("|");
        return { contents: handedOn(module, at, places), resolveDir: from };
      });
      onLoad({ filter: /.*/, namespace: "locales" }, () => {
        return { contents: "export {};", loader: "js" };
      });
      onResolve({ filter: /.*/ }, ({ path, importer, namespace, kind, resolveDir }) => {
        if (kind === "entry-point" || namespace === "group") return undefined;
        if (namespace === "elsewhere") return { path, external: true };
        if (importer.includes("node_modules")) {
          // Messages of zod in 50 languages: what it says becomes part of our errors, in English.
          return path === "../locales/index.js" ? { path, namespace: "locales" } : undefined;
        }
        const at = places.get(posixPath(from, importer)).file;
        if (path === "zod") return { path: `${at}|zod`, namespace: "elsewhere" };
        if (!path.startsWith(".")) return INSIDE.test(path) ? undefined : { path, external: true };
        const module = posixPath(from, join(resolveDir, path));
        if (kind === "dynamic-import") return { path: relativePath(at, module), external: true };
        return places.get(module).file === at
          ? undefined
          : { path: `${at}|${module}`, namespace: "elsewhere" };
      });
    },
  };
}

/** The licences of the packages whose code is part of the build. */
function licenses(packages) {
  return packages
    .map((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      const texts = readdirSync(folder)
        .filter((file) => /^(licen[cs]e|notice|copyright)/i.test(file))
        .map((file) => readFileSync(join(folder, file), "utf8").trim());
      return `${name} ${version} (${license}), parts of which are in the files beside this one\n\n${texts.join("\n\n")}\n`;
    })
    .join(`\n${"-".repeat(100)}\n\n`);
}

/** Writes a file whole, and only if it changes: programs may be running from the build. */
export function writeIfNew(file, text) {
  try {
    if (readFileSync(file, "utf8") === text) return;
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
    mkdirSync(dirname(file), { recursive: true });
  }
  const unfinished = `${file}.${process.pid}`;
  writeFileSync(unfinished, text);
  renameSync(unfinished, file);
}
