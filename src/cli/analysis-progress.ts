import type { CompareStep } from "../pipeline/compare-options.js";
import type { Output } from "./output.js";
import type { Progress } from "./progress.js";

const TITLES: Readonly<Record<CompareStep, string>> = {
  directions: "principal components, weights read",
  surface: "loss surface, points",
  fidelity: "losses along the path, evaluations",
  planes: "loss on each run's plane, points",
  lines: "random lines, points",
  sharpness: "sharpness, runs",
  weights: "weights, snapshots",
};

/** Shows each step of an analysis or a comparison as a progress bar of its own; `stop` ends the last one. */
export function analysisProgress(
  output: Output,
  prefix = "",
): { readonly onProgress: (step: CompareStep, done: number, total: number) => void; stop(): void } {
  let step: CompareStep | undefined;
  let bar: Progress | undefined;
  return {
    onProgress(now, done, total) {
      if (now !== step) {
        bar?.stop();
        bar = output.progress(`${prefix}${TITLES[now]}`);
        step = now;
      }
      bar?.update(done, total);
    },
    stop: () => bar?.stop(),
  };
}
