import type * as tf from "@tensorflow/tfjs";
import { restrictVector, selectColumns } from "../directions/column-selection.js";
import type { LossEvaluator } from "../loss/loss-evaluator.js";
import type { OptimizerState } from "../model/optimizer-state.js";
import type { Curvature, CurvaturePoint } from "./create-curvature.js";
import { topEigenpairs } from "./lanczos.js";
import {
  type DescribedOptimizer,
  type NotDefined,
  optimizerScale,
  optimizerUpdate,
  settingsOf,
} from "./optimizer-step.js";
import { criticalSharpness, preconditionedOperator, stabilityThreshold } from "./stability.js";
import { hessianOperator, type SymmetricOperator } from "./symmetric-operator.js";
import { estimateTrace } from "./trace.js";
import { addScaledInto, dot, norm, normalVector, scaled } from "./vectors.js";

/** Quantities that may not be defined at a snapshot. */
export type StabilityQuantity =
  | "curvature"
  | "threshold"
  | "preconditioned"
  | "batchSharpness"
  | "criticalSharpness";

/** How sharp the loss is at a snapshot, for the optimizer that trained it. NaN: not defined, see `reasons`. */
export interface StabilityPoint {
  /** The loss that the optimizer sees: over all samples, with penalties. */
  readonly loss: number;
  readonly gradientNorm: number;
  /** η, the rate that led here. */
  readonly learningRate: number;
  /** λ₁, the largest eigenvalue of the Hessian, and its residual. */
  readonly sharpness: number;
  readonly residual: number;
  /** The largest eigenvalue of P^-½·H·P^-½, P the adaptive optimizer's own scale of each weight, and its residual. */
  readonly preconditioned: number;
  readonly preconditionedResidual: number;
  /** The optimizer's threshold: of `sharpness`, or of `preconditioned` where the optimizer is adaptive. */
  readonly threshold: number;
  /** Trace of the Hessian, and its standard error. */
  readonly trace: number;
  readonly traceError: number;
  /** E_B[gᵀ·H_B·g/|g|²] over mini-batches, for plain SGD, and its standard error. Stands against 2/η. */
  readonly batchSharpness: number;
  readonly batchError: number;
  /** 2/η_c along the update that comes next. Stands against 2/η. */
  readonly criticalSharpness: number;
  /** Hessian-vector products over the whole set. */
  readonly products: number;
  /** Why a quantity is not defined. */
  readonly reasons: Readonly<Partial<Record<StabilityQuantity, string>>>;
}

/** What {@link stabilityAt} takes, beside θ. */
export interface StabilityParts {
  readonly curvature: Curvature;
  /** Of the same loss on the same data: forward passes on a fast engine. */
  readonly evaluator: LossEvaluator;
  /** Mini-batches of the training set, each by itself; or why there are none. */
  readonly batches: readonly Curvature[] | NotDefined;
  readonly tolerance: number;
  /** Products for the trace; 0 for none. */
  readonly traceProducts: number;
  readonly seed: number;
}

/** What is known of the training at a snapshot. */
export interface TrainedWith {
  readonly optimizer: DescribedOptimizer | null;
  readonly learningRate: number;
  readonly state: OptimizerState | null;
}

/** What is known of a snapshot nearby: where iterations begin. */
export interface WarmStart {
  /** η_c, the rate that raises the loss. Default not known. */
  readonly rate?: number | undefined;
  readonly hessian: readonly Float64Array[];
  readonly preconditioned: readonly Float64Array[];
}

/** Nothing is known nearby. */
export const COLD: WarmStart = { hessian: [], preconditioned: [] };

type Writable = { -readonly [Key in keyof StabilityPoint]: StabilityPoint[Key] } & {
  reasons: Partial<Record<StabilityQuantity, string>>;
};

/**
 * Computes loss, gradient norm, λ₁, trace, batch sharpness and critical sharpness at θ, and the optimizer's own threshold.
 *
 * What is not defined is NaN, with a reason. A loss that is not finite leaves nothing defined.
 *
 * @returns the point; and the eigenvectors, for the next snapshot to begin at.
 */
export async function stabilityAt(
  parts: StabilityParts,
  theta: Float32Array,
  trained: TrainedWith,
  nearby: WarmStart = COLD,
  signal?: AbortSignal,
): Promise<{ readonly point: StabilityPoint; readonly vectors: WarmStart }> {
  const { optimizer, learningRate } = trained;
  const found: Writable = { ...NOTHING, learningRate, reasons: {} };
  const { loss } = await parts.evaluator.evaluate(theta, { signal });
  found.loss = loss;
  const settings = optimizer === null ? UNKNOWN : settingsOf(optimizer, learningRate);
  const threshold = "reason" in settings ? null : stabilityThreshold(settings);
  if (threshold === null) found.reasons.threshold = (settings as NotDefined).reason;
  else found.threshold = threshold.value;
  if (!Number.isFinite(loss)) {
    found.reasons.curvature = `the loss is ${loss}`;
    return { point: found, vectors: nearby };
  }
  const point = await parts.curvature.at(theta, signal);
  try {
    const hessian = hessianOperator(point, parts.curvature.layout);
    found.gradientNorm = norm(point.gradient);
    const top = await largest(hessian, nearby.hessian, parts, signal);
    found.sharpness = top.value;
    found.residual = top.residual;
    found.products = top.products;
    const vectors = { hessian: top.vectors, preconditioned: nearby.preconditioned, rate: nearby.rate };
    if (threshold?.matrix === "preconditioned") {
      const scale = scaleOf(parts.curvature, trained);
      if ("reason" in scale) found.reasons.preconditioned = scale.reason;
      else {
        const own = await largest(
          preconditionedOperator(hessian, scale),
          nearby.preconditioned,
          parts,
          signal,
        );
        found.preconditioned = own.value;
        found.preconditionedResidual = own.residual;
        found.products += own.products;
        vectors.preconditioned = own.vectors;
      }
    } else if (threshold !== null) found.reasons.preconditioned = "the optimizer scales all weights alike";
    else found.reasons.preconditioned = found.reasons.threshold as string;
    if (parts.traceProducts > 0) {
      const { value, standardError, products } = await estimateTrace(hessian, {
        products: Math.min(parts.traceProducts, Math.max(4, hessian.size)),
        seed: parts.seed,
        signal,
      });
      found.trace = value;
      found.traceError = standardError;
      found.products += products;
    }
    await batchSharpnessInto(found, parts, theta, trained, signal);
    await criticalSharpnessInto(found, parts, theta, point, trained, nearby, signal);
    if (found.criticalSharpness > 0) vectors.rate = 2 / found.criticalSharpness;
    return { point: found, vectors };
  } finally {
    point.dispose();
  }
}

const UNKNOWN: NotDefined = { reason: "the run does not say which optimizer trained it" };

const NOTHING: StabilityPoint = {
  loss: Number.NaN,
  gradientNorm: Number.NaN,
  learningRate: Number.NaN,
  sharpness: Number.NaN,
  residual: Number.NaN,
  preconditioned: Number.NaN,
  preconditionedResidual: Number.NaN,
  threshold: Number.NaN,
  trace: Number.NaN,
  traceError: Number.NaN,
  batchSharpness: Number.NaN,
  batchError: Number.NaN,
  criticalSharpness: Number.NaN,
  products: 0,
  reasons: {},
};

interface Largest {
  readonly value: number;
  readonly residual: number;
  readonly vectors: readonly Float64Array[];
  readonly products: number;
}

/** Eigenpairs that are followed from snapshot to snapshot: where two cross, the larger one is still found. */
const FOLLOWED = 2;
/** Length of the random part of a start, beside eigenvectors from nearby: it leads to those that they do not hold. */
const RANDOM_PART = 0.3;

async function largest(
  operator: SymmetricOperator,
  nearby: readonly Float64Array[],
  { tolerance, seed }: StabilityParts,
  signal: AbortSignal | undefined,
): Promise<Largest> {
  const own = nearby.filter(({ length }) => length === operator.size);
  const random = normalVector(operator.size, seed, "lanczos");
  const start = scaled(random, (own.length === 0 ? 1 : RANDOM_PART) / norm(random));
  for (const vector of own) addScaledInto(start, 1, vector);
  const pairs = await topEigenpairs(operator, {
    count: FOLLOWED,
    which: "largest",
    tolerance,
    start,
    seed,
    signal,
  });
  const { vectors, products } = pairs;
  return { value: pairs.values[0] as number, residual: pairs.residuals[0] as number, vectors, products };
}

/** The optimizer's scale over the rows of the Hessian. */
function scaleOf({ layout }: Curvature, { optimizer, state }: TrainedWith): Float64Array | NotDefined {
  const trained = layout.parameters.filter(({ trainable, size }) => trainable && size > 0);
  const scale = optimizerScale(
    optimizer as DescribedOptimizer,
    state,
    trained.map(({ name }) => name),
  );
  if ("reason" in scale) return scale;
  const rows = restrictVector(scale, selectColumns(layout));
  const bad = rows.reduce((count, value) => count + (value > 0 && Number.isFinite(value) ? 0 : 1), 0);
  if (bad === 0) return rows;
  const isCentered = (optimizer?.config as { readonly centered?: unknown } | null)?.centered === true;
  const why = isCentered ? ": TensorFlow.js takes ε away from v − m̄², which is then below zero" : "";
  return { reason: `the optimizer's scale is no number above 0 for ${bad} weights${why}` };
}

async function batchSharpnessInto(
  found: Writable,
  { batches }: StabilityParts,
  theta: Float32Array,
  { optimizer }: TrainedWith,
  signal: AbortSignal | undefined,
): Promise<void> {
  const reason =
    optimizer?.className !== "SGD"
      ? "batch sharpness is for plain SGD"
      : "reason" in batches
        ? batches.reason
        : null;
  if (reason !== null) {
    found.reasons.batchSharpness = reason;
    return;
  }
  const values: number[] = [];
  for (const batch of batches as readonly Curvature[]) {
    const point = await batch.at(theta, signal);
    try {
      const g = point.gradient;
      const square = dot(g, g);
      if (square > 0) values.push(dot(g, await point.hessianVector(g, signal)) / square);
    } finally {
      point.dispose();
    }
  }
  if (values.length === 0) {
    found.reasons.batchSharpness = "the gradient of every mini-batch is zero";
    return;
  }
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  found.batchSharpness = mean;
  found.batchError = values.length < 2 ? 0 : Math.sqrt(squares / (values.length - 1) / values.length);
}

async function criticalSharpnessInto(
  found: Writable,
  { evaluator }: StabilityParts,
  theta: Float32Array,
  { gradient }: CurvaturePoint,
  { optimizer, state, learningRate }: TrainedWith,
  { rate }: WarmStart,
  signal: AbortSignal | undefined,
): Promise<void> {
  const undefinedFor = (reason: string): void => {
    found.reasons.criticalSharpness = reason;
  };
  if (optimizer === null) return undefinedFor(UNKNOWN.reason);
  if (!(learningRate > 0)) return undefinedFor(`a learning rate of ${learningRate}`);
  const update = optimizerUpdate(optimizer, state, gradient, learningRate);
  if ("reason" in update) return undefinedFor(update.reason);
  if (!update.every(Number.isFinite)) return undefinedFor("the update that comes next is not finite");
  const moved = Float32Array.from(update);
  if (moved.every((value) => value === 0)) return undefinedFor("the update is zero");
  const slope = dot(gradient, update);
  if (slope >= 0) {
    return undefinedFor("momentum leads the next update uphill: it raises the loss at every rate");
  }
  const { sharpness, warnings, evaluations } = await criticalSharpness(evaluator, theta, moved, {
    // A little beyond that of the snapshot before: most often it raises the loss, and what it is lies between.
    start: rate === undefined ? learningRate : 1.25 * rate,
    loss: found.loss,
    slope,
    signal,
  });
  const [warning] = warnings;
  if (warning?.code === "critical-sharpness-rounding") {
    return undefinedFor("the loss changes less than float32 can tell");
  }
  if (warning !== undefined) {
    return undefinedFor(`the rate that raises the loss was not found within ${evaluations} losses`);
  }
  found.criticalSharpness = sharpness;
}

/** Frees mini-batches. */
export function disposeBatches(batches: StabilityParts["batches"]): void {
  if (!("reason" in batches)) for (const batch of batches) batch.dispose();
}

/** Layers whose output during training is another than in evaluation. */
export function trainingOnlyLayers(model: tf.LayersModel): readonly string[] {
  const names = model.layers.map((layer) => layer.getClassName());
  return [...new Set(names.filter((name) => /Dropout|GaussianNoise|BatchNormalization/.test(name)))];
}
