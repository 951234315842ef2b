import { existsSync, readFileSync } from "node:fs";
import { request } from "node:https";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { run, runOrThrow, SetupError } from "./process.mjs";

/** The repository's root: packages are installed into its node_modules. */
export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** A download of some 400 MB on a slow line; npm itself gives up on a dead one sooner. */
const INSTALL_TIMEOUT = 20 * 60_000;

/** Folder of an installed package, or undefined. Does not load it: its addon may be missing. */
export function packageFolder(name) {
  const folder = join(root, "node_modules", ...name.split("/"));
  return existsSync(join(folder, "package.json")) ? folder : undefined;
}

/** `name@version`, with the version of the installed @tensorflow/tfjs: both share one tfjs-core. */
function specifier(name) {
  const folder = packageFolder("@tensorflow/tfjs");
  if (folder === undefined) throw new SetupError('@tensorflow/tfjs is not installed: run "npm ci" first');
  return `${name}@${JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).version}`;
}

/** Command and leading arguments that run npm (the one that runs this script, if any). */
function npm(args) {
  const script = process.env.npm_execpath;
  if (script && /\.[cm]?js$/.test(script)) return [process.execPath, [script, ...args]];
  return [process.platform === "win32" ? "npm.cmd" : "npm", args];
}

/** Where the package's install script downloads from, as it decides itself. */
function storageHost() {
  const { env } = process;
  return (
    env.TFJS_NODE_BASE_URI ||
    env.npm_config_TFJS_NODE_BASE_URI ||
    env.TFJS_NODE_CDN_STORAGE ||
    env.npm_config_TFJS_NODE_CDN_STORAGE ||
    env.CDN_STORAGE ||
    "https://storage.googleapis.com/"
  );
}

/** Returns why the host does not answer within 10 s, or undefined if it does (any status will do). */
function probe(url) {
  const { env } = process;
  if (env.HTTPS_PROXY || env.https_proxy || env.HTTP_PROXY || env.http_proxy || !url.startsWith("https:")) {
    return undefined;
  }
  return new Promise((resolve) => {
    const call = request(url, { method: "HEAD", timeout: 10_000 }, (response) => {
      response.resume();
      resolve(undefined);
    });
    call.on("timeout", () => call.destroy(new Error("no answer within 10 s")));
    call.on("error", (error) => resolve(error.message));
    call.end();
  });
}

/**
 * Installs a package with its own install script (or runs that script again, where npm left the package
 * in place without its addon).
 */
export async function installOrdinary(name) {
  const url = storageHost();
  const unreachable = await probe(url);
  if (unreachable !== undefined) return { ok: false, reason: `${url} cannot be reached (${unreachable})` };
  const args = packageFolder(name)
    ? ["rebuild", name, "--foreground-scripts"]
    : ["install", "--no-save", specifier(name)];
  const [command, all] = npm(args);
  const result = await run(command, all, { cwd: root, timeoutMs: INSTALL_TIMEOUT });
  if (result.ok && packageFolder(name) === undefined) {
    return { ok: false, reason: "npm went through without putting the package in place" };
  }
  return result.ok ? result : { ok: false, reason: `${result.reason}: ${lastErrorLine(result.output)}` };
}

/** The line of npm's output that says most. */
function lastErrorLine(output) {
  const lines = output.split("\n").map((line) => line.replace(/^npm (error|ERR!)\s*/, "").trim());
  return lines.find((line) => /^(\w*Error:|npm error code)/.test(line)) ?? lines.filter(Boolean).at(-1) ?? "";
}

/** Makes sure that the package's JavaScript is in node_modules, without running its install script. */
export async function placePackage(name, say) {
  if (packageFolder(name)) return;
  const what = specifier(name);
  say(`npm install --no-save --ignore-scripts ${what}`);
  const [command, args] = npm(["install", "--no-save", "--ignore-scripts", what]);
  await runOrThrow(`npm install ${what}`, command, args, { cwd: root, timeoutMs: INSTALL_TIMEOUT });
}
