import { wholeNumber } from "../base/check-option.js";
import { InvalidDataError, InvalidOptionError } from "../base/errors.js";
import type { Followed } from "../base/work.js";
import type { SliceMap } from "../directions/slice-map.js";
import type { LossEvaluator, LossValue } from "../loss/loss-evaluator.js";
import type { BatchNormPolicyName } from "../loss/slice-loss.js";
import { openSlice } from "../loss/slice-loss.js";
import { type Lane, runLanes } from "../surface/evaluate-points.js";
import { checkSets } from "../surface/lines/evaluate-sets.js";
import type { EvaluationSet } from "../surface/lines/level-set-width.js";
import { mixMoments, type Repairer } from "./repair.js";

/** What is done with the statistics of the units at each point: batch norm's, or REPAIR; "none": there is nothing to do. */
export type PathPolicy = BatchNormPolicyName | "repair" | "none";

/** Losses and metrics of one evaluation set along a path. */
export interface PathValues {
  /** Name of the evaluation set. */
  readonly set: string;
  /** (W) */
  readonly loss: Float64Array;
  /** By name (W). */
  readonly metrics: Readonly<Record<string, Float64Array>>;
}

/** A path between two models: where it goes, and the losses along it. */
export interface PathLosses {
  /** What the path is: "line", "aligned line", "curve". */
  readonly name: string;
  readonly policy: PathPolicy;
  /** Coordinates (W), increasing, 0 at the first model and 1 at the second. */
  readonly t: Float64Array;
  /** Length of the path from its start to each point (W), over all weights, in their units. */
  readonly arcLength: Float64Array;
  readonly values: readonly PathValues[];
}

/** How paths are evaluated; progress counts points. */
export interface PathOptions extends Followed {
  /** Points, both ends included. Default 25. */
  readonly points?: number | undefined;
}

/** Points of a path where nothing else is asked for, as in the code of Git Re-Basin. */
export const DEFAULT_PATH_POINTS = 25;

/**
 * Returns the straight line from θ_A to θ_B as a path, exact at both ends.
 *
 * @throws {@link InvalidOptionError} for lengths that differ; {@link InvalidDataError} for weights that are not finite.
 * @example const line = linePath(thetaA, thetaB);
 */
export function linePath(a: Float32Array, b: Float32Array): SliceMap {
  checkEnds(a, b);
  return {
    center: a,
    writeInto(out, t) {
      if (t === 0 || t === 1) {
        out.set(t === 0 ? a : b);
        return;
      }
      for (let i = 0; i < out.length; i++) out[i] = (1 - t) * a[i] + t * b[i];
    },
  };
}

/** Checks the ends of a path: of one length, and finite. */
export function checkEnds(a: Float32Array, b: Float32Array): void {
  if (a.length !== b.length)
    throw new InvalidOptionError("second model", `${a.length} weights`, `${b.length}`);
  [a, b].forEach((theta, m) => {
    const bad = theta.findIndex((value) => !Number.isFinite(value));
    if (bad < 0) return;
    const where = `${m === 0 ? "first" : "second"} model, entry ${bad}`;
    throw new InvalidDataError(where, "finite weights", String(theta[bad]));
  });
}

/** Coordinates of a path: so many points from 0 to 1. */
export function pathPoints(points: number = DEFAULT_PATH_POINTS): Float64Array {
  wholeNumber("points", points, 3);
  return Float64Array.from({ length: points }, (_, i) => i / (points - 1));
}

/**
 * Evaluates loss and metrics along a path on each evaluation set.
 *
 * @param sets - evaluation sets, the training set first.
 * @param policy - what becomes of batch norm's statistics; "none" for a model without.
 * @throws as `openSlice` and `pathPoints`.
 * @example
 * const path = await evaluatePath("line", linePath(thetaA, thetaB), sets, "interpolate");
 * const [{ loss }] = barriersOf(path);
 */
export async function evaluatePath(
  name: string,
  path: SliceMap,
  sets: readonly EvaluationSet[],
  policy: Exclude<PathPolicy, "repair">,
  options: PathOptions = {},
): Promise<PathLosses> {
  const t = pathPoints(options.points);
  const batchNorm = policy === "none" ? undefined : policy;
  return evaluated(name, path, sets, policy, t, options, async (evaluator) => {
    const slice = await openSlice(evaluator, path, { batchNorm, points: t.length, signal: options.signal });
    return { at: (one, signal) => slice.evaluate(one, 0, { signal }), dispose: slice.dispose };
  });
}

/**
 * Evaluates loss and metrics along the line between two models with the units repaired at each point: their moments
 * before the activation are brought to those between the models'.
 *
 * @see Jordan et al. 2023 (REPAIR).
 * @example const path = await evaluateRepairedLine("aligned line", [thetaA, aligned], repairer, sets);
 */
export async function evaluateRepairedLine(
  name: string,
  [a, b]: readonly [Float32Array, Float32Array],
  repairer: Repairer,
  sets: readonly EvaluationSet[],
  options: PathOptions = {},
): Promise<PathLosses> {
  const t = pathPoints(options.points);
  const { signal } = options;
  const line = linePath(a, b);
  const moments = [await repairer.moments(a, signal), await repairer.moments(b, signal)] as const;
  const repairedAt = async (one: number): Promise<Float32Array> => {
    const theta = new Float32Array(a.length);
    line.writeInto(theta, one, 0);
    // The ends are the models themselves.
    if (one > 0 && one < 1) await repairer.repairInto(theta, mixMoments(...moments, one), signal);
    return theta;
  };
  return evaluated(name, line, sets, "repair", t, options, async (evaluator) => ({
    at: async (one, stop) => evaluator.evaluate(await repairedAt(one), { signal: stop }),
    dispose() {},
  }));
}

interface OpenPath {
  at(t: number, signal: AbortSignal | undefined): Promise<LossValue>;
  dispose(): void;
}

async function evaluated(
  name: string,
  path: SliceMap,
  sets: readonly EvaluationSet[],
  policy: PathPolicy,
  t: Float64Array,
  { signal, onProgress }: PathOptions,
  open: (evaluator: LossEvaluator) => Promise<OpenPath>,
): Promise<PathLosses> {
  checkSets(sets);
  const total = sets.length * t.length;
  let done = 0;
  const values: PathValues[] = [];
  for (const { name: set, evaluator } of sets) {
    const { metricNames } = evaluator.facts;
    const loss = new Float64Array(t.length);
    const metrics = Object.fromEntries(metricNames.map((metric) => [metric, new Float64Array(t.length)]));
    const opened = await open(evaluator);
    let next = 0;
    const lane: Lane = async (stop, goesOn) => {
      while (next < t.length) {
        stop?.throwIfAborted();
        const i = next++;
        const value = await opened.at(t[i], stop);
        loss[i] = value.loss;
        for (const metric of metricNames) metrics[metric][i] = value.metrics[metric];
        onProgress?.(++done, total);
        if (!goesOn()) return;
      }
    };
    try {
      await runLanes({ width: () => evaluator.concurrency ?? 1, left: () => t.length - next }, signal, lane);
    } finally {
      opened.dispose();
    }
    values.push({ set, loss, metrics });
  }
  return { name, policy, t, arcLength: arcLength(path, t), values };
}

/** Length of the path to each point, as a chain of straight pieces. */
function arcLength(path: SliceMap, t: Float64Array): Float64Array {
  const out = new Float64Array(t.length);
  let [before, now] = [Float32Array.from(path.center), new Float32Array(path.center.length)];
  for (let i = 1; i < t.length; i++) {
    path.writeInto(now, t[i], 0);
    let square = 0;
    for (let k = 0; k < now.length; k++) square += (now[k] - before[k]) ** 2;
    out[i] = out[i - 1] + Math.sqrt(square);
    [before, now] = [now, before];
  }
  return out;
}
