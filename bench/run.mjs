// `npm run bench -- NAME [--json] [options]`: runs one bench of dist/bench and prints its cases. `npm run bench -- all`
// runs each of them in a process of its own, with the machine's product rate beside it; `--only a,b` runs some.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ensureBuilt, ensureInstalled, root } from "../scripts/prepare-checkout.mjs";

const benches = [
  "approximate",
  "batch-norm",
  "capture",
  "curvature",
  "growth",
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
if (name !== "all" && !benches.includes(name)) {
  process.stderr.write(`bench: expected one of all, ${benches.join(", ")}, got ${name ?? "nothing"}\n`);
  process.exit(2);
}
ensureInstalled();
ensureBuilt();
const report = name === "all" ? await runAll() : await runOne(name);
if (rest.includes("--json")) process.stdout.write(`${JSON.stringify(report)}\n`);
else for (const result of report.cases ?? report.benches) process.stdout.write(`${JSON.stringify(result)}\n`);
if (report.failed?.length > 0) process.exitCode = 1;

async function runOne(bench) {
  const file = join(root, `dist/bench/${bench}.js`);
  if (!existsSync(file)) throw new Error(`bench ${bench}: expected ${file}; run \`npm run build\``);
  const { runBench } = await import(pathToFileURL(file).href);
  return runBench({ args: rest, log: (line) => process.stderr.write(`${line}\n`) });
}

/** Every bench with its defaults, one after the other; one that fails is named, and the others are kept. */
async function runAll() {
  const only = rest[rest.indexOf("--only") + 1]?.split(",") ?? [];
  const chosen = rest.includes("--only") ? only : benches;
  const unknown = chosen.filter((bench) => !benches.includes(bench));
  if (unknown.length > 0) {
    process.stderr.write(
      `bench --only: expected names of ${benches.join(", ")}, got ${unknown.join(", ")}\n`,
    );
    process.exit(2);
  }
  const { describeMachine } = await import(pathToFileURL(join(root, "dist/bench/machine.js")).href);
  const { status, stdout } = spawnSync("git", ["rev-parse", "--short", "HEAD"], {
    cwd: root,
    encoding: "utf8",
  });
  const machine = await describeMachine();
  const reports = [];
  const failed = [];
  for (const bench of chosen) {
    process.stderr.write(`bench ${bench}\n`);
    const begin = performance.now();
    const child = spawnSync(process.execPath, [join(root, "bench/run.mjs"), bench, "--json"], {
      cwd: root,
      stdio: ["ignore", "pipe", "inherit"],
      encoding: "utf8",
      maxBuffer: 2 ** 28,
    });
    const last = child.stdout.trim().split("\n").at(-1);
    if (child.status === 0 && last) {
      const seconds = (performance.now() - begin) / 1000;
      reports.push({ ...JSON.parse(last), minutes: Number((seconds / 60).toFixed(1)) });
    } else failed.push(bench);
  }
  return { commit: status === 0 ? stdout.trim() : null, machine, benches: reports, failed };
}
