/**
 * Installs the native TensorFlow backend: `npm run setup:native`.
 *
 * Ways, in order, each verified by loading the addon and training a step in a child process:
 *   0. what is already installed, if it works;
 *   1. LIBTENSORFLOW_DIR, where set: build the addon against that library;
 *   2. the ordinary way: the package's own install script, which downloads its binaries;
 *   3. build the addon against the library that the tensorflow-cpu Python wheel carries (Linux).
 * Neither package.json nor package-lock.json is touched.
 */
import { parseArgs } from "node:util";
import { buildAddon } from "./setup-native/addon.mjs";
import { libraryFromFolder, libraryFromWheel } from "./setup-native/library.mjs";
import { installOrdinary, packageFolder, placePackage } from "./setup-native/package.mjs";
import { SetupError } from "./setup-native/process.mjs";
import { verify } from "./setup-native/verify.mjs";

const USAGE = `Usage: npm run setup:native -- [options]

  --package NAME   @tensorflow/tfjs-node-gpu (default; runs on the CPU too) or @tensorflow/tfjs-node
  --no-download    leave out the package's own download and build against a library at once
  --force          set up again although a native backend works already
  --help           this text

Environment: LIBTENSORFLOW_DIR, a folder with TensorFlow's C library and headers (an unpacked
libtensorflow archive or the "tensorflow" folder of an installed Python package);
XDG_CACHE_HOME, where the unpacked library is kept (default ~/.cache).`;

const PACKAGES = ["@tensorflow/tfjs-node-gpu", "@tensorflow/tfjs-node"];

/** Says one line of what is being done. */
function say(line) {
  console.log(`setup:native: ${line}`);
}

/** Returns the description of the first package whose backend works already, or undefined. */
async function findWorking(names) {
  for (const name of names) {
    if (packageFolder(name) === undefined) continue;
    const result = await verify(name);
    if (result.ok) return `${name} ${result.description}`;
    say(`${name} is in node_modules but does not work: ${result.reason}`);
  }
  return undefined;
}

/** The ordinary way; returns true if the backend then works. */
async function tryOrdinary(name) {
  say(`trying the ordinary way: the install script of ${name}`);
  const installed = await installOrdinary(name);
  if (!installed.ok) {
    say(`the ordinary way failed: ${installed.reason}`);
    return false;
  }
  const result = await verify(name);
  say(result.ok ? `works: ${name} ${result.description}` : `installed, but does not work: ${result.reason}`);
  return result.ok;
}

/** Builds the addon of `name` against a library and verifies it. */
async function buildAgainst(name, library) {
  await placePackage(name, say);
  say(`building the addon of ${name} against ${library.description}`);
  await buildAddon(packageFolder(name), library);
  const result = await verify(name);
  if (!result.ok) throw new SetupError(`the addon was built but does not work: ${result.reason}`);
  say(`works: ${name} ${result.description}`);
}

async function main() {
  const { values } = parseArgs({
    options: {
      package: { type: "string", default: PACKAGES[0] },
      "no-download": { type: "boolean", default: false },
      force: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return;
  }
  const name = values.package;
  if (!PACKAGES.includes(name)) {
    throw new SetupError(`--package: expected ${PACKAGES.join(" or ")}, got "${name}"`);
  }
  const working = values.force ? undefined : await findWorking([name, ...PACKAGES.filter((p) => p !== name)]);
  if (working !== undefined) {
    say(`nothing to do, a native backend works already: ${working}`);
    return;
  }
  const folder = process.env.LIBTENSORFLOW_DIR;
  if (folder) {
    await buildAgainst(name, libraryFromFolder(folder));
    return;
  }
  if (!values["no-download"] && (await tryOrdinary(name))) return;
  await buildAgainst(name, await libraryFromWheel(say));
}

try {
  await main();
} catch (error) {
  const message =
    error instanceof SetupError || error.code?.startsWith("ERR_PARSE_ARGS") ? error.message : error.stack;
  console.error(`setup:native: failed: ${message}`);
  console.error(
    "setup:native: without a native backend everything still runs on WebAssembly, more slowly. " +
      "Set LIBTENSORFLOW_DIR to a folder with TensorFlow's C library and headers to use one that you have.",
  );
  process.exitCode = 1;
}
