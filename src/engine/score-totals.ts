import type { LossValue } from "../model/loss-evaluator.js";
import type { ScorePlan } from "../model/scores.js";
import type { PlannedTotal } from "./plan/plan-model.js";

/** Means over an evaluation set from totals over all of its samples. */
export function valueOfTotals(
  scores: ScorePlan,
  planned: readonly PlannedTotal[],
  totals: Float64Array,
  samples: number,
): LossValue {
  const means = planned.map(({ elements }, i) => (totals[i] as number) / (samples * elements));
  const find = (kind: PlannedTotal["kind"], index: number): number | null => {
    const place = planned.findIndex((total) => total.kind === kind && total.index === index);
    return place === -1 ? null : (means[place] as number);
  };
  // A prediction that is NaN makes the sample's loss and metrics NaN, whatever the formulas make of it.
  const withGap = (mean: number, output: number) => (find("gap", output) === 0 ? mean : Number.NaN);
  // Nor has a metric a value where the loss has none.
  const losses = scores.losses.map((_, output) => withGap(find("loss", output) as number, output));
  const metrics = scores.metrics.map(({ name, apply, output }, i) => {
    const loss = losses[output] as number;
    const own = apply === null || Number.isNaN(loss) ? loss : (find("metric", i) as number);
    return [name, own] as const;
  });
  return {
    loss: losses.reduce((a, b) => a + b, 0),
    metrics: Object.fromEntries(metrics),
    clippedShare: find("clipped", 0),
    cappedShare: find("capped", 0),
  };
}
