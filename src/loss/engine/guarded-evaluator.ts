import type * as tf from "@tensorflow/tfjs";
import { EvaluationError } from "../../base/errors.js";
import { createNormal } from "../../math/random.js";
import type { ParameterLayout } from "../../model/layout.js";
import type { EvaluationData } from "../evaluation-data.js";
import type { EngineEvaluator, LossValue, SampleAccess, SampleValues } from "../loss-evaluator.js";
import type { EvaluationRequest } from "../loss-options.js";
import type { LossPlan } from "../loss-plan.js";
import { openModelEvaluator } from "../model-evaluator.js";
import { createFiniteness, type Finiteness } from "./finiteness.js";
import { createFusedEngine } from "./fused/fused-engine.js";
import { createQueue } from "./graph-evaluator.js";
import { type DataColumns, firstRows } from "./graph-program.js";
import type { ModelPlan } from "./plan/plan-model.js";

/** Samples on which an engine is compared with the model's own ops. */
export const CHECK_SAMPLES = 64;

/** The model's own ops on the first samples: what every engine has to agree with. */
export interface OwnOps {
  /** Loss and metrics at θ; null where there are none, for the ops may hide it. */
  evaluate(theta: Float32Array, signal?: AbortSignal): Promise<LossValue | null>;
  /** Seconds per sample. */
  measure(theta: Float32Array, signal?: AbortSignal): Promise<number>;
  dispose(): void;
}

/** Opens the model's own ops on the first samples. */
export async function openOwnOps(
  model: tf.LayersModel,
  data: EvaluationData,
  {
    plan,
    loss,
    set,
    asked,
  }: {
    readonly plan: ModelPlan;
    readonly loss: LossPlan;
    readonly set: DataColumns;
    readonly asked: EvaluationRequest;
  },
): Promise<OwnOps> {
  const sampleLimit = Math.min(CHECK_SAMPLES, asked.sampleLimit);
  const evaluator = await openModelEvaluator(model, data, loss, { ...asked, sampleLimit, dataId: "check" });
  const finiteness = createFiniteness({
    plan,
    engine: createFusedEngine(),
    data: firstRows(set, CHECK_SAMPLES),
    batchSize: CHECK_SAMPLES,
  });
  return {
    async evaluate(theta, signal) {
      if (!(await finiteness.isFinite(theta, signal))) return null;
      const value = await evaluator.evaluate(theta, signal);
      return Number.isNaN(value.loss) ? null : value;
    },
    async measure(theta, signal) {
      const begin = performance.now();
      await evaluator.evaluate(theta, signal);
      return (performance.now() - begin) / 1000 / evaluator.samples;
    },
    dispose() {
      finiteness.dispose();
      evaluator.dispose();
    },
  };
}

/** A point at which engines are compared, and what the model's own ops give there. */
export interface CheckPoint {
  readonly name: string;
  readonly theta: Float32Array;
  readonly expected: LossValue;
}

/**
 * Returns the points at which engines are compared before one is chosen: the model's own weights, and the corners of
 * a plane through them whose two directions are as long as the weights, parameter by parameter. Points without a
 * loss are left out.
 */
export async function checkPoints(
  ownOps: OwnOps,
  theta: Float32Array,
  layout: ParameterLayout,
  signal: AbortSignal | undefined,
): Promise<readonly CheckPoint[]> {
  const [dx, dy] = ["x", "y"].map((axis) => directionLike(theta, layout, axis)) as [
    Float32Array,
    Float32Array,
  ];
  const corners = [1, -1].flatMap((a) => [1, -1].map((b) => [a, b] as const));
  const places = [
    { name: "the model's weights", theta },
    ...corners.map(([a, b]) => ({
      name: `the corner (${a}, ${b}) of a random plane`,
      theta: theta.map((value, i) => value + a * (dx[i] as number) + b * (dy[i] as number)),
    })),
  ];
  const points: CheckPoint[] = [];
  for (const place of places) {
    const expected = await ownOps.evaluate(place.theta, signal);
    if (expected !== null) points.push({ ...place, expected });
  }
  return points;
}

/** Normal numbers with the norm of each trainable parameter; statistics stay. */
function directionLike(theta: Float32Array, { parameters }: ParameterLayout, axis: string): Float32Array {
  const direction = new Float32Array(theta.length);
  for (const { name, offset, size, role } of parameters) {
    if (role === "state") continue;
    const next = createNormal(0, "engine check", axis, name);
    const own = theta.subarray(offset, offset + size);
    const part = direction.subarray(offset, offset + size);
    for (let i = 0; i < size; i++) part[i] = next();
    const scale = norm(own) / (norm(part) || 1);
    for (let i = 0; i < size; i++) part[i] = scale * (part[i] as number);
  }
  return direction;
}

function norm(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}

/** How far values may be apart, by what rounding can explain. */
export interface Tolerance {
  readonly relative: number;
  readonly absolute: number;
  /** Samples on the edge between two classes that may fall to either side. */
  readonly samples: number;
}

/** At the model's own weights. */
export const CLOSE: Tolerance = { relative: 1e-4, absolute: 1e-5, samples: 1 };
/** Far from them, where outputs are large and rounding counts for more. */
export const FAR: Tolerance = { relative: 3e-3, absolute: 1e-4, samples: 3 };

/**
 * Says what differs by more than rounding can explain, or null.
 *
 * @param count - samples of which these are the means: each counts for more among few. Default those of a check.
 */
export function differenceOf(
  value: LossValue,
  expected: LossValue,
  tolerance: Tolerance,
  count = CHECK_SAMPLES,
): string | null {
  const differs = (a: number, b: number, slack: number) =>
    Number.isFinite(a) && Number.isFinite(b)
      ? Math.abs(a - b) > tolerance.relative * Math.abs(b) + slack
      : !Object.is(a, b);
  if (differs(value.loss, expected.loss, (tolerance.absolute * CHECK_SAMPLES) / count))
    return `loss ${value.loss}, not ${expected.loss}`;
  const slack = (tolerance.samples + 0.5) / count;
  const name = Object.keys(expected.metrics).find((metric) =>
    differs(value.metrics[metric] as number, expected.metrics[metric] as number, slack),
  );
  return name === undefined ? null : `${name} ${value.metrics[name]}, not ${expected.metrics[name]}`;
}

/** What guards an evaluator. */
export interface Guards {
  /** The value where there is no loss. */
  readonly noValue: LossValue;
  /** Tells where there is no loss, of some of the samples (null: of all). */
  readonly finiteness: (rows: Int32Array | null) => Finiteness;
  /** What the engine has to agree with; null where it is the model's own ops. */
  readonly ownOps: OwnOps | null;
}

/**
 * Guards an engine against what engines get wrong: where the loss is not defined it is NaN, whatever the engine
 * makes of it; and at the 1st, 2nd, 4th, 8th, … point evaluated (surfaces begin with their corners) its values on the
 * first samples must be those of the model's own ops. Where some samples are evaluated in another form than whole sets,
 * they must have the same values in both at their first point.
 *
 * @throws {@link EvaluationError} from an evaluation, where the engine does not agree, and from every one after it.
 */
export function guardEvaluator(
  evaluator: EngineEvaluator,
  { noValue, finiteness, ownOps }: Guards,
): EngineEvaluator {
  const whole = finiteness(null);
  const queue = createQueue(() => {
    whole.dispose();
    ownOps?.dispose();
    evaluator.dispose();
  });
  const agreement = ownOps === null ? null : agreementCheck(evaluator, ownOps);
  const guarded = async (
    theta: Float32Array,
    signal: AbortSignal | undefined,
    evaluate: () => Promise<LossValue>,
    isSafe: () => boolean = () => false,
  ): Promise<LossValue> => {
    const value = await evaluate();
    if (Number.isNaN(value.loss)) return value;
    return queue.run(async () => {
      if (!isSafe() && !(await whole.isFinite(theta, signal))) return noValue;
      await agreement?.check(theta, signal);
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
      : { perSample: guardSamples(evaluator.perSample, finiteness, agreement) }),
    dispose: queue.close,
  };
}

/** What is known of an engine in use. */
interface Agreement {
  /** Compares it with the model's own ops at θ, if that is due. */
  check(theta: Float32Array, signal: AbortSignal | undefined): Promise<void>;
  /** Remembers a difference. @throws {@link EvaluationError} that names it, and from now on every `refuse`. */
  found(expected: string, difference: string): never;
  /** @throws {@link EvaluationError} if a difference was found. */
  refuse(): void;
}

/** Compares the engine with the model's own ops at some of the points that it is asked for. */
function agreementCheck(evaluator: EngineEvaluator, ownOps: OwnOps): Agreement {
  const rows = Int32Array.from({ length: Math.min(CHECK_SAMPLES, evaluator.samples) }, (_, i) => i);
  let evaluated = 0;
  let wrong: EvaluationError | undefined;
  // Whoever tries again is not told another time that all is well.
  const refuse = (): void => {
    if (wrong !== undefined) throw wrong;
  };
  const found = (expected: string, difference: string): never => {
    const where = `engine "${evaluator.engine.name}"`;
    wrong = new EvaluationError(where, expected, difference, { hint: 'use engine: "tfjs"' });
    throw wrong;
  };
  const differenceAt = async (
    theta: Float32Array,
    signal: AbortSignal | undefined,
  ): Promise<string | null> => {
    if (evaluator.perSample === undefined) return null;
    const expected = await ownOps.evaluate(theta, signal);
    if (expected === null) return null;
    const values = await evaluateRows(evaluator.perSample, rows, theta, signal);
    return differenceOf(meanOf(values), expected, FAR);
  };
  return {
    async check(theta, signal) {
      refuse();
      const isDue = Number.isInteger(Math.log2(evaluated + 1));
      const difference = isDue ? await differenceAt(theta, signal) : null;
      // A comparison that was cut off does not count: the next point is due.
      evaluated++;
      if (difference === null) return;
      found(
        `the values of the model's own ops on the first ${rows.length} samples at every point`,
        difference,
      );
    },
    found,
    refuse,
  };
}

/** Means over the first samples. */
function meanOf({ loss, metrics }: SampleValues, count = loss.length): LossValue {
  const mean = (values: Float64Array) => values.subarray(0, count).reduce((a, b) => a + b, 0) / count;
  const means = Object.entries(metrics).map(([name, values]) => [name, mean(values)] as const);
  return { loss: mean(loss), metrics: Object.fromEntries(means), clippedShare: null };
}

function guardSamples(
  access: SampleAccess,
  finiteness: Guards["finiteness"],
  agreement: Agreement | null,
): SampleAccess {
  return {
    ...access,
    async open(rows, how) {
      const samples = await access.open(rows, how);
      const own = finiteness(rows);
      const queue = createQueue(() => {
        own.dispose();
        samples.dispose();
      });
      let isDue = agreement !== null && rows !== null && samples.isForFew === true;
      return {
        samples: samples.samples,
        evaluate: (theta, stop) =>
          queue.run(async () => {
            agreement?.refuse();
            const values = await samples.evaluate(theta, stop);
            const isUndefined = values.loss.every(Number.isNaN);
            const gaps = isUndefined ? null : await own.gaps(theta, stop);
            if (gaps !== null) return withGaps(values, gaps);
            if (isDue) {
              const first = (rows as Int32Array).subarray(0, CHECK_SAMPLES);
              const usual = await evaluateRows(access, first, theta, stop);
              const { length } = first;
              const difference = differenceOf(meanOf(values, length), meanOf(usual), FAR, length);
              // What has no value does not tell.
              isDue = isUndefined;
              if (difference !== null && (!isUndefined || (await own.gaps(theta, stop)) === null))
                agreement?.found(
                  `the first ${length} samples of the subsample to be evaluated as in whole sets`,
                  difference,
                );
            }
            return values;
          }),
        dispose: queue.close,
      };
    },
  };
}

/** Evaluates some samples in the form of whole sets. */
async function evaluateRows(
  access: SampleAccess,
  rows: Int32Array,
  theta: Float32Array,
  signal: AbortSignal | undefined,
): Promise<SampleValues> {
  const samples = await access.open(rows, { signal });
  try {
    return await samples.evaluate(theta, signal);
  } finally {
    samples.dispose();
  }
}

function withGaps({ loss, metrics }: SampleValues, gaps: Uint8Array): SampleValues {
  const without = (values: Float64Array) => values.map((value, i) => (gaps[i] === 1 ? Number.NaN : value));
  const named = Object.entries(metrics).map(([name, values]) => [name, without(values)] as const);
  return { loss: without(loss), metrics: Object.fromEntries(named) };
}
