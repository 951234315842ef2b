import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { runOrThrow } from "./process.mjs";

/** The library version in the file names that tfjs-node's own download would have left. */
const PINNED = "2.9.1";

/**
 * Builds a tfjs-node package's addon from its sources against a TensorFlow library.
 *
 * @param folder - The package's folder.
 * @param library - As returned by `libraryFromFolder`.
 */
export async function buildAddon(folder, library) {
  linkLibrary(join(folder, "deps"), library);
  const script = createRequire(join(folder, "package.json")).resolve("@mapbox/node-pre-gyp/bin/node-pre-gyp");
  const args = [script, "install", "--build-from-source", ...headerArguments()];
  await runOrThrow("building the addon (it needs python3, make and a C++ compiler)", process.execPath, args, {
    cwd: folder,
    env: gypEnvironment(),
    timeoutMs: 10 * 60_000,
  });
}

/** Fills `deps/` with links to the headers and libraries, under the names that the linker looks for. */
function linkLibrary(deps, { include, library, framework }) {
  rmSync(deps, { recursive: true, force: true });
  mkdirSync(join(deps, "lib"), { recursive: true });
  symlinkSync(include, join(deps, "include"));
  const extension = process.platform === "darwin" ? "dylib" : "so";
  const link = (target, names) => {
    for (const name of new Set(names)) symlinkSync(target, join(deps, "lib", name));
  };
  link(library, versioned("libtensorflow", extension));
  link(library, [`libtensorflow_cc.${extension}.2`]);
  link(framework, versioned("libtensorflow_framework", extension));
}

/** A library's name without, with the major and with the full version. */
function versioned(name, extension) {
  if (extension === "dylib") return [`${name}.dylib`, `${name}.2.dylib`, `${name}.${PINNED}.dylib`];
  return [`${name}.so`, `${name}.so.2`, `${name}.so.${PINNED}`];
}

/** `--nodedir` for Node's headers where they lie beside this Node; otherwise node-gyp fetches them. */
function headerArguments() {
  if (process.env.npm_config_nodedir) return [`--nodedir=${process.env.npm_config_nodedir}`];
  const prefix = dirname(dirname(realpathSync(process.execPath)));
  const header = join(prefix, "include", "node", "node_version.h");
  if (!existsSync(header)) return [];
  const major = /define NODE_MAJOR_VERSION (\d+)/.exec(readFileSync(header, "utf8"))?.[1];
  return major === process.versions.node.split(".")[0] ? [`--nodedir=${prefix}`] : [];
}

/** Tells node-pre-gyp where npm keeps its node-gyp, if npm has not said so itself. */
function gypEnvironment() {
  if (process.env.npm_config_node_gyp) return {};
  const script = process.env.npm_execpath ?? npmOnPath();
  const gyp = script && join(dirname(dirname(script)), "node_modules", "node-gyp", "bin", "node-gyp.js");
  return gyp && existsSync(gyp) ? { npm_config_node_gyp: gyp } : {};
}

/** The real path of npm's script on PATH, or undefined. */
function npmOnPath() {
  for (const folder of (process.env.PATH ?? "").split(":")) {
    const file = join(folder, "npm");
    if (folder && existsSync(file)) return realpathSync(file);
  }
  return undefined;
}
