import type { AccuracyForm } from "../report/chart-parts.js";

/** How accuracies are to be shown, where `--error` or `--accuracy` says so. */
export function accuracyFormOf(options: {
  readonly error?: boolean;
  readonly accuracy?: boolean;
}): AccuracyForm | undefined {
  if (options.error === true) return "error";
  return options.accuracy === true ? "accuracy" : undefined;
}
