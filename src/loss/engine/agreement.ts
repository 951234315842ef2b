import type * as tf from "@tensorflow/tfjs";
import { createNormal } from "../../math/random.js";
import type { ParameterLayout } from "../../model/layout.js";
import type { EvaluationData } from "../evaluation-data.js";
import type { LossValue } from "../loss-evaluator.js";
import { createModelEvaluator } from "../model-evaluator.js";
import type { EngineEvaluatorOptions } from "./engine-options.js";
import { createFiniteness } from "./finiteness.js";
import { createFusedEngine } from "./fused/fused-engine.js";
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
  plan: ModelPlan,
  set: DataColumns,
  options: EngineEvaluatorOptions,
): Promise<OwnOps> {
  const sampleLimit = Math.min(CHECK_SAMPLES, options.sampleLimit ?? CHECK_SAMPLES);
  const evaluator = await createModelEvaluator(model, data, { ...options, sampleLimit, dataId: "check" });
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

/** Says what differs by more than rounding can explain, or null. */
export function differenceOf(value: LossValue, expected: LossValue, tolerance: Tolerance): string | null {
  const differs = (a: number, b: number, slack: number) =>
    Number.isFinite(a) && Number.isFinite(b)
      ? Math.abs(a - b) > tolerance.relative * Math.abs(b) + slack
      : !Object.is(a, b);
  if (differs(value.loss, expected.loss, tolerance.absolute))
    return `loss ${value.loss}, not ${expected.loss}`;
  const slack = (tolerance.samples + 0.5) / CHECK_SAMPLES;
  const name = Object.keys(expected.metrics).find((metric) =>
    differs(value.metrics[metric] as number, expected.metrics[metric] as number, slack),
  );
  return name === undefined ? null : `${name} ${value.metrics[name]}, not ${expected.metrics[name]}`;
}
