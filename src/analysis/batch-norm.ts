import type { LandscapeWarning } from "../base/warning.js";
import type { Trajectory } from "../directions/project.js";
import type { SlicePoints } from "../directions/slice-map.js";
import type { LossEvaluator } from "../loss/loss-evaluator.js";
import { type BatchNormPolicyName, hasStatistics, isVariance, openSlice } from "../loss/slice-loss.js";
import type { ParameterLayout } from "../model/layout.js";
import type { Surface } from "../surface/surface.js";
import type { OpenedPlane } from "./plane-spec.js";

/** What a slice says of itself, for the choice of a policy. */
export interface PolicyFacts {
  readonly layout: ParameterLayout;
  /** Whether the slice lies between models, which are then exactly its ends. */
  readonly isBetween: boolean;
  /** Whether the slice moves the statistics with the other weights. */
  readonly movesStatistics: boolean;
  /** Number of paths on it. */
  readonly paths: number;
  /** First weights of each path. */
  readonly starts: readonly Float32Array[];
}

/** A policy, why it was taken, and what to say of it. */
export interface ChosenPolicy {
  readonly policy: BatchNormPolicyName | "none";
  readonly warnings: readonly LandscapeWarning[];
}

/**
 * Returns what becomes of batch norm's statistics on a slice, if it was not asked for: "interpolate" between models
 * and where the directions move the statistics; "recalibrate" where several paths are on the plane, or one that
 * starts with fresh statistics: those of θ* would show another network's loss there; otherwise "keep".
 */
export function choosePolicy(
  facts: PolicyFacts,
  asked: BatchNormPolicyName | undefined,
  evaluator: LossEvaluator,
): ChosenPolicy {
  if (!hasStatistics(facts.layout)) return { policy: "none", warnings: [] };
  if (asked !== undefined) return { policy: asked, warnings: [] };
  if (facts.isBetween || facts.movesStatistics) return { policy: "interpolate", warnings: [] };
  const isNeeded = facts.paths > 1 || facts.starts.some((theta) => isFresh(facts.layout, theta));
  if (!isNeeded) return { policy: "keep", warnings: [] };
  if (evaluator.facts.calibration != null) return { policy: "recalibrate", warnings: [] };
  const message =
    "batch norm's statistics are those of the center at every point, since the evaluator has no calibration set: elsewhere on the plane the loss may be far from the networks' own";
  return { policy: "keep", warnings: [{ code: "no-calibration", message }] };
}

/** Whether all statistics are those of a model that was just made: means 0, variances 1. */
function isFresh(layout: ParameterLayout, theta: Float32Array): boolean {
  const variances = layout.parameters.filter(isVariance);
  return variances.every(({ offset, size }) =>
    theta.subarray(offset, offset + size).every((value) => value === 1),
  );
}

/** Says in the caption what becomes of batch norm's statistics; nothing for a network without. */
export function policySentences(policy: string, samples: number | null): string[] {
  switch (policy) {
    case "keep":
      return ["Batch norm keeps the statistics of the center at every point."];
    case "interpolate":
      return ["Batch norm's statistics move with the other weights."];
    case "recalibrate":
      return [
        `Batch norm's statistics are recalibrated at every point, from ${(samples ?? 0).toLocaleString("en")} training samples, and at the snapshots that it is compared with.`,
      ];
    default:
      return [];
  }
}

/** A difference this large, as a share of the larger loss, changes what a picture says. */
const LARGE_GAP = 0.1;
/** Snapshots at which the plane is evaluated with recalibrated statistics as well. */
const MOST_CHECKED = 4;

/**
 * Warns where another policy than "recalibrate" shows a landscape that is not that of the networks: at the snapshots
 * where plane and true loss differ most, and at the end of each path, the plane is evaluated with recalibrated
 * statistics as well. Cost: at most 4 evaluations, and one for each path.
 */
export async function policyWarnings(
  plane: OpenedPlane,
  trajectories: readonly Trajectory[],
  policy: string,
  evaluator: LossEvaluator,
  signal: AbortSignal | undefined,
): Promise<LandscapeWarning[]> {
  if (policy === "none" || policy === "recalibrate" || evaluator.facts.calibration == null) return [];
  const points = trajectories.flatMap(({ trueLoss, planeLoss, coordinates }, run) =>
    Array.from(trueLoss ?? [], (own, i) => ({
      own,
      on: planeLoss?.[i] ?? Number.NaN,
      place: [coordinates[2 * i] as number, coordinates[2 * i + 1] as number] as const,
      isLast: i === (trueLoss?.length ?? 0) - 1,
      name: `step ${plane.runs[run]?.snapshots[i]?.step ?? i} of ${plane.runs[run]?.manifest.name ?? ""}`,
    })),
  );
  const differing = points
    .filter(({ own, on }) => shareBetween(own, on) > LARGE_GAP)
    .sort((a, b) => shareBetween(b.own, b.on) - shareBetween(a.own, a.on));
  const chosen = differing.filter(({ isLast }, i) => isLast || i < MOST_CHECKED);
  if (chosen.length === 0) return [];
  return mattersAt(
    plane.points,
    chosen.map(({ own, on, place, name }) => ({
      place,
      loss: on,
      say: (there, recalibrated) =>
        `at ${name} the plane's loss is ${there}, ${recalibrated} with recalibrated statistics, and the network's own ${own.toPrecision(4)}; "recalibrate" shows the landscape of the networks`,
    })),
    policy,
    evaluator,
    signal,
  );
}

/**
 * Warns where statistics that move between models show another barrier than networks with statistics of their own
 * have: the highest point between the models, and their middle, are evaluated with recalibrated statistics as well.
 * Cost: two evaluations; none without batch norm or a calibration set.
 *
 * @param surface - what was evaluated between models that stand at 0 and 1 of each axis.
 */
export async function betweenWarnings(
  points: SlicePoints,
  surface: Pick<Surface, "alpha" | "beta" | "loss">,
  layout: ParameterLayout,
  policy: string,
  evaluator: LossEvaluator,
  signal: AbortSignal | undefined,
): Promise<LandscapeWarning[]> {
  const isChecked = hasStatistics(layout) && evaluator.facts.calibration != null;
  if (!isChecked || policy === "none" || policy === "recalibrate") return [];
  const { alpha, beta, loss } = surface;
  const inside = Array.from(loss, (value, i): CheckedPoint => {
    const place = [alpha[i % alpha.length] as number, beta[Math.floor(i / alpha.length)] as number] as const;
    const name = beta.length === 1 ? `α = ${short(place[0])}` : `(${place.map(short).join(", ")})`;
    return {
      place,
      loss: value,
      say: (there, recalibrated) =>
        `at ${name} between the models the loss is ${there}, ${recalibrated} with recalibrated statistics; "recalibrate" shows the barrier between the networks themselves`,
    };
  }).filter(
    ({ place: [a, b], loss: value }) => isWithin(a) && isWithin(b) && !isModel(a, b) && !Number.isNaN(value),
  );
  const [highest] = [...inside].sort((a, b) => b.loss - a.loss);
  const fromMiddle = ({ place: [a, b] }: CheckedPoint) =>
    Math.hypot(a - 0.5, beta.length === 1 ? 0 : b - 0.5);
  const [middle] = [...inside].sort((a, b) => fromMiddle(a) - fromMiddle(b));
  if (highest === undefined || middle === undefined) return [];
  return mattersAt(points, highest === middle ? [middle] : [highest, middle], policy, evaluator, signal);
}

const isWithin = (at: number): boolean => at >= 0 && at <= 1;
const isModel = (a: number, b: number): boolean => (a === 0 || a === 1) && (b === 0 || b === 1);
const short = (value: number): string => String(Number(value.toPrecision(3)));

/** A point whose loss is compared with the one that recalibrated statistics give. */
interface CheckedPoint {
  readonly place: readonly [number, number];
  readonly loss: number;
  /** What to say where they differ. */
  readonly say: (loss: string, recalibrated: string) => string;
}

/** Warns of the point at which recalibrated statistics change the loss most. */
async function mattersAt(
  points: SlicePoints,
  checked: readonly CheckedPoint[],
  policy: string,
  evaluator: LossEvaluator,
  signal: AbortSignal | undefined,
): Promise<LandscapeWarning[]> {
  const slice = await openSlice(evaluator, points, { batchNorm: "recalibrate", signal });
  try {
    let worst = { share: LARGE_GAP, message: "" };
    for (const { place, loss: there, say } of checked) {
      const { loss } = await slice.evaluate(...place, { signal });
      const share = shareBetween(loss, there);
      if (!(share > worst.share)) continue;
      const said = say(there.toPrecision(4), loss.toPrecision(4));
      worst = { share, message: `batch norm "${policy}" matters: ${said}` };
    }
    return worst.message === "" ? [] : [{ code: "batch-norm-matters", message: worst.message }];
  } finally {
    slice.dispose();
  }
}

/** How far two losses differ, as a share of the larger one; NaN where one is not finite. */
function shareBetween(a: number, b: number): number {
  return Math.abs(a - b) / Math.max(Math.abs(a), Math.abs(b));
}
