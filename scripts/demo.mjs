// `npm run demo`: from a fresh clone to demo-run/report.html. Further arguments go to the command.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { ensureBuilt, ensureInstalled, root } from "./prepare-checkout.mjs";

ensureInstalled();
ensureBuilt();
const args = process.argv.slice(2);
if (!args.includes("--out")) args.push("--out", join(root, "demo-run"), "--overwrite");
const { status } = spawnSync(process.execPath, [join(root, "bin/tfjs-landscape.js"), "demo", ...args], {
  stdio: "inherit",
});
process.exit(status ?? 1);
