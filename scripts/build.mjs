// Builds dist/: the Node side with tsc, the browser side of the report with esbuild.
// `--clean` removes dist/ first (`npm pack` and CI do; a rebuild beside running tests does not).
import { existsSync, rmSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { root, runOrExit, typescriptCompiler } from "./prepare-checkout.mjs";

if (process.argv.includes("--clean")) rmSync(join(root, "dist"), { recursive: true, force: true });
runOrExit(process.execPath, [typescriptCompiler(), "-p", "tsconfig.build.json"], "compiling");
if (existsSync(join(root, "scripts/build-page.mjs"))) {
  runOrExit(process.execPath, ["scripts/build-page.mjs"], "bundling the report page");
}
const now = new Date();
utimesSync(join(root, "dist/src/index.js"), now, now);
