// Draws the report of `npm run bench -- all --json` as tables of Markdown: `node scripts/bench-table.mjs REPORT.json
// [docs/measurements.md]` writes what stands between the two marks of the page, or to stdout.
import { readFileSync, writeFileSync } from "node:fs";

const [file, page] = process.argv.slice(2);
if (file === undefined) {
  process.stderr.write("bench-table: expected the report of `npm run bench -- all --json`, got nothing\n");
  process.exit(2);
}
const lines = readFileSync(file, "utf8").trim().split("\n");
const { commit, machine, benches, failed } = JSON.parse(lines.at(-1));
const MARKS = ["<!-- measured -->", "<!-- /measured -->"];
/** Columns that are worth a reader's eye, in this order; the report has all. */
const COLUMNS = [
  "case",
  "backend",
  "engine",
  "of",
  "sizes",
  "ours",
  "peer",
  "ratio",
  "interval",
  "hookRatio",
  "hookInterval",
  "seconds",
  "slope",
];
const MORE = [
  "bytes",
  "framesPerSecond",
  "one",
  "two",
  "scaling",
  "evaluations",
  "error95",
  "stated",
  "coverage",
];

/** Ratios near one differ in the third decimal. */
const THREE_DECIMALS = ["interval", "hookRatio", "hookInterval"];

function cell(value, column = "") {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.map((one) => cell(one, column)).join(", ");
  if (typeof value === "number" && THREE_DECIMALS.includes(column)) return value.toFixed(3);
  if (typeof value !== "number") return String(value).replaceAll("|", "\\|");
  return Number.isInteger(value) ? value.toLocaleString("en") : String(Number(value.toPrecision(3)));
}

const tables = benches.map(({ bench, minutes, cases }) => {
  const columns = [...COLUMNS, ...MORE].filter((name) => cases.some((one) => one[name] !== undefined));
  const row = (cells) => `| ${cells.join(" | ")} |`;
  const rows = cases.map((one) => row(columns.map((name) => cell(one[name], name))));
  return [`### ${bench} (${minutes} min)`, "", row(columns), row(columns.map(() => "---")), ...rows].join(
    "\n",
  );
});
const { processor, cores, memoryGiB, node, backend, productGflops, freeCores } = machine;
const head =
  `Commit ${commit ?? "unknown"}, ${processor}, ${cores} cores (${freeCores} free at the start), ${memoryGiB} GiB, Node.js ${node}, ` +
  `${backend} backend. A product of two 1500 × 1500 matrices: ${productGflops} Gflop/s.` +
  (failed.length === 0 ? "" : ` Failed: ${failed.map(({ bench, why }) => `${bench} (${why})`).join(", ")}.`);
const text = [head, ...tables].join("\n\n");
if (page === undefined) process.stdout.write(`${text}\n`);
else {
  const old = readFileSync(page, "utf8");
  const [start, end] = MARKS.map((mark) => old.indexOf(mark));
  if (start < 0 || end < start) throw new Error(`${page}: expected ${MARKS.join(" … ")}`);
  writeFileSync(page, `${old.slice(0, start)}${MARKS[0]}\n\n${text}\n\n${old.slice(end)}`);
}
