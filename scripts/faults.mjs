// `npm run faults`: processes killed, disks filled, folders locked and removed, at random moments; then a table.
// `npm run fuzz`: damaged files and command lines; then a table. Options: --cases N, --seed N, and filters of files.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ensureBuilt, ensureInstalled, root } from "./prepare-checkout.mjs";

const SUITES = {
  faults: {
    folder: "test/faults",
    prefix: "LANDSCAPE_FAULT",
    cases: "50",
    columns: ["fault", "command", "cases", "lost", "saw"],
  },
  fuzz: {
    folder: "test/fuzz",
    prefix: "LANDSCAPE_FUZZ",
    cases: "100000",
    columns: ["name", "cases", "refused", "accepted", "findings", "megabytes"],
  },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { cases: { type: "string" }, seed: { type: "string" } },
});
const [name = "faults", ...files] = positionals;
const { folder, prefix, cases, columns } = SUITES[name];

ensureInstalled();
ensureBuilt();
const reports = join(root, "coverage");
const report = join(reports, `${name}.jsonl`);
mkdirSync(reports, { recursive: true });
rmSync(report, { force: true });
const seed = values.seed ?? "1";
const begin = performance.now();
const { status } = spawnSync(
  join(root, "node_modules/.bin/vitest"),
  ["run", ...(files.length === 0 ? [folder] : files)],
  {
    cwd: root,
    stdio: "inherit",
    env: {
      ...process.env,
      [`${prefix}_CASES`]: values.cases ?? cases,
      [`${prefix}_SEED`]: seed,
      [`${prefix}_REPORT`]: report,
      TFJS_LANDSCAPE_BACKEND: "wasm",
    },
  },
);
const rows = existsSync(report)
  ? readFileSync(report, "utf8")
      .trim()
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line))
  : [];
const line = (cells) => `| ${cells.join(" | ")} |\n`;
process.stdout.write(`\nseed ${seed}, ${Math.round((performance.now() - begin) / 1000)} s\n\n`);
process.stdout.write(line(columns) + line(columns.map(() => "---")));
for (const row of rows)
  process.stdout.write(line(columns.map((column) => String(row[column]).replaceAll("|", "\\|"))));
process.exitCode = status ?? 1;
