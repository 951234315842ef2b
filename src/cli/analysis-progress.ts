import type { AnalysisStep, AnalyzeOptions } from "../pipeline/analyze-options.js";
import type { Output } from "./output.js";
import type { Progress } from "./progress.js";

const TITLES: Readonly<Record<AnalysisStep, string>> = {
  directions: "principal components",
  surface: "loss surface",
  fidelity: "losses along the path",
};

/** Shows each step of an analysis as a progress bar of its own; `stop` ends the last one. */
export function analysisProgress(
  output: Output,
  prefix = "",
): { readonly onProgress: NonNullable<AnalyzeOptions["onProgress"]>; stop(): void } {
  let step: AnalysisStep | undefined;
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
