import pick from "lodash/pick.js";
import { EvaluationError } from "../base/errors.js";
import type { ParameterLayout } from "../model/layout.js";
import { checkBatchNorm, sliceWriters } from "./batch-norm-policy.js";
import type { EngineEvaluator, PlaneLoss, RowEvaluator, SampleAccess } from "./engine-evaluator.js";
import { createSharedUse } from "./evaluate-at.js";
import type {
  EvaluatorFacts,
  LossEvaluator,
  SampleEvaluator,
  SliceEvaluation,
  SliceLoss,
  ThetaEvaluation,
} from "./loss-evaluator.js";
import type { Recalibrator } from "./recalibrator.js";
import { sliceLoss } from "./slice-loss.js";

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
    ...(withData === undefined ? {} : { withData }),
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
  const open = async () => (opened ??= await access.open(rows, signal));
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
