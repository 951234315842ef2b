import { EvaluationError } from "../../base/errors.js";
import type { EngineEvaluator, SampleAccess } from "../engine-evaluator.js";
import { undefinedValue } from "../evaluate-at.js";
import type { LossValue, SampleValues } from "../loss-evaluator.js";
import type { LossPlan } from "../loss-plan.js";
import { CHECK_SAMPLES, differenceOf, FAR, type OwnOps } from "./agreement.js";
import type { Finiteness } from "./finiteness.js";
import { createQueue } from "./graph-loss-evaluator.js";

/** What guards an evaluator. */
export interface Guards {
  readonly loss: LossPlan;
  /** Tells where there is no loss, of some of the samples (null: of all). */
  readonly finiteness: (rows: Int32Array | null) => Finiteness;
  /** What the engine has to agree with; null where it is the model's own ops. */
  readonly ownOps: OwnOps | null;
}

/**
 * Guards an engine against what engines get wrong: where the loss is not defined it is NaN, whatever the engine
 * makes of it; and at the 1st, 2nd, 4th, 8th, … point evaluated (surfaces begin with their corners) its values on the
 * first samples must be those of the model's own ops.
 *
 * @throws {@link EvaluationError} from an evaluation, where the engine does not agree.
 */
export function guardEvaluator(
  evaluator: EngineEvaluator,
  { loss, finiteness, ownOps }: Guards,
): EngineEvaluator {
  const whole = finiteness(null);
  const queue = createQueue(() => {
    whole.dispose();
    ownOps?.dispose();
    evaluator.dispose();
  });
  const checkPoint = ownOps === null ? async () => {} : agreementCheck(evaluator, ownOps);
  const guarded = async (
    theta: Float32Array,
    signal: AbortSignal | undefined,
    evaluate: () => Promise<LossValue>,
    isSafe: () => boolean = () => false,
  ): Promise<LossValue> => {
    const value = await evaluate();
    if (Number.isNaN(value.loss)) return value;
    return queue.run(async () => {
      if (!isSafe() && !(await whole.isFinite(theta, signal))) return undefinedValue(loss);
      await checkPoint(theta, signal);
      return value;
    });
  };
  return {
    ...evaluator,
    evaluate: (theta, signal) => guarded(theta, signal, () => evaluator.evaluate(theta, signal)),
    async openPlane(vectors, signal) {
      const plane = await evaluator.openPlane?.(vectors, signal);
      const isSafe = whole.plane(vectors.center, vectors.vectors) ?? (() => false);
      return {
        isCached: plane?.isCached ?? false,
        evaluate: (theta, alpha, beta, stop) =>
          guarded(
            theta,
            stop,
            () => plane?.evaluate(theta, alpha, beta, stop) ?? evaluator.evaluate(theta, stop),
            () => isSafe(alpha, beta),
          ),
        dispose: () => plane?.dispose(),
      };
    },
    ...(evaluator.perSample === undefined
      ? {}
      : { perSample: guardSamples(evaluator.perSample, finiteness) }),
    dispose: queue.close,
  };
}

/** Compares the engine with the model's own ops at some of the points that it is asked for. */
function agreementCheck(evaluator: EngineEvaluator, ownOps: OwnOps) {
  const rows = Int32Array.from({ length: Math.min(CHECK_SAMPLES, evaluator.samples) }, (_, i) => i);
  let evaluated = 0;
  return async (theta: Float32Array, signal: AbortSignal | undefined): Promise<void> => {
    evaluated++;
    const isDue = Number.isInteger(Math.log2(evaluated));
    if (!isDue || evaluator.perSample === undefined) return;
    const expected = await ownOps.evaluate(theta, signal);
    if (expected === null) return;
    const samples = await evaluator.perSample.open(rows, signal);
    try {
      const difference = differenceOf(meanOf(await samples.evaluate(theta, signal)), expected, FAR);
      if (difference === null) return;
      throw new EvaluationError(
        `engine "${evaluator.engine.name}"`,
        `the values of the model's own ops on the first ${rows.length} samples at every point`,
        difference,
        { hint: 'use engine: "tfjs"' },
      );
    } finally {
      samples.dispose();
    }
  };
}

function meanOf({ loss, metrics }: SampleValues): LossValue {
  const mean = (values: Float64Array) => values.reduce((a, b) => a + b, 0) / values.length;
  const means = Object.entries(metrics).map(([name, values]) => [name, mean(values)] as const);
  return { loss: mean(loss), metrics: Object.fromEntries(means), clippedShare: null };
}

function guardSamples(access: SampleAccess, finiteness: Guards["finiteness"]): SampleAccess {
  return {
    ...access,
    async open(rows, signal) {
      const samples = await access.open(rows, signal);
      const own = finiteness(rows);
      const queue = createQueue(() => {
        own.dispose();
        samples.dispose();
      });
      return {
        samples: samples.samples,
        evaluate: (theta, stop) =>
          queue.run(async () => {
            const values = await samples.evaluate(theta, stop);
            if (values.loss.every(Number.isNaN)) return values;
            const gaps = await own.gaps(theta, stop);
            return gaps === null ? values : withGaps(values, gaps);
          }),
        dispose: queue.close,
      };
    },
  };
}

function withGaps({ loss, metrics }: SampleValues, gaps: Uint8Array): SampleValues {
  const without = (values: Float64Array) => values.map((value, i) => (gaps[i] === 1 ? Number.NaN : value));
  const named = Object.entries(metrics).map(([name, values]) => [name, without(values)] as const);
  return { loss: without(loss), metrics: Object.fromEntries(named) };
}
