import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const inside = join(root, "coverage", `bundle-${process.pid}`);
const outside = mkdtempSync(join(tmpdir(), "landscape-bundle-"));
mkdirSync(inside, { recursive: true });
afterAll(() => {
  for (const folder of [inside, outside]) rmSync(folder, { recursive: true, force: true });
});

/** Records a training, draws it, and evaluates a loss in another process: thread, fonts, page code, worker. */
const PROGRAM = `
import * as tf from "@tensorflow/tfjs";
import { createLossEvaluator, openRun, selectBackend } from "tfjs-landscape";
import { landscapeCallback } from "tfjs-landscape/callbacks";

async function main(directory) {
  await selectBackend("wasm");
  const model = tf.sequential({ layers: [tf.layers.dense({ units: 2, inputShape: [3] })] });
  model.compile({ optimizer: tf.train.adam(0.1), loss: "meanSquaredError" });
  const [xs, ys] = [tf.randomNormal([32, 3], 0, 1, "float32", 1), tf.randomNormal([32, 2], 0, 1, "float32", 2)];
  const landscape = landscapeCallback({ directory, data: { xs, ys }, size: 5 });
  await model.fit(xs, ys, { epochs: 4, verbose: 0, callbacks: [landscape] });
  const run = await openRun(directory);
  const evaluator = await createLossEvaluator(model, { xs, ys }, { workers: 1 });
  const { loss } = await evaluator.evaluate(await run.readTheta(0));
  evaluator.dispose();
  console.log(run.snapshots.length, Number.isFinite(loss), require("node:fs").existsSync(directory + "/report.html"));
}
main(process.argv[2]).catch((error) => {
  console.error(error.message, error.hint);
  process.exitCode = 1;
});
`;

/** Packages with binaries, and TensorFlow.js, of which a process must hold one copy. */
const NATIVE = ["@tensorflow/*", "onnxruntime-node", "@resvg/resvg-js"];

async function bundle(name: string, options: object): Promise<string> {
  const entry = join(inside, "program.js");
  writeFileSync(entry, PROGRAM);
  const outfile = join(inside, `${name}.cjs`);
  const common = { bundle: true, platform: "node", logLevel: "error" } as const;
  await build({ ...common, entryPoints: [entry], outfile, ...options });
  return outfile;
}

function run(file: string, directory: string, cwd: string): string {
  const stdio: ["ignore", "pipe", "pipe"] = ["ignore", "pipe", "pipe"];
  return execFileSync(process.execPath, [file, directory], { cwd, encoding: "utf8", stdio }).trim();
}

test("a program bundled with all packages external works", async () => {
  const file = await bundle("external", { packages: "external" });
  expect(run(file, join(outside, "external"), outside)).toBe("5 true true");
}, 400_000);

test("a program with this package inside works where the package is installed, and says elsewhere what to copy", async () => {
  const file = await bundle("plain", { external: NATIVE });
  expect(run(file, join(outside, "plain"), outside)).toBe("5 true true");

  const modules = join(outside, "node_modules");
  mkdirSync(modules);
  for (const name of ["@tensorflow", "onnxruntime-node", "@resvg"]) {
    symlinkSync(join(root, "node_modules", name), join(modules, name));
  }
  const moved = join(outside, "moved.cjs");
  execFileSync("cp", [file, moved]);
  expect(() => run(moved, join(outside, "moved"), outside)).toThrow(
    /tfjs-landscape: expected its files beside the program.*copy its package\.json, dist\/ and assets\//s,
  );
}, 400_000);

test("a bundle reads a font of one's own wherever it lies, and is loaded without any of what fonts need", async () => {
  const contents = `import { readOwnFont } from "./own-font.ts"; console.log(readOwnFont({ font: process.argv[2] }).family);`;
  const stdin = { contents, resolveDir: join(root, "src/figure/files"), loader: "ts" } as const;
  const font = join(root, "test/figure/fonts/proof-serif.ttf");
  for (const [format, folder] of [
    ["cjs", inside],
    ["cjs", outside],
    ["esm", outside],
  ] as const) {
    const outfile = join(folder, `font.${format === "cjs" ? "cjs" : "mjs"}`);
    await build({ stdin, outfile, format, bundle: true, platform: "node", logLevel: "error" });
    expect(run(outfile, font, root)).toMatch(/^Proof Serif/);
  }
}, 400_000);
