// Bundles the browser side of the HTML report and of the live view into dist/, each as one script that is put
// into its page.
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const PAGES = ["report", "live"];

/** Builds the pages' scripts and returns the first one's size in bytes. Files are replaced whole, and only if they change. */
export async function buildPage() {
  const [bytes] = await Promise.all(PAGES.map(buildOne));
  return bytes;
}

async function buildOne(page) {
  const outfile = join(root, `dist/src/${page}/page/page.js`);
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [`src/${page}/page/main.ts`],
    outfile,
    write: false,
    bundle: true,
    minify: true,
    format: "iife",
    target: ["es2022"],
    charset: "utf8",
    legalComments: "none",
    define: { "process.env.NODE_ENV": '"production"' },
    banner: {
      js: "/* tfjs-landscape (Apache-2.0), with Apache ECharts (Apache-2.0), zrender (BSD-3-Clause), d3-contour and d3-array (ISC), tslib (0BSD) */",
    },
    logLevel: "warning",
  });
  const code = outputFiles[0].text;
  // Either would end, or change the meaning of, the script element that the code is put into.
  if (/<\/script|<!--/i.test(code)) throw new Error(`${outfile}: contains "</script" or "<!--"`);
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
  const bytes = await buildPage();
  console.log(`page: ${Math.round(bytes / 1024)} kB`);
}
