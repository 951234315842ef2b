// Bundles the browser side of the HTML report and of the live view into dist/, each as one script that is put
// into its page: page.js draws in two dimensions, page-3d.js also in three.
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

const FLAT =
  "tfjs-landscape (Apache-2.0), with Apache ECharts (Apache-2.0), zrender (BSD-3-Clause, Copyright (c) 2017 Baidu Inc.), d3-contour and d3-array (ISC), tslib (0BSD)";
const DEEP = `${FLAT}, echarts-gl (BSD-3-Clause, Copyright (c) 2017 Baidu Inc.), claygl (BSD-2-Clause, Copyright (c) 2014 Yi Shen)`;

/** echarts-gl imports files of ECharts and zrender without their extension, which their exports ask for. */
const withExtension = {
  name: "with-extension",
  setup(build) {
    build.onResolve({ filter: /^(echarts|zrender)\/lib\// }, ({ path, resolveDir, kind }) =>
      path.endsWith(".js") ? undefined : build.resolve(`${path}.js`, { resolveDir, kind }),
    );
  },
};

/**
 * claygl compiles sizes such as "expr(width * dpr / 4)" with `new Function`, which the page's content security
 * policy forbids, and rightly: here products and quotients are worked out instead. They are sizes of effects
 * that no figure uses.
 */
const withoutEval = {
  name: "without-eval",
  setup(build) {
    build.onLoad({ filter: /claygl[\\/]src[\\/]createCompositor\.js$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      const compiled = /new Function\('width', 'height', 'dpr', 'return ' \+ exprRes\[1\]\)/;
      if (!compiled.test(source))
        throw new Error(`${path}: expected one use of new Function, got another text`);
      return { contents: `${EVALUATOR}\n${source.replace(compiled, "sizeFunction(exprRes[1])")}` };
    });
  },
};

const EVALUATOR = `function sizeFunction(text) {
  return function (width, height, dpr) {
    var names = { width: width, height: height, dpr: dpr == null ? 1 : dpr };
    var one = function (product) {
      return product.split("*").reduce(function (value, part) {
        var factors = part.split("/").map(function (name) {
          var trimmed = name.trim();
          return Object.hasOwn(names, trimmed) ? names[trimmed] : Number(trimmed);
        });
        return value * factors.reduce(function (a, b) { return a / b; });
      }, 1);
    };
    var list = /^\\s*\\[(.*)\\]\\s*$/.exec(text);
    return list === null ? one(text) : list[1].split(",").map(one);
  };
}`;

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
    plugins: [withExtension, withoutEval],
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
  console.log(`page: ${Math.round(flat / 1024)} kB, with three dimensions ${Math.round(deep / 1024)} kB`);
}
