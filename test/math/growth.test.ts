import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { growthFigure, runBench, scaledSizes, slopeOf } from "../../bench/growth.js";
import { temporaryFolder } from "../store/sample-run.js";

test("the slope of a power is its exponent", () => {
  const sizes = [125, 250, 500, 1000];
  for (const power of [0.5, 1, 2]) {
    expect(
      slopeOf(
        sizes,
        sizes.map((size) => 3e-4 * size ** power),
      ),
    ).toBeCloseTo(power, 12);
  }
});

test("sizes that are scaled down stay different, so that there is a slope", () => {
  for (const sizes of [
    [64, 256, 1024, 4096],
    [1000, 2000, 4000, 8000],
  ]) {
    expect(scaledSizes(sizes, 1)).toEqual(sizes);
    const small = scaledSizes(sizes, 0.001);
    expect(small.every((size, i) => i === 0 || size > (small[i - 1] ?? 0))).toBe(true);
    expect(slopeOf(small, small)).toBeCloseTo(1, 12);
  }
});

test("the picture names each slope", () => {
  const figure = growthFigure(
    [{ case: "phate", of: "snapshots", sizes: [10, 100], seconds: [0.1, 1], slope: 1 }],
    "native",
  );
  expect(JSON.stringify(figure)).toContain("phate: slope 1.00");
});

test("the table of a report: last line counts, what failed is named with its reason", async () => {
  const folder = await temporaryFolder();
  const machine = {
    processor: "one",
    cores: 2,
    memoryGiB: 8,
    node: "v20",
    backend: "wasm",
    productGflops: 9.5,
    freeCores: 1,
  };
  const cases = [{ case: "phate", of: "snapshots", sizes: [10, 1000], seconds: [0.12345, 2], slope: 0.6 }];
  const report = { commit: "abc", machine, benches: [{ bench: "growth", minutes: 1.5, cases }], failed: [] };
  const failed = [{ bench: "queue", minutes: 0.1, why: "exit code 1" }];
  const file = join(folder, "r.json");
  const lines = [report, { ...report, failed }].map((one) => JSON.stringify(one));
  writeFileSync(file, lines.join("\n"));
  const page = join(folder, "page.md");
  writeFileSync(
    page,
    "before\n<!-- measured: machine -->\n<!-- /measured -->\n<!-- measured: growth -->\nold\n<!-- /measured -->\n<!-- measured: queue-costs -->\nkept\n<!-- /measured -->\nafter\n",
  );
  const { status, stderr } = spawnSync(process.execPath, ["scripts/bench-table.mjs", file, page], {
    encoding: "utf8",
  });
  const left = `${page}: queue-costs stays as it was: the report has no figures for it\n`;
  expect({ status, stderr }).toEqual({ status: 0, stderr: left });
  const text = readFileSync(page, "utf8");
  expect(text).toMatch(/^before[\s\S]*kept[\s\S]*after\n$/);
  expect(text).not.toContain("old");
  expect(text).toContain("Failed: queue (exit code 1)");
  expect(text).toContain("| PHATE | snapshots | 10, 1,000 | 0.123, 2 | 0.60 |\n\nCommit abc.");
  expect(text).toContain("9.5 Gflop/s");
});

test("a case or a scale that cannot be is named before anything is measured", async () => {
  const run = (...args: string[]) => runBench({ args, log: () => undefined });
  await expect(run("--case", "nope")).rejects.toThrow(
    /^--case: expected one of pca-snapshots, .*, got nope$/,
  );
  await expect(run("--scale", "0")).rejects.toThrow('--scale: expected a number above 0, got "0"');
});
