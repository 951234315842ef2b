import { describe, expect, it } from "vitest";
import type { BenchOptions } from "../../bench/bench-options.js";

const COUNT = "expected an integer of at least 1";
const POSITIVE = "expected a number above 0";

/** What each bench refuses, before it has said or measured anything. */
const REFUSED: readonly (readonly [string, string, string, string])[] = [
  ["approximate", "--samples", "many", COUNT],
  ["approximate", "--tolerance", "-1", POSITIVE],
  ["approximate", "--budget", "2", POSITIVE],
  ["approximate", "--points", "2", "expected an integer of at least 3"],
  ["approximate", "--plane", "flat", "expected one of pca, random"],
  ["approximate-workers", "--engine", "steam", "expected one of onnx, tensorflow"],
  ["batch-norm", "--points", "0", COUNT],
  ["batch-norm", "--engines", "steam", "expected one of tensorflow"],
  ["capture", "--pairs", "1.5", COUNT],
  ["capture", "--case", "resnet", "expected one of lenet, mlp10m"],
  ["curvature", "--backend", "steam", "expected one of auto"],
  ["curvature", "--keep-bytes", "-1", "expected an integer of at least 0"],
  ["curvature", "--case", "gpt", "expected one of mlp"],
  ["gpu", "--points", "", COUNT],
  ["gpu", "--device", "tpu", "expected one of cpu, webgpu, cuda"],
  ["growth", "--picture", "/no/such/folder/growth.svg", "expected a place to write"],
  ["growth", "--case", "grass", "expected one of"],
  ["live", "--epochs", "x", COUNT],
  ["pca", "--rows", "1", "expected an integer of at least 2"],
  ["pca", "--case", "short", "expected one of memory"],
  ["phate", "--case", "500", "expected NxD"],
  ["phate", "--case", "2x50", "expected NxD with at least 3 points"],
  ["phate", "--repetitions", "0", COUNT],
  ["queue", "--seconds", "0", POSITIVE],
  ["queue", "--parts", "all", "expected one of costs"],
  ["start", "--checkout", "/no/such/build", "expected a place to read"],
  ["start", "--node", "/no/such/node", "expected a place to read"],
  ["start", "--calls", "x", COUNT],
  ["surface", "--samples", "x", COUNT],
  ["surface", "--threads", "x", COUNT],
  ["surface", "--backend", "steam", "expected one of native"],
  ["workers", "--seconds", "-2", POSITIVE],
  ["workers", "--cases", "gpt", "expected one of mlp"],
];

describe("benches check their options before they measure", () => {
  it.each(REFUSED)("%s %s %s", async (bench, option, value, words) => {
    const { runBench } = (await import(`../../bench/${bench}.ts`)) as {
      readonly runBench: (options: BenchOptions) => Promise<unknown>;
    };
    const said: string[] = [];
    const run = runBench({ args: [`${option}=${value}`], log: (line) => said.push(line) });
    await expect(run).rejects.toThrow(new RegExp(`${option}: ${words}`));
    expect(said).toEqual([]);
  });
});
