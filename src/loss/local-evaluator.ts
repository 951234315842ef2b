import pick from "lodash/pick.js";
import { EvaluationError, InvalidDataError } from "../base/errors.js";
import { defined } from "../base/json.js";
import { sha256 } from "../base/provenance.js";
import type { ParameterLayout } from "../model/layout.js";
import {
  createSharedUse,
  type EngineEvaluator,
  type EvaluatorFacts,
  type LossEvaluator,
  type LossValue,
  type PlaneLoss,
  type RowEvaluator,
  type SampleAccess,
  type SampleEvaluator,
  type SliceEvaluation,
  type SliceLoss,
  type ThetaEvaluation,
} from "./loss-evaluator.js";
import type { Recalibrator } from "./recalibrator.js";
import { checkBatchNorm, isVariance, nanValue, sliceLoss, sliceWriters } from "./slice-loss.js";

/** What a loss evaluator of this process is made of. */
export interface LocalParts {
  readonly engine: EngineEvaluator;
  readonly layout: ParameterLayout;
  /** Names weights whose values at θ leave no loss. */
  readonly undefinedAt: (theta: Float32Array) => readonly string[];
  /** Computes batch norm's statistics anew; null where there is no calibration set. */
  readonly recalibrator: Recalibrator | null;
  readonly withData?: LossEvaluator["withData"];
  /** Called once, after the engine is disposed. */
  readonly release: () => void;
}

/** Fewest points for which preparing a plane, which costs about three, is worthwhile. */
const POINTS_FOR_PLANE = 16;

/** Makes a loss evaluator of an engine: batch norm, slices and samples are the same for all engines. */
export function localEvaluator(parts: LocalParts): LossEvaluator {
  const { engine, recalibrator, withData } = parts;
  const recalibrate = async (theta: Float32Array, how: ThetaEvaluation): Promise<Float32Array> => {
    checkBatchNorm(how.batchNorm, recalibrator !== null);
    if (how.batchNorm !== "recalibrate") return theta;
    const own = Float32Array.from(theta);
    await recalibrator?.recalibrateInto(own, how.signal);
    return own;
  };
  const { perSample } = engine;
  let isDisposed = false;
  return {
    facts: factsOf(parts),
    concurrency: 1,
    evaluate: async (theta, how = {}) => engine.evaluate(await recalibrate(theta, how), how.signal),
    openSlice: (slice, how = {}) => openSlice(parts, slice, how),
    ...(perSample === undefined
      ? {}
      : { openSamples: (rows, signal) => openSamples({ ...engine, perSample }, rows, recalibrate, signal) }),
    ...defined({ withData }),
    dispose() {
      if (isDisposed) return;
      isDisposed = true;
      engine.dispose();
      parts.release();
    },
  };
}

const FACTS = [
  "engine",
  "request",
  "lossMode",
  "parameterCount",
  "metricNames",
  "samples",
  "dataDigest",
  "modelDigest",
  "weights",
  "warnings",
  "measured",
] as const satisfies readonly (keyof EvaluatorFacts)[];

function factsOf({ engine, recalibrator }: LocalParts): EvaluatorFacts {
  return {
    ...pick(engine, FACTS),
    calibration: recalibrator === null ? null : pick(recalibrator, ["dataDigest", "samples"]),
  };
}

async function openSlice(
  { engine, layout, undefinedAt, recalibrator }: LocalParts,
  slice: Parameters<NonNullable<LossEvaluator["openSlice"]>>[0],
  { batchNorm, points = 0, signal }: SliceEvaluation,
): Promise<SliceLoss> {
  checkBatchNorm(batchNorm, recalibrator !== null);
  const writers = sliceWriters(slice, layout, batchNorm);
  let plane: PlaneLoss | null = null;
  // Only θ that are exactly where the directions say can share work.
  if (writers.isPlain && engine.openPlane !== undefined && points >= POINTS_FOR_PLANE && "vectors" in slice) {
    const { center, vectors } = slice;
    plane = await engine.openPlane({ center, vectors: vectors.slice(0, 2) }, signal);
  }
  const use = createSharedUse(() => plane?.dispose());
  return sliceLoss({
    writers,
    isPrepared: plane?.isCached ?? false,
    undefinedAt: batchNorm === "recalibrate" ? () => [] : undefinedAt,
    metricNames: engine.metricNames,
    evaluate: (theta, alpha, beta, how) => {
      if (use.isClosed()) throw new EvaluationError("slice", "one in use", "one that was disposed");
      return use.run(async () => {
        if (batchNorm === "recalibrate") await recalibrator?.recalibrateInto(theta, how.signal);
        if (plane === null) return engine.evaluate(theta, how.signal);
        return plane.evaluate(theta, alpha, beta, how.signal);
      });
    },
    dispose: use.close,
  });
}

async function openSamples(
  { samples, perSample: access }: EngineEvaluator & { readonly perSample: SampleAccess },
  rows: Int32Array | null,
  recalibrate: (theta: Float32Array, how: ThetaEvaluation) => Promise<Float32Array>,
  signal: AbortSignal | undefined,
): Promise<SampleEvaluator> {
  let opened: RowEvaluator | undefined;
  const open = async () => (opened ??= await access.open(rows, { isSubsample: rows !== null, signal }));
  // All rows are often opened for their classes alone.
  if (rows !== null) await open();
  return {
    samples: rows?.length ?? samples,
    async classes(stop) {
      const all = await access.classes(stop);
      return all === null || rows === null ? all : Int32Array.from(rows, (row) => all[row] as number);
    },
    losses: async (theta, how = {}) => (await open()).evaluate(await recalibrate(theta, how), how.signal),
    dispose: () => opened?.dispose(),
  };
}

/** Options of `functionEvaluator`. */
export interface FunctionEvaluatorOptions {
  /** Names of the metrics that the function returns. Default none. */
  readonly metricNames?: readonly string[] | undefined;
  /** What the function is called in provenance. Default its source text's digest. */
  readonly id?: string | undefined;
  /** The meaning of the entries of θ, for batch norm's statistics among them. Default there are none. */
  readonly layout?: ParameterLayout | undefined;
}

/** Loss, or loss and metrics, in closed form. */
export type LossOfTheta = (
  theta: Float32Array,
) => number | { readonly loss: number; readonly metrics: Readonly<Record<string, number>> };

/**
 * Makes a closed form of θ a loss evaluator: for tests, and for landscapes that are no network's.
 *
 * @param parameterCount - length of θ.
 * @example functionEvaluator((theta) => theta[0] ** 2 + 3 * theta[1] ** 2, 2);
 */
export function functionEvaluator(
  lossOf: LossOfTheta,
  parameterCount: number,
  options: FunctionEvaluatorOptions = {},
): LossEvaluator {
  const { layout, metricNames = [] } = options;
  const id = options.id ?? sha256(String(lossOf));
  const facts: EvaluatorFacts = {
    engine: { name: "function", backend: "js", batchSize: 0, threads: 1 },
    lossMode: "model",
    parameterCount,
    metricNames,
    samples: 1,
    dataDigest: id,
    modelDigest: id,
  };
  const undefinedAt = (theta: Float32Array) => (layout === undefined ? [] : negativeVariances(theta, layout));
  const evaluate = async (theta: Float32Array, signal?: AbortSignal): Promise<LossValue> => {
    signal?.throwIfAborted();
    if (theta.length !== parameterCount) {
      throw new InvalidDataError("theta", `${parameterCount} weights`, String(theta.length));
    }
    if (undefinedAt(theta).length > 0) return nanValue(facts);
    const value = lossOf(theta);
    const { loss, metrics } = typeof value === "number" ? { loss: value, metrics: {} } : value;
    return { loss, metrics, clippedShare: null };
  };
  const engine: EngineEvaluator = { ...facts, evaluate, dispose() {} };
  if (layout === undefined) {
    return { facts, evaluate: (theta, how) => evaluate(theta, how?.signal), dispose: engine.dispose };
  }
  return localEvaluator({ engine, layout, undefinedAt, recalibrator: null, release() {} });
}

function negativeVariances(theta: Float32Array, { parameters }: ParameterLayout): string[] {
  return parameters
    .filter((parameter) => isVariance(parameter) && hasNegative(theta, parameter))
    .map(({ name }) => name);
}

function hasNegative(
  theta: Float32Array,
  { offset, size }: { readonly offset: number; readonly size: number },
): boolean {
  return theta.subarray(offset, offset + size).some((value) => value < 0);
}
