/**
 * The folders of the sources, in layers: what a folder may import, and the picture of what it does import.
 *
 * `node scripts/architecture.mjs` writes docs/images/architecture.svg, and prints the counts of docs/architecture.md.
 * test/package/house.test.ts checks the rules.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** From the ground up. A folder imports folders of lower layers only. */
export const LAYERS = [
  ["base"],
  ["math", "model", "store/arrow"],
  ["backend", "directions", "embedding", "store/run", "store/results"],
  ["capture", "jobs"],
  ["loss", "queue"],
  ["surface", "curvature"],
  ["store/kinds", "training"],
  ["between"],
  ["figure"],
  ["analysis", "live"],
  ["callbacks"],
  ["cli"],
  ["doors"],
];

/** Folders without TensorFlow, Node.js, Arrow and ECharts. */
export const PURE = ["math", "directions", "embedding"];

/** One import or re-export of a source file. */
class Import {
  /**
   * @param {string} file @param {string} target a path from the root, or a package @param {boolean} isType
   * @param {boolean} isLazy whether it is loaded only when a function asks for it
   */
  constructor(file, target, isType, isLazy) {
    this.file = file;
    this.target = target;
    this.isType = isType;
    this.isLazy = isLazy;
  }
}

/** The source files, as paths from the root. */
export function sourceFiles() {
  return ["src", "callbacks"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true })
      .map((name) => `${folder}/${name}`.replaceAll("\\", "/"))
      .filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts")),
  );
}

/** The folder that a source file belongs to, as LAYERS names it. The doors are src/index.ts and src/doors/. */
export function folderOf(file) {
  if (file.startsWith("callbacks/")) return "callbacks";
  const [, first, second, third] = file.split("/");
  if (second === undefined) return "doors";
  return first === "store" && third !== undefined ? `store/${second}` : first;
}

/** The imports of a file; `isType` where nothing of them is left at run time. */
export function importsOf(file) {
  const text = readFileSync(join(root, file), "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
  const statement =
    /^(?:import|export)\s+(type\s+)?(?:([^"';]*?)\s+from\s+)?"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)/gm;
  return [...text.matchAll(statement)].map(([, type, names = "", from, later]) => {
    const target = from ?? later;
    const inner = /^\{([\s\S]*)\}$/.exec(names.trim())?.[1];
    const onlyTypes = inner
      ?.split(",")
      .every((name) => name.trim() === "" || name.trim().startsWith("type "));
    const path = target.startsWith(".") ? join(dirname(file), target).replace(/\.js$/, ".ts") : target;
    return new Import(
      file,
      path.replaceAll("\\", "/"),
      type !== undefined || onlyTypes === true,
      from === undefined,
    );
  });
}

/** How many imports lead from one folder to another: "loss -> base" → 43. */
export function folderImports() {
  const counts = new Map();
  for (const file of sourceFiles()) {
    for (const { target } of importsOf(file)) {
      if (!/^(src|callbacks)\//.test(target)) continue;
      const key = `${folderOf(file)} -> ${folderOf(target)}`;
      if (folderOf(file) !== folderOf(target)) counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  }
  return counts;
}

/** Arrows that do not follow from others: a → c is left out where there are a → b and b → c. */
function reduced(counts) {
  const next = new Map();
  for (const key of counts.keys()) {
    const [from, to] = key.split(" -> ");
    next.set(from, [...(next.get(from) ?? []), to]);
  }
  const reaches = (from, to, seen = new Set()) =>
    !seen.has(from) &&
    seen.add(from) &&
    (next.get(from) ?? []).some((folder) => folder === to || reaches(folder, to, seen));
  return [...counts].filter(([key]) => {
    const [from, to] = key.split(" -> ");
    return !next.get(from).some((between) => between !== to && reaches(between, to));
  });
}

/** What the picture says of each folder. */
export const PURPOSE = {
  base: "errors, JSON, provenance",
  math: "pure kernels",
  model: "layout of θ, manifest",
  "store/arrow": "bytes and files",
  backend: "TF.js backends",
  directions: "planes, paths, norms",
  embedding: "PHATE, UMAP, t-SNE",
  "store/run": "run directory",
  "store/results": "results, provenance",
  capture: "recorder, writer",
  jobs: "processes",
  loss: "θ → loss, engines",
  queue: "workers elsewhere",
  surface: "grids, lines, sharpness",
  curvature: "Hessian products, spectra",
  "store/kinds": "one file per result",
  training: "jumps, sweeps",
  between: "alignment, curves",
  figure: "panels, page, files",
  analysis: "whole analyses",
  live: "live page",
  callbacks: "for model.fit",
  cli: "one file per command",
  doors: "what users import",
};

const [WIDTH, ROW, BOX_WIDTH, BOX_HEIGHT, TOP] = [1180, 112, 190, 62, 70];

/** The picture, as SVG text. */
export function architectureSvg() {
  const files = sourceFiles();
  const present = new Set(files.map(folderOf));
  const rows = LAYERS.map((layer) => layer.filter((folder) => present.has(folder))).filter(
    (row) => row.length > 0,
  );
  const boxes = new Map();
  rows.forEach((row, i) => {
    const gap = WIDTH / row.length;
    row.forEach((folder, j) => {
      boxes.set(folder, { x: gap * (j + 0.5), y: TOP + (rows.length - 1 - i) * ROW });
    });
  });
  const arrows = reduced(folderImports()).map(([key, count]) => arrow(boxes, key.split(" -> "), count));
  const shapes = [...boxes].map(([folder, { x, y }]) => box(folder, x, y, files));
  const height = TOP + rows.length * ROW + 10;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="Inter, Helvetica, Arial, sans-serif">
<title>Folders of tfjs-landscape in layers, and what they import</title>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#5b6770"/></marker></defs>
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
<text x="24" y="34" font-size="20" font-weight="600" fill="#111">Folders and their imports</text>
<text x="24" y="54" font-size="13" fill="#5b6770">Imports point down only. A number counts import statements; arrows that follow from others are left out. Green: no TensorFlow, no Node.js.</text>
${arrows.map(({ line }) => line).join("\n")}
${shapes.join("\n")}
${arrows.map(({ label }) => label).join("\n")}
</svg>
`;
}

function box(folder, x, y, files) {
  const own = files.filter((file) => folderOf(file) === folder);
  const lines = own.reduce(
    (sum, file) => sum + readFileSync(join(root, file), "utf8").split("\n").length - 1,
    0,
  );
  const [fill, stroke] = PURE.includes(folder) ? ["#e7f5ee", "#009e73"] : ["#eef4fa", "#0072b2"];
  const left = x - BOX_WIDTH / 2;
  return `<g><rect x="${left}" y="${y}" width="${BOX_WIDTH}" height="${BOX_HEIGHT}" rx="6" fill="${fill}" stroke="${stroke}"/>
<text x="${x}" y="${y + 20}" text-anchor="middle" font-size="15" font-weight="600" fill="#111">${folder}</text>
<text x="${x}" y="${y + 37}" text-anchor="middle" font-size="12" fill="#333">${PURPOSE[folder]}</text>
<text x="${x}" y="${y + 53}" text-anchor="middle" font-size="11" fill="#5b6770">${own.length} files, ${lines} lines</text></g>`;
}

function arrow(boxes, [from, to], count) {
  const [a, b] = [boxes.get(from), boxes.get(to)];
  const lean = (b.x - a.x) / WIDTH;
  const x1 = a.x + lean * BOX_WIDTH * 0.8;
  const x2 = b.x - lean * BOX_WIDTH * 0.8;
  const y1 = a.y + BOX_HEIGHT;
  const middle = y1 + (ROW - BOX_HEIGHT) / 2;
  const width = Math.min(4, 1 + Math.log10(count)).toFixed(1);
  const line = `<path d="M${x1},${y1} C${x1},${middle + 8} ${x2},${b.y - 34} ${x2},${b.y - 2}" fill="none" stroke="#9aa7b0" stroke-width="${width}" marker-end="url(#tip)"/>`;
  const label = `<text x="${x1 + (x2 - x1) * 0.08 + 4}" y="${y1 + 15}" font-size="11" fill="#333" stroke="#fff" stroke-width="3" paint-order="stroke">${count}</text>`;
  return { line, label };
}

/** Counts of the source files, as docs/architecture.md has them. */
function counts() {
  const files = sourceFiles();
  const lines = files.map((file) => readFileSync(join(root, file), "utf8").split("\n").length - 1);
  const sorted = [...lines].sort((a, b) => a - b);
  const importers = new Map(files.map((file) => [file, new Set()]));
  for (const { file, target } of files.flatMap(importsOf)) importers.get(target)?.add(file);
  return {
    files: files.length,
    lines: lines.reduce((sum, count) => sum + count, 0),
    median: sorted[sorted.length >> 1],
    "at most 50 lines": lines.filter((count) => count <= 50).length,
    "over 350 lines": lines.filter((count) => count > 350).length,
    "a single importer": files.filter((file) => importers.get(file).size === 1).length,
  };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  writeFileSync(join(root, "docs/images/architecture.svg"), architectureSvg());
  console.log(counts());
}
