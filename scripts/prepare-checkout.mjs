// What `npm run demo`, `npm test` and the benches share: a fresh clone needs no other command first.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The checkout's root folder. */
export const root = fileURLToPath(new URL("..", import.meta.url));

/** Runs a command in the checkout, its output on stderr; ends this process if it fails. */
export function runOrExit(command, args, title) {
  process.stderr.write(`${title}: ${command} ${args.join(" ")}\n`);
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ["inherit", 2, 2] });
  if (status !== 0) {
    process.stderr.write(`${title} failed${error ? ` (${error.message})` : ""}\n`);
    process.exit(status ?? 1);
  }
}

/**
 * The TypeScript compiler: version 7, compiled to machine code and some four times as fast, where its program for this
 * platform is installed (npm may leave an optional package out), else version 6. Both write the same JavaScript.
 */
export function typescriptCompiler() {
  const require = createRequire(import.meta.url);
  const fast = join(root, "node_modules/typescript-native");
  try {
    createRequire(join(fast, "package.json")).resolve(
      `@typescript/typescript-${process.platform}-${process.arch}/package.json`,
    );
    return join(fast, "bin/tsc");
  } catch {
    return join(dirname(require.resolve("typescript/package.json")), "bin/tsc");
  }
}

/** Installs the dependencies where they are missing or older than the lockfile. */
export function ensureInstalled() {
  const installed = join(root, "node_modules/.package-lock.json");
  const lock = join(root, "package-lock.json");
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
  if (existsSync(installed) && process.env.CI !== "true" && !lockDiffers(installed, lock)) return;
  runOrExit("npm", ["ci"], "installing dependencies");
}

function lockDiffers(installed, lock) {
  const { status } = spawnSync(process.execPath, ["-e", compareLocks, installed, lock]);
  return status !== 0;
}

// Every package of the lockfile is installed in the same version (optional ones may be absent).
const compareLocks = `
const [a, b] = process.argv.slice(1).map((f) => JSON.parse(require("node:fs").readFileSync(f)).packages);
for (const [path, entry] of Object.entries(b)) {
  if (!path.startsWith("node_modules/") || entry.optional || entry.link) continue;
  if (a[path]?.version !== entry.version) process.exit(1);
}`;

/** What decides what is built, beside the sources. */
const BUILDERS = [
  "scripts/build.mjs",
  "scripts/join-modules.mjs",
  "scripts/build-page.mjs",
  "tsconfig.build.json",
  "tsconfig.json",
];

/** Builds `dist/` where it is missing or older than a source file, or than what builds it. */
export function ensureBuilt() {
  const built = join(root, "dist/src/index.js");
  const newest = Math.max(
    ...["src", "callbacks", "bench"].map((folder) => newestIn(join(root, folder))),
    // The program for the page is absent where a part of the checkout is installed.
    ...BUILDERS.map((file) => statSync(join(root, file), { throwIfNoEntry: false })?.mtimeMs ?? 0),
  );
  if (existsSync(built) && statSync(built).mtimeMs >= newest) return;
  runOrExit(process.execPath, ["scripts/build.mjs"], "building");
}

function newestIn(folder) {
  const times = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => statSync(join(entry.parentPath ?? entry.path, entry.name)).mtimeMs);
  return Math.max(0, ...times);
}
