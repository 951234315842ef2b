// Builds dist/: the Node side with tsc, its modules joined into few files, the browser side of the report with esbuild.
// `--clean` removes dist/ first (`npm pack` and CI do; a rebuild beside running tests does not).
import { existsSync, readdirSync, readFileSync, rmSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { root, runOrExit, typescriptCompiler } from "./prepare-checkout.mjs";

if (process.argv.includes("--clean")) rmSync(join(root, "dist"), { recursive: true, force: true });
// Of its own: two programs that find the build too old may build at once.
const compiled = join(root, `dist/compiled-${process.pid}`);
process.on("exit", () => rmSync(compiled, { recursive: true, force: true }));
runOrExit(
  process.execPath,
  [typescriptCompiler(), "-p", "tsconfig.build.json", "--outDir", compiled],
  "compiling",
);
const { joinModules, writeIfNew } = await import("./join-modules.mjs");
await joinModules(compiled, join(root, "dist"));
for (const name of readdirSync(compiled, { recursive: true })) {
  const isJoined = /^(src|callbacks)\b.*\.js$/.test(name);
  if (/\.(js|d\.ts)$/.test(name) && !isJoined) {
    writeIfNew(join(root, "dist", name), readFileSync(join(compiled, name), "utf8"));
  }
}
if (existsSync(join(root, "scripts/build-page.mjs"))) {
  runOrExit(process.execPath, ["scripts/build-page.mjs"], "bundling the report page");
}
const now = new Date();
utimesSync(join(root, "dist/src/index.js"), now, now);
