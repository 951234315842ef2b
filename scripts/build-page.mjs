// Bundles the browser side of the HTML report and of the live view into dist/, each as one script that is put
// into its page. page-3d.js draws surfaces in 3-D: it lies beside page.js as text, and runs when a reader asks for it.
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

const FLAT =
  "tfjs-landscape (Apache-2.0), with Apache ECharts (Apache-2.0), zrender (BSD-3-Clause, Copyright (c) 2017 Baidu Inc.), fflate (MIT), d3-contour and d3-array (ISC), tslib (0BSD)";
const DEEP = "tfjs-landscape (Apache-2.0), with three.js (MIT, Copyright 2010-2026 three.js authors)";

/** Builds the scripts and returns their sizes in bytes. A file is replaced whole, and only if it changes. */
export async function buildPage() {
  const [flat, deep, live] = await Promise.all([
    bundle("src/figure/page/main.ts", "page.js", FLAT),
    bundle("src/figure/page/main-3d.ts", "page-3d.js", DEEP),
    bundle("src/live/page/main.ts", "page.js", FLAT),
  ]);
  return { flat, deep, live };
}

async function bundle(entry, name, banner) {
  const outfile = join(root, "dist", dirname(entry), name);
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile,
    write: false,
    bundle: true,
    minify: true,
    format: "iife",
    target: ["es2022"],
    charset: "utf8",
    legalComments: "none",
    define: { "process.env.NODE_ENV": '"production"' },
    banner: { js: `/* ${banner} */` },
    logLevel: "warning",
  });
  const code = outputFiles[0].text;
  // Either would end, or change the meaning of, the script element that the code is put into.
  if (/<\/script|<!--/i.test(code)) throw new Error(`${outfile}: contains "</script" or "<!--"`);
  if (/\bnew Function\b|\beval\(/.test(code)) throw new Error(`${outfile}: makes code of strings`);
  const known = await readFile(outfile, "utf8").catch(() => null);
  if (known !== code) {
    await mkdir(dirname(outfile), { recursive: true });
    const unfinished = `${outfile}.${process.pid}`;
    await writeFile(unfinished, code);
    await rename(unfinished, outfile);
  }
  return Buffer.byteLength(code);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { flat, deep } = await buildPage();
  console.log(`page: ${Math.round(flat / 1024)} kB, three dimensions ${Math.round(deep / 1024)} kB more`);
}
