// `npm run types`: checks the types of everything, the browser side of report and live view with the browser's.
import { spawnSync } from "node:child_process";
import { root, typescriptCompiler } from "./prepare-checkout.mjs";

for (const project of [".", "src/figure/page", "src/live/page"]) {
  const args = [typescriptCompiler(), "-p", `${project}/tsconfig.json`, "--noEmit"];
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
}
