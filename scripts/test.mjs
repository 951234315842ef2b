/**
 * `npm test`: build, types, documentation, lint, the tests on each backend (what does not depend on it once, on the
 * last one), package.
 *
 * What this machine lacks (the native backend, Chromium, redis-server) is left out and named, with how to have it;
 * with CI=true leaving anything out is a failure. The closing line adds up the test runner's own
 * reports; a failed check counts as one failure.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { ensureInstalled, root } from "./prepare-checkout.mjs";
import { packageFolder } from "./setup-native/package.mjs";
import { verify } from "./setup-native/verify.mjs";

const strict = process.env.CI === "true";
const totals = { passed: 0, failed: 0, skipped: 0 };
const failures = [];
const leftOut = [];

/** A tool that the dependencies install. */
function tool(name) {
  return join(root, "node_modules/.bin", name);
}

function say(line) {
  process.stdout.write(`${line}\n`);
}

function run(command, args, env = {}) {
  const { status } = spawnSync(command, args, {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, ...env },
  });
  return status === 0;
}

/**
 * Checks that either hold or do not: each that fails counts as one. Those of a list run one after another, and lists
 * side by side, for most checks keep one processor busy; each says all that it has to say at its end.
 */
async function check(...lists) {
  await Promise.all(
    lists.map(async (list) => {
      for (const [title, command, args] of list) {
        const { ok, output } = await runAside(command, args);
        say(`\n== ${title}: ${[basename(command), ...args].join(" ")}`);
        if (output.trim() !== "") say(output.trimEnd());
        if (ok) continue;
        failures.push(title);
        totals.failed += 1;
      }
    }),
  );
}

function runAside(command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (part) => {
        output += part;
      });
    }
    child.on("error", (error) => resolve({ ok: false, output: String(error) }));
    child.on("close", (status) => resolve({ ok: status === 0, output }));
  });
}

/**
 * The tests on one backend, all or those that depend on it ("backend", see vitest.config.ts); counts come
 * from the runner's report.
 */
function testOn(backend, scope, filters) {
  const title = `tests on the ${backend} backend`;
  const reports = join(root, "coverage");
  const report = join(reports, `tests-${backend}.json`);
  mkdirSync(reports, { recursive: true });
  rmSync(report, { force: true });
  say(`\n== ${title}${scope === "backend" ? " (those that depend on it)" : ""}`);
  const reporters = ["--reporter=dot", "--reporter=json", `--outputFile.json=${report}`];
  const ok = run(tool("vitest"), ["run", "--passWithNoTests", ...reporters, ...filters], {
    TFJS_LANDSCAPE_BACKEND: backend,
    TFJS_LANDSCAPE_TESTS: scope,
  });
  if (!ok) failures.push(title);
  if (!existsSync(report)) {
    totals.failed += 1;
    return;
  }
  const result = JSON.parse(readFileSync(report, "utf8"));
  totals.passed += result.numPassedTests;
  totals.failed += result.numFailedTests;
  totals.skipped += result.numPendingTests + result.numTodoTests;
  if (!ok && result.numFailedTests === 0) totals.failed += 1;
  nameSkipped(result, backend);
}

function nameSkipped(result, backend) {
  const skipped = result.testResults
    .flatMap((file) => file.assertionResults)
    .filter((test) => test.status !== "passed" && test.status !== "failed");
  for (const test of skipped) leftOut.push(`${backend}: ${test.fullName}`);
}

async function nativeProblem() {
  for (const name of ["@tensorflow/tfjs-node-gpu", "@tensorflow/tfjs-node"]) {
    if (packageFolder(name) === undefined) continue;
    const result = await verify(name);
    return result.ok ? undefined : `${name} is present but does not work: ${result.reason}`;
  }
  return "no native TensorFlow package is installed";
}

ensureInstalled();
const filters = process.argv.slice(2);
const problem = await nativeProblem();
const node = process.execPath;
await check([["build", node, ["scripts/build.mjs", "--clean"]]]);
await check(
  [
    ["types", node, ["scripts/types.mjs"]],
    ["documentation", tool("typedoc"), ["--emit", "none"]],
  ],
  [
    ["lint", tool("biome"), ["ci", "."]],
    ["unused code", tool("knip"), []],
    ["package", tool("publint"), ["--strict"]],
  ],
);
testOn("wasm", problem === undefined ? "backend" : "all", filters);
if (problem === undefined) testOn("native", "all", filters);
else leftOut.push(`native: the whole suite (${problem}); run \`npm run setup:native\``);
// It packs, and so puts another package.json and build in place for a moment: after everything else.
// Node.js >= 20.19 requires ES modules; the check knows only that older versions do not.
const esmOnly = ["--ignore-rules", "cjs-resolves-to-esm"];
await check([["package types", tool("attw"), ["--pack", ".", "--profile", "node16", ...esmOnly]]]);

if (leftOut.length > 0) {
  say("\nLeft out on this machine:");
  for (const line of leftOut) say(`  ${line}`);
  if (strict) {
    say("With CI=true leaving anything out is a failure.");
    failures.push("something was left out");
  }
}
if (failures.length > 0) say(`\nFailed: ${failures.join(", ")}`);
const skipped = totals.skipped > 0 ? `, ${totals.skipped} skipped` : "";
say(`\n${totals.passed} passed, ${totals.failed} failed${skipped}`);
process.exitCode = failures.length > 0 || totals.failed > 0 ? 1 : 0;
