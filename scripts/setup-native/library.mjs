import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { run, runOrThrow, SetupError } from "./process.mjs";

/** TensorFlow's C library: `{ description, include, library, framework }`, all absolute paths. */

/** Wheel tags to ask for when the machine's own Python is too new or too old for TensorFlow. */
const FALLBACK_PYTHON = "3.11";

/** Unpacks what the addon needs from the wheel: shared libraries at the top and all headers. */
const UNPACK = `
import sys, zipfile
wheel, target = sys.argv[1:3]
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        top = name.split("/")
        if top[0] == "tensorflow" and (top[1] == "include" or (len(top) == 2 and top[1].startswith("libtensorflow"))):
            archive.extract(name, target)
`;

/** Finds TensorFlow's C library under a folder: `lib/` of a libtensorflow archive, or a Python package. */
export function libraryFromFolder(folder, description = folder) {
  const base = resolve(folder);
  const include = join(base, "include");
  if (!existsSync(join(include, "tensorflow", "c", "c_api.h"))) {
    throw new SetupError(`${base}: expected include/tensorflow/c/c_api.h there, found none`);
  }
  const library = findLibrary(base, ["tensorflow", "tensorflow_cc"]);
  const framework = findLibrary(base, ["tensorflow_framework"]);
  return { description, include, library, framework };
}

/** The file of the first of `names` that is in `base/lib` or `base`, the shortest file name first. */
function findLibrary(base, names) {
  for (const folder of [join(base, "lib"), base]) {
    const files = existsSync(folder) ? readdirSync(folder).sort((a, b) => a.length - b.length) : [];
    for (const name of names) {
      const file = files.find((f) => f.startsWith(`lib${name}.`) && /\.(so|dylib)(\.|$)/.test(f));
      if (file) return join(folder, file);
    }
  }
  throw new SetupError(`${base}: expected lib${names[0]}.so* in it or in its lib/, found none`);
}

/** Folder in which unpacked libraries are kept; outside node_modules, so that it outlives an install. */
function cacheFolder() {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "tfjs-landscape");
}

/** TensorFlow's library from the tensorflow-cpu wheel: the cached one, or downloaded through pip. */
export async function libraryFromWheel(say) {
  if (process.platform !== "linux") {
    throw new SetupError(
      `the tensorflow-cpu wheel serves on Linux only, this is ${process.platform}; set LIBTENSORFLOW_DIR instead`,
    );
  }
  const cache = cacheFolder();
  mkdirSync(cache, { recursive: true });
  const cached = newestCached(cache);
  if (cached) {
    say(`taking TensorFlow from the cache: ${join(cache, cached)}`);
    return libraryFromFolder(join(cache, cached, "tensorflow"), cached);
  }
  const work = mkdtempSync(join(cache, ".download-"));
  try {
    const name = await downloadAndUnpack(work, say);
    const target = join(cache, name);
    rmSync(target, { recursive: true, force: true });
    renameSync(join(work, "unpacked"), target);
    say(`unpacked to ${target}`);
    return libraryFromFolder(join(target, "tensorflow"), name);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Name of the cached library of the highest version, or undefined. Only complete ones have this name. */
function newestCached(cache) {
  const names = readdirSync(cache).filter((name) => name.startsWith("tensorflow-cpu-"));
  return names.sort((a, b) => a.localeCompare(b, undefined, { numeric: true })).at(-1);
}

/** Downloads the wheel into `work`, unpacks it into `work/unpacked`; returns "tensorflow-cpu-<version>". */
async function downloadAndUnpack(work, say) {
  const python = await findPython();
  say("downloading the tensorflow-cpu wheel through pip (some 270 MB)");
  const base = ["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--dest", work];
  const tags = ["--python-version", FALLBACK_PYTHON, "--implementation", "cp"];
  const options = { timeoutMs: 20 * 60_000 };
  const first = await run(python, [...base, "tensorflow-cpu"], options);
  if (!first.ok) {
    await runOrThrow("pip download tensorflow-cpu", python, [...base, ...tags, "tensorflow-cpu"], options);
  }
  const wheel = readdirSync(work).find((file) => file.endsWith(".whl"));
  if (wheel === undefined) throw new SetupError("pip download tensorflow-cpu: no wheel came");
  const unpacked = join(work, "unpacked");
  mkdirSync(unpacked);
  await runOrThrow(`unpacking ${wheel}`, python, ["-c", UNPACK, join(work, wheel), unpacked], options);
  return `tensorflow-cpu-${wheel.split("-")[1]}`;
}

/** The first Python 3 that has pip. */
async function findPython() {
  const tried = [];
  for (const python of ["python3", "python"]) {
    const result = await run(python, ["-m", "pip", "--version"], { timeoutMs: 60_000 });
    if (result.ok) return python;
    tried.push(result.reason);
  }
  throw new SetupError(
    `expected a Python 3 with pip, which carries TensorFlow's library; ${tried.join("; ")}`,
  );
}
