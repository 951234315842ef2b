// `npm run bench -- NAME [--json] [options]`: runs one bench of dist/bench and prints its cases.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ensureBuilt, ensureInstalled, root } from "../scripts/prepare-checkout.mjs";

const benches = [
  "approximate",
  "batch-norm",
  "capture",
  "curvature",
  "gpu",
  "live",
  "page",
  "pca",
  "phate",
  "queue",
  "surface",
  "workers",
];
const [name, ...rest] = process.argv.slice(2);
if (!benches.includes(name)) {
  process.stderr.write(`bench: expected one of ${benches.join(", ")}, got ${name ?? "nothing"}\n`);
  process.exit(2);
}
ensureInstalled();
ensureBuilt();
const file = join(root, `dist/bench/${name}.js`);
if (!existsSync(file)) throw new Error(`bench ${name}: expected ${file}; run \`npm run build\``);
const { runBench } = await import(pathToFileURL(file).href);
const report = await runBench({ args: rest, log: (line) => process.stderr.write(`${line}\n`) });
if (rest.includes("--json")) process.stdout.write(`${JSON.stringify(report)}\n`);
else for (const result of report.cases) process.stdout.write(`${JSON.stringify(result)}\n`);
