// Writes the report of `npm run bench -- all --json` into the documentation: `node scripts/bench-table.mjs REPORT.json docs`
// fills every pair of marks `<!-- measured: NAME -->` … `<!-- /measured -->` in the pages of the folder. A table that the
// report lacks is left as it was, and named; the picture of growth is drawn anew. Without a folder all tables go to stdout.
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TABLES } from "./measured-tables.mjs";
import { ensureBuilt } from "./prepare-checkout.mjs";

const [file, place] = process.argv.slice(2);
if (file === undefined) {
  process.stderr.write("bench-table: expected the report of `npm run bench -- all --json`, got nothing\n");
  process.exit(2);
}
const report = readReport();

if (place === undefined) {
  const found = Object.keys(TABLES).flatMap((name) => [`### ${name}`, blockOf(name) ?? "not measured"]);
  process.stdout.write(`${[machineLine(), ...found].join("\n\n")}\n`);
} else {
  const pages = statSync(place).isDirectory()
    ? readdirSync(place)
        .filter((name) => name.endsWith(".md"))
        .map((name) => join(place, name))
    : [place];
  for (const page of pages) fillPage(page);
  await drawGrowth(join(place, "images/growth.svg"));
}

/** Draws the picture of the growth bench anew where the folder has one. */
async function drawGrowth(picture) {
  const cases = report.benches.find(({ bench }) => bench === "growth")?.cases;
  if (cases === undefined || !existsSync(picture)) return;
  ensureBuilt();
  const { growthSvg } = await import("../dist/bench/growth.js");
  writeFileSync(picture, growthSvg(cases, report.machine.backend));
}

/** The last line of the file; in one line what it is where it is no report. */
function readReport() {
  try {
    const found = JSON.parse(readFileSync(file, "utf8").trim().split("\n").at(-1));
    if (Array.isArray(found.benches) && found.machine !== undefined) return found;
    throw new Error("another JSON");
  } catch (error) {
    process.stderr.write(
      `bench-table ${file}: expected the report of \`npm run bench -- all --json\`, got ${error.message}\n`,
    );
    process.exit(2);
  }
}

function fillPage(page) {
  const old = readFileSync(page, "utf8");
  const marks = /(<!-- measured: ([\w-]+) -->\n)[\s\S]*?(<!-- \/measured -->)/g;
  const filled = old.replace(marks, (all, start, name, end) => {
    if (all.lastIndexOf("<!-- measured:") > 0)
      throw new Error(`${page}: expected an end of "${name}", got none`);
    if (name !== "machine" && TABLES[name] === undefined)
      throw new Error(`${page}: expected the name of a table after "measured:", got ${name}`);
    const block = name === "machine" ? machineLine() : blockOf(name);
    if (block !== null) return `${start}\n${block}\n\n${end}`;
    process.stderr.write(`${page}: ${name} stays as it was: the report has no figures for it\n`);
    return all;
  });
  if (filled !== old) writeFileSync(page, filled);
}

/** A table with the commit below it, null where the report has no figures for it. */
function blockOf(name) {
  const rows = TABLES[name](report);
  if (rows === null) return null;
  const lines = rows.map((cells) => `| ${cells.map(clean).join(" | ")} |`);
  lines.splice(1, 0, `|${" --- |".repeat(rows[0].length)}`);
  return `${lines.join("\n")}\n\nCommit ${report.commit ?? "unknown"}.`;
}

function clean(cell) {
  return String(cell ?? "").replaceAll("|", "\\|");
}

function machineLine() {
  const { processor, cores, memoryGiB, node, backend, productGflops, freeCores } = report.machine;
  const { commit, failed } = report;
  const missing =
    failed.length === 0 ? "" : ` Failed: ${failed.map(({ bench, why }) => `${bench} (${why})`).join(", ")}.`;
  return (
    `Commit ${commit ?? "unknown"}, ${processor}, ${cores} cores (${freeCores} free at the start), ${memoryGiB} GiB, Node.js ${node}, ` +
    `${backend} backend.\nA product of two 1500 × 1500 matrices: ${productGflops} Gflop/s.${missing}`
  );
}
