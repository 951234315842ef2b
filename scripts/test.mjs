/**
 * `npm test`: lint, types, build, the tests on each backend (what does not depend on it once, on the last
 * one), documentation, package.
 *
 * What this machine lacks (the native backend, Chromium, redis-server) is left out and named, with how to have it;
 * with CI=true leaving anything out is a failure. The closing line adds up the test runner's own
 * reports; a failed check counts as one failure.
 */
import { spawnSync } from "node:child_process";
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

/** One check that either holds or does not: a failure counts as one. */
function check(title, command, args) {
  say(`\n== ${title}: ${[basename(command), ...args].join(" ")}`);
  if (run(command, args)) return;
  failures.push(title);
  totals.failed += 1;
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
check("build", node, ["scripts/build.mjs", "--clean"]);
check("lint", tool("biome"), ["ci", "."]);
check("types", node, ["scripts/types.mjs"]);
testOn("wasm", problem === undefined ? "backend" : "all", filters);
if (problem === undefined) testOn("native", "all", filters);
else leftOut.push(`native: the whole suite (${problem}); run \`npm run setup:native\``);
check("documentation", tool("typedoc"), ["--emit", "none"]);
check("unused code", tool("knip"), []);
check("package", tool("publint"), ["--strict"]);
// Node.js >= 20.19 requires ES modules; the check knows only that older versions do not.
const esmOnly = ["--ignore-rules", "cjs-resolves-to-esm"];
check("package types", tool("attw"), ["--pack", ".", "--profile", "node16", ...esmOnly]);

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
