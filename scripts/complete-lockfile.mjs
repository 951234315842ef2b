/**
 * Adds to package-lock.json the optional platform packages that the registry in use does not serve.
 *
 * npm leaves a package out of the lockfile when the registry answers 404 for it (a mirror that carries
 * only some platforms), and `npm ci` then refuses that lockfile as incomplete. Run this after
 * `npm install` of anything with prebuilt binaries. Entries carry the exact version and the platform from
 * the package's name, so that npm skips them where they do not apply and verifies nothing it cannot.
 */
import { readFileSync, writeFileSync } from "node:fs";

const file = new URL("../package-lock.json", import.meta.url);
const lock = JSON.parse(readFileSync(file, "utf8"));
const systems = [
  "android",
  "darwin",
  "freebsd",
  "linux",
  "netbsd",
  "openbsd",
  "openharmony",
  "sunos",
  "aix",
  "win32",
];
const processors = [
  "arm64",
  "arm",
  "ia32",
  "loong64",
  "mips64el",
  "mips64",
  "ppc64",
  "riscv64",
  "s390x",
  "wasm32",
  "x64",
];

/** Platform named in "@scope/tool-linux-arm64-musl": `{ os, cpu }`, as far as the name says. */
function platformOf(name) {
  const words = name.split(/[-/]/);
  const os = systems.find(
    (system) => words.includes(system) || (system === "win32" && words.includes("windows")),
  );
  const cpu = processors.find((processor) => words.includes(processor));
  return { ...(os ? { os: [os] } : {}), ...(cpu ? { cpu: [cpu] } : {}) };
}

/** Whether a package at `path` finds `name` as Node.js looks for it. */
function isLocked(path, name) {
  for (let folder = path; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/")))) {
    if (lock.packages[`${folder === "" ? "" : `${folder}/`}node_modules/${name}`]) return true;
    if (folder === "" || folder.lastIndexOf("/node_modules/") < 0) break;
  }
  return lock.packages[`node_modules/${name}`] !== undefined;
}

const added = [];
for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (isLocked(path, name) || !/^\d+\.\d+\.\d+/.test(version)) continue;
    const dev = entry.dev ? { dev: true } : {};
    lock.packages[`node_modules/${name}`] = { version, ...platformOf(name), ...dev, optional: true };
    added.push(name);
  }
}
const sorted = Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1));
lock.packages = Object.fromEntries(sorted);
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
process.stdout.write(`${added.length} packages added: ${added.join(", ") || "none"}\n`);
