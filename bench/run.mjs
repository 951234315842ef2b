// `npm run bench -- NAME [--json] [options]`: runs one bench of dist/bench and prints its cases. `npm run bench -- all`
// runs each of them in a process of its own, with the machine's product rate beside it: `--only a,b` runs some,
// `--minutes n` ends a run that takes longer (default 10), `--with "nice -n 5"` runs each by another command. What
// has been measured so far is on stdout even if a later bench fails, or if the whole is ended.
// `start` measures the command line from outside, until its first point: `--checkout DIR` calls another build in turn,
// `--node PATH` by another Node.js.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { ensureBuilt, ensureInstalled, root } from "../scripts/prepare-checkout.mjs";

/** The benches, with what `all` asks of each, once or several times: enough for a figure. */
const BENCHES = {
  approximate: [{ args: ["--seeds", "2"] }],
  "approximate-workers": [{ args: [] }],
  "batch-norm": [{ args: ["--points", "3"] }],
  // A snapshot of 40 MB is on disk some tenths of a second after its epoch: waited for after every third one only.
  capture: [{ args: ["--case", "lenet"] }, { args: ["--case", "mlp10m", "--epochs", "3"] }],
  curvature: [
    { args: ["--backend", "native", "--backend", "wasm", "--samples", "500", "--repeats", "9"] },
    {
      args: [
        "--backend",
        "native",
        "--backend",
        "wasm",
        "--case",
        "resnet20",
        "--samples",
        "64",
        "--repeats",
        "7",
      ],
    },
    { args: ["--torch", "--case", "lenet", "--samples", "500", "--backend", "native"] },
  ],
  growth: [{ args: [] }],
  gpu: [{ args: ["--case", "lenet", "--points", "2", "--samples", "10000"] }],
  live: [{ args: ["--pairs", "15"] }],
  page: [{ args: [] }],
  pca: [
    { args: ["memory", "disk", "many"].flatMap((name) => ["--case", name]) },
    { args: ["--case", "long"] },
    { args: ["--case", "large"] },
  ],
  phate: [
    { args: ["--case", "500x50", "--case", "1000x50"] },
    { args: ["--case", "2000x50", "--repetitions", "5"] },
    { args: ["--repetitions", "1", "--case", "5000x50", "--case", "500x100000"] },
    {
      args: ["--case", "500x50", "--case", "1000x50"],
      env: { TFJS_LANDSCAPE_BACKEND: "wasm" },
    },
  ],
  queue: [{ args: ["--seconds", "5", "--repetitions", "1"] }],
  start: [{ args: ["--calls", "5"] }],
  surface: [
    { args: ["--case", "mlp", "--case", "lenet", "--repetitions", "5"] },
    { args: ["--case", "resnet20", "--backend", "native", "--repetitions", "3"] },
  ],
  workers: [{ args: ["--seconds", "4"] }],
};
const benches = Object.keys(BENCHES);
const [name, ...rest] = process.argv.slice(2);
if (name !== "all" && !benches.includes(name)) {
  process.stderr.write(`bench: expected one of all, ${benches.join(", ")}, got ${name ?? "nothing"}\n`);
  process.exit(2);
}
ensureInstalled();
ensureBuilt();
const report = await (name === "all" ? runAll() : runOne(name)).catch(refuse);
if (rest.includes("--json")) process.stdout.write(`${JSON.stringify(report)}\n`);
else for (const result of report.cases ?? report.benches) process.stdout.write(`${JSON.stringify(result)}\n`);
if (report.failed?.length > 0) process.exitCode = 1;

/** Names an option that cannot be in one line; everything else is an error of the bench. */
function refuse(error) {
  const isOption =
    /^(ERR_PARSE_ARGS|commander\.)/.test(error.code ?? "") || error.name === "InvalidOptionError";
  if (!isOption) throw error;
  process.stderr.write(`bench ${name}: ${error.message.split("\n")[0]}\n`);
  process.exit(2);
}

async function runOne(bench) {
  const file = join(root, `dist/bench/${bench}.js`);
  if (!existsSync(file)) throw new Error(`bench ${bench}: expected ${file}; run \`npm run build\``);
  const { runBench } = await import(pathToFileURL(file).href);
  return runBench({ args: rest, log: (line) => process.stderr.write(`${line}\n`) });
}

/** Every bench, one after the other; one that fails is named, and the others are kept. */
async function runAll() {
  const { values } = parseArgs({
    args: rest,
    options: {
      json: { type: "boolean" },
      only: { type: "string", default: benches.join(",") },
      minutes: { type: "string", default: "10" },
      with: { type: "string", default: "" },
    },
  });
  const chosen = [...new Set(values.only.split(","))];
  const { parsePositive } = await import(pathToFileURL(join(root, "dist/src/cli/command-options.js")).href);
  const most = Math.max(1, Math.round(60_000 * parsePositive("--minutes")(values.minutes)));
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
  const report = {
    commit: status === 0 ? stdout.trim() : null,
    machine: await describeMachine(),
    benches: [],
    failed: [],
  };
  const runs = chosen.flatMap((bench) => BENCHES[bench].map((run) => ({ bench, ...run })));
  for (const [index, { bench, args: asked, env }] of runs.entries()) {
    process.stderr.write(`bench ${[bench, ...asked].join(" ")}\n`);
    const begin = performance.now();
    const own = [process.execPath, join(root, "bench/run.mjs"), bench, "--json", ...asked];
    const [command, ...args] = [...values.with.split(" ").filter(Boolean), ...own];
    const child = spawnSync(command, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "inherit"],
      encoding: "utf8",
      maxBuffer: 2 ** 28,
      timeout: most,
    });
    const minutes = Number(((performance.now() - begin) / 60_000).toFixed(1));
    const found = child.status === 0 ? parseReport(child.stdout) : null;
    if (found !== null) addReport(report.benches, { ...found, minutes });
    else {
      const isLate = child.error?.code === "ETIMEDOUT";
      const ended = child.error?.message ?? `exit code ${child.status ?? child.signal}`;
      const why = isLate ? `ended after ${values.minutes} minutes` : ended;
      report.failed.push({ bench: [bench, ...asked].join(" "), minutes, why });
      process.stderr.write(`bench ${bench} failed: ${why}\n`);
    }
    // One line for each bench that is done: the last one counts, and an interrupted run leaves what it has.
    if (values.json && index < runs.length - 1) process.stdout.write(`${JSON.stringify(report)}\n`);
  }
  return report;
}

/** Puts the report of a run beside those of the same bench before it. */
function addReport(reports, found) {
  const known = reports.find(({ bench }) => bench === found.bench);
  if (known === undefined) {
    reports.push(found);
    return;
  }
  for (const list of ["cases", "eigenvalues", "runs"])
    if (found[list] !== undefined) known[list] = [...(known[list] ?? []), ...found[list]];
  known.minutes = Number((known.minutes + found.minutes).toFixed(1));
}

/** The report on the last line of a bench, or null where there is none. */
function parseReport(stdout) {
  try {
    const report = JSON.parse(stdout.trim().split("\n").at(-1));
    return Array.isArray(report.cases) ? report : null;
  } catch {
    return null;
  }
}
