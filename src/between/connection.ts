import type * as tf from "@tensorflow/tfjs";
import { wholeNumber } from "../base/check-option.js";
import { InvalidOptionError } from "../base/errors.js";
import type { LandscapeWarning } from "../base/warning.js";
import type { EvaluationData } from "../loss/evaluation-data.js";
import { BATCH_NORM_POLICIES, hasStatistics } from "../loss/slice-loss.js";
import type { ParameterLayout } from "../model/layout.js";
import type { EvaluationSet } from "../surface/lines/level-set-width.js";
import {
  type AlignMethod,
  type Alignment,
  type AlignOptions,
  alignModels,
  checkAlignOptions,
} from "./align-models.js";
import { type Curve, curvePath } from "./curve.js";
import type { CurveFacts } from "./curve-file.js";
import {
  checkEnds,
  evaluatePath,
  evaluateRepairedLine,
  linePath,
  type PathLosses,
  type PathOptions,
  type PathPolicy,
  pathPoints,
} from "./path-losses.js";
import { createRepairer } from "./repair.js";

/** What a matching came to, as plain data. */
export interface AlignmentFacts
  extends Pick<Alignment, "method" | "moved" | "units" | "distance" | "outputDifference"> {
  /** For each group its layers, and the unit of the second model that takes each place. */
  readonly groups: readonly { readonly layers: readonly string[]; readonly from: readonly number[] }[];
}

/** What lies between two models. */
export interface Connection {
  /** What the models are called. */
  readonly names: readonly [string, string];
  /** How the second model's units were matched to the first one's; null where they were not. */
  readonly alignment: AlignmentFacts | null;
  /** "line" and "aligned line", each under every policy that there is; "curve", recalibrated where there is batch norm. */
  readonly paths: readonly PathLosses[];
  /** How the curve was trained; null where there is none. */
  readonly curve: CurveFacts | null;
  readonly warnings: readonly LandscapeWarning[];
}

/** Options of {@link connectModels}. */
export interface ConnectOptions
  extends Pick<PathOptions, "points" | "signal">,
    Pick<AlignOptions, "tries" | "seed" | "algebra"> {
  /** How the second model's units are matched; null: not at all. Default "weights". */
  readonly align?: AlignMethod | null | undefined;
  /** Order of θ. Default that of the model. */
  readonly layout?: ParameterLayout | undefined;
  /** What the models are called. Default "model 1" and "model 2". */
  readonly names?: readonly [string, string] | undefined;
  /** First samples of the data that units are matched, checked and repaired on. Default 1024. */
  readonly sampleLimit?: number | undefined;
  /** A curve from the first model to the second, as it is, not aligned. Default none. */
  readonly curve?: { readonly curve: Curve; readonly facts: CurveFacts } | null | undefined;
  /** Points of the curve, both ends included. Default 61. */
  readonly curvePoints?: number | undefined;
  /** Paths of the same connection that are known already: they are not evaluated again. Default none. */
  readonly known?: readonly PathLosses[] | undefined;
  /** Called with the connection so far, after each path. */
  readonly onPath?: ((sofar: Connection) => Promise<void>) | undefined;
  /** Called with the points evaluated and all of them. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Points of a curve where nothing else is asked for, as published. */
export const DEFAULT_CURVE_POINTS = 61;

/** The settings of a connection, defaults filled in. */
export interface ResolvedConnectOptions {
  readonly align: AlignMethod | null;
  readonly tries: number;
  readonly seed: number;
  readonly sampleLimit: number;
  readonly points: number;
}

/** Fills in the defaults, and checks everything. */
export function resolveConnectOptions(options: ConnectOptions): ResolvedConnectOptions {
  const { align = "weights", tries = 5, seed = 0, sampleLimit = 1024 } = options;
  checkAlignOptions({ method: align ?? undefined, tries, seed }, "align");
  wholeNumber("sampleLimit", sampleLimit);
  return { align, tries, seed, sampleLimit, points: pathPoints(options.points).length };
}

/**
 * Evaluates what lies between two models of one architecture: the straight line, and the line to the second model with
 * its units matched to the first one's. With batch normalization each line is evaluated with its statistics kept,
 * interpolated and recalibrated; without, the aligned line also with its units repaired (REPAIR).
 *
 * A low barrier after matching says that the models are the same solution but for the order of units; a high one does
 * not say that they are not: the matching is a local optimum, and knows of no other symmetry.
 *
 * @param model - the architecture, compiled; its own weights do not count.
 * @param data - inputs that units are matched, checked and repaired on: the training set.
 * @param thetas - θ_A and θ_B (parameterCount).
 * @param sets - evaluation sets, the training set first.
 * @throws as {@link alignModels} and {@link evaluatePath}.
 * @example
 * const connection = await connectModels(model, { xs, ys }, [thetaA, thetaB], [{ name: "train", evaluator }]);
 * for (const path of connection.paths) console.log(path.name, path.policy, barriersOf(path)[0].loss.aboveLine);
 */
export async function connectModels(
  model: tf.LayersModel,
  data: EvaluationData,
  thetas: readonly [Float32Array, Float32Array],
  sets: readonly EvaluationSet[],
  options: ConnectOptions = {},
): Promise<Connection> {
  const { align, tries, seed, points, sampleLimit } = resolveConnectOptions(options);
  const { names = ["model 1", "model 2"], layout, algebra, signal, onProgress } = options;
  const { curve = null, curvePoints = DEFAULT_CURVE_POINTS, known = [], onPath } = options;
  const [a, b] = thetas;
  if (sets.length === 0) throw new InvalidOptionError("sets", "at least one evaluation set", "none");
  checkEnds(a, b);
  if (curve !== null) checkCurve(curve.curve, thetas, sets, layout);
  const aligned =
    align === null
      ? null
      : await alignModels(model, data, a, b, {
          method: align,
          layout,
          tries,
          seed,
          sampleLimit,
          algebra,
          signal,
        });
  const policies = policiesOf(sets, layout ?? aligned?.groups.layout);
  const repairer =
    aligned === null || policies.length > 1
      ? null
      : await createRepairer(model, data, { layout, sampleLimit });
  const isRepaired = aligned !== null && repairer !== null && repairer.layers.length > 0;
  const lines = policies.length * (aligned === null ? 1 : 2) + (isRepaired ? 1 : 0);
  const total = (lines * points + (curve === null ? 0 : curvePoints)) * sets.length;
  const isEqual = a.every((value, i) => value === b[i]);
  const paths: PathLosses[] = [];
  const sofar = (): Connection => ({
    names,
    alignment: aligned === null ? null : factsOf(aligned),
    paths: [...paths],
    curve: curve?.facts ?? null,
    warnings: [...(aligned?.warnings ?? []), ...(isEqual ? [equalWarning(names)] : [])],
  });
  let before = 0;
  const add = async (
    name: string,
    policy: PathPolicy,
    count: number,
    evaluate: (how: PathOptions) => Promise<PathLosses>,
  ) => {
    const start = before;
    before += sets.length * count;
    const stored = known.find((path) => path.name === name && path.policy === policy);
    const follow = (done: number) => onProgress?.(start + done, total);
    paths.push(stored ?? (await evaluate({ points: count, signal, onProgress: follow })));
    if (stored === undefined && onPath !== undefined) await onPath(sofar());
  };
  try {
    const ends = [
      ["line", b] as const,
      ...(aligned === null ? [] : [["aligned line", aligned.theta] as const]),
    ];
    for (const [name, end] of ends) {
      for (const policy of policies) {
        await add(name, policy, points, (how) => evaluatePath(name, linePath(a, end), sets, policy, how));
      }
    }
    if (isRepaired) {
      const repaired = [a, aligned.theta] as const;
      await add("aligned line", "repair", points, (how) =>
        evaluateRepairedLine("aligned line", repaired, repairer, sets, how),
      );
    }
    if (curve !== null) {
      const policy = policies.includes("recalibrate") ? "recalibrate" : "none";
      const path = curvePath(curve.curve);
      await add("curve", policy, curvePoints, (how) => evaluatePath("curve", path, sets, policy, how));
    }
    return sofar();
  } finally {
    repairer?.dispose();
  }
}

/** Checks that a curve runs between the models, and can be evaluated: its bends have no statistics of their own. */
function checkCurve(
  { points }: Curve,
  [a, b]: readonly [Float32Array, Float32Array],
  sets: readonly EvaluationSet[],
  layout: ParameterLayout | undefined,
): void {
  const isEnd = (point: Float32Array, end: Float32Array) =>
    point.length === end.length && point.every((value, i) => value === end[i]);
  if (!isEnd(points[0], a) || !isEnd(points[points.length - 1], b)) {
    throw new InvalidOptionError("curve", "one between the two models", "one with other ends");
  }
  if (layout === undefined || !hasStatistics(layout)) return;
  if (sets.every(({ evaluator }) => evaluator.facts.calibration != null)) return;
  const hint = "give createLossEvaluator a calibration set";
  const expected = "evaluators with a calibration set, for a model with batch normalization";
  throw new InvalidOptionError("curve", expected, "none", { hint });
}

/** What becomes of batch norm's statistics, each way that there is; "none" alone where there are none. */
function policiesOf(
  sets: readonly EvaluationSet[],
  layout: ParameterLayout | undefined,
): Exclude<PathPolicy, "repair">[] {
  if (layout === undefined || !hasStatistics(layout)) return ["none"];
  const canCalibrate = sets.every(({ evaluator }) => evaluator.facts.calibration != null);
  return BATCH_NORM_POLICIES.filter((policy) => policy !== "recalibrate" || canCalibrate);
}

function factsOf(alignment: Alignment): AlignmentFacts {
  const { method, moved, units, distance, outputDifference, groups, permutation } = alignment;
  return {
    method,
    moved,
    units,
    distance,
    outputDifference,
    groups: groups.groups.map(({ layers }, g) => ({ layers, from: Array.from(permutation[g]) })),
  };
}

function equalWarning([a, b]: readonly [string, string]): LandscapeWarning {
  return { code: "equal-models", message: `${a} and ${b} have the same weights: nothing lies between them` };
}
