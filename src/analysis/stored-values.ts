import { sha256 } from "../base/provenance.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { SlicePoints } from "../directions/slice-map.js";
import type { LossEvaluator, LossValue } from "../loss/loss-evaluator.js";
import { type BatchNormPolicyName, openSlice } from "../loss/slice-loss.js";

/** A value that is stored, and where it was computed. */
export interface StoredValue {
  readonly alpha: number;
  readonly beta: number;
  readonly value: Pick<LossValue, "loss" | "metrics">;
}

/**
 * Whether an evaluator still computes what is stored: a loss, metric or data set may have changed in a way that no
 * digest sees, such as a number in a closure. The center and the point farthest from it are evaluated again.
 *
 * Values may differ as two engines, or one on two processors, may.
 * Cost: 2 evaluations, of those that are not in `now`.
 *
 * @param now - what this evaluator has given on this slice; filled here. Default nothing.
 */
export async function isStillTrue(
  evaluator: LossEvaluator,
  slice: SlicePoints,
  batchNorm: BatchNormPolicyName | undefined,
  stored: readonly StoredValue[],
  signal: AbortSignal | undefined,
  now: Map<string, LossValue> = new Map(),
): Promise<boolean> {
  const opened = await openSlice(evaluator, slice, { batchNorm, signal });
  try {
    for (const { alpha, beta, value } of chosenOf(stored)) {
      const name = `stored point (${alpha}, ${beta})`;
      const own = now.get(name) ?? (await opened.evaluate(alpha, beta, { signal, name }));
      now.set(name, own);
      if (!isClose(value, own, evaluator.facts.samples)) return false;
    }
    return true;
  } finally {
    opened.dispose();
  }
}

/** The center, and the finite point farthest from it. */
function chosenOf(stored: readonly StoredValue[]): StoredValue[] {
  const center = stored.find(({ alpha, beta }) => alpha === 0 && beta === 0);
  const scale = (of: (point: StoredValue) => number) =>
    Math.max(...stored.map((point) => Math.abs(of(point)))) || 1;
  const [width, height] = [scale(({ alpha }) => alpha), scale(({ beta }) => beta)];
  let farthest: StoredValue | undefined;
  let most = 0;
  for (const point of stored) {
    const far = Math.abs(point.alpha) / width + Math.abs(point.beta) / height;
    if (!(far > most) || !Number.isFinite(point.value.loss)) continue;
    most = far;
    farthest = point;
  }
  return [center, farthest].filter((point): point is StoredValue => point !== undefined);
}

/** Whether a stored loss of a snapshot is still what the evaluator computes. */
export async function isStillLoss(
  evaluator: LossEvaluator,
  theta: Float32Array,
  batchNorm: BatchNormPolicyName | undefined,
  stored: number,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const known = lossesNow.get(evaluator) ?? new Map<string, number>();
  lossesNow.set(evaluator, known);
  const digest = `${sha256(theta)} ${batchNorm}`;
  const now = known.get(digest) ?? (await evaluator.evaluate(theta, { batchNorm, signal })).loss;
  known.set(digest, now);
  return isClose({ loss: stored, metrics: {} }, { loss: now, metrics: {} }, evaluator.facts.samples);
}

/** What an evaluator gave at θ: a loss does not change while it lives. */
const lossesNow = new WeakMap<LossEvaluator, Map<string, number>>();

function isClose(stored: StoredValue["value"], now: StoredValue["value"], samples: number): boolean {
  if (!isNear(stored.loss, now.loss, 1e-6)) return false;
  // A sample on the edge between two classes may fall to either side.
  return Object.entries(stored.metrics).every(
    ([name, value]) => !(name in now.metrics) || isNear(value, now.metrics[name] as number, 1.5 / samples),
  );
}

function isNear(a: number, b: number, slack: number): boolean {
  if (!Number.isFinite(a) || !Number.isFinite(b)) return Number.isNaN(a) === Number.isNaN(b) || a === b;
  return Math.abs(a - b) <= 1e-4 * Math.max(Math.abs(a), Math.abs(b)) + slack;
}

/** Says that stored values are not those of the loss as it is now. */
export function changedLoss(file: string): LandscapeWarning {
  const message = `${file}: its values are not those of the loss as it is now, although model, data and the text of the loss are the same (a value that a function closes over?); it is computed again`;
  return { code: "loss-changed", message };
}
