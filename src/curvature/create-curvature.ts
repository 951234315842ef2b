import * as tf from "@tensorflow/tfjs";
import { currentBackend } from "../backend/current-backend.js";
import { recordKernels } from "../backend/record-kernels.js";
import { registerWasmGradients } from "../backend/wasm-gradients/register.js";
import { EvaluationError, InvalidDataError, InvalidOptionError } from "../base/errors.js";
import { sha256 } from "../base/provenance.js";
import type { LandscapeWarning } from "../base/warning.js";
import { betweenBatches, withModel } from "../loss/evaluate-at.js";
import type { EvaluationData } from "../loss/evaluation-data.js";
import { createSharedUse, type LossMode } from "../loss/loss-evaluator.js";
import { type ModelLossOptions, resolveModelLossOptions } from "../loss/loss-options.js";
import { evaluationDigest, planLoss } from "../loss/loss-plan.js";
import { probeLoss } from "../loss/model-evaluator.js";
import { portsOf } from "../loss/model-ports.js";
import { openSamples } from "../loss/model-samples.js";
import { finalActivation } from "../loss/output-loss.js";
import { undefinedPoints } from "../loss/undefined-points.js";
import { bindModel } from "../model/bound-weights.js";
import type { ParameterLayout } from "../model/layout.js";
import { layoutOfModel } from "../model/layout-of-model.js";
import { checkGradient } from "./check-gradient.js";
import { differencePoint } from "./difference-point.js";
import {
  addInto,
  batchLoss,
  eachLoss,
  type LossParts,
  type MovedWeight,
  movedWeights,
} from "./loss-parts.js";
import { type SecondOrder, secondOrder } from "./second-order.js";

/** Options of {@link createCurvature}. */
export interface CurvatureOptions extends Omit<ModelLossOptions, "metrics"> {
  /**
   * Most bytes of intermediate values that are kept between products at one θ. Beyond it they are computed again for
   * each product, which then costs about three gradients instead of two. Default 1073741824 (1 GiB).
   */
  readonly keepBytes?: number | undefined;
  /**
   * "exact" (default); or "differences" of gradients, for a smooth network with a kernel that has no exact second
   * derivative. They are compared with half and double the step; a network with kinks is refused.
   */
  readonly products?: "exact" | "differences" | undefined;
}

/** A vector over θ. */
export type ThetaVector = Float32Array | Float64Array;

/** First and second derivatives of the loss at one θ. */
export interface CurvaturePoint {
  /** Mean loss over the evaluation set. */
  readonly loss: number;
  /** Its gradient (parameterCount); zero for weights that are not trained. */
  readonly gradient: Float64Array;
  /** How much products by differences change between half and double the step, relative to them; else absent. */
  readonly differenceError?: number;
  /**
   * Returns H·v (parameterCount), exact up to float32 rounding.
   *
   * Cost: about two gradients; three where intermediate values are not kept.
   *
   * @param vector - v (parameterCount); its entries for weights that are not trained do not count.
   */
  hessianVector(vector: ThetaVector, signal?: AbortSignal): Promise<Float64Array>;
  /**
   * Returns G·v = Jᵀ·H_z·J·v: the Hessian without the curvature of the network itself, never negative for
   * crossentropy and squared errors. J: Jacobian of the outputs z; H_z: Hessian of the loss in z, diag(p) − p·pᵀ
   * for softmax crossentropy. Regularization penalties count with their whole Hessian.
   *
   * @throws {@link EvaluationError} if the loss does not begin at the logits (mode "model" with a softmax or sigmoid)
   * or a function of your own replaces it.
   */
  gaussNewtonVector(vector: ThetaVector, signal?: AbortSignal): Promise<Float64Array>;
  /** Frees what is kept for products. */
  dispose(): void;
}

/** Exact derivatives of a model's loss over an evaluation set. */
export interface Curvature {
  readonly layout: ParameterLayout;
  /** Samples of the evaluation set: the loss is the mean over them. */
  readonly samples: number;
  /** sha-256 (hex) of the data, or their `dataId`. */
  readonly dataDigest: string;
  /** sha-256 (hex) over the model's architecture and compiled loss (not its weights), as that of its loss evaluator; another with differences. */
  readonly modelDigest: string;
  /** Which form of the loss it is. */
  readonly lossMode: LossMode;
  readonly warnings: readonly LandscapeWarning[];
  /**
   * Computes loss and gradient at θ and keeps what products there need; dispose of the point before the next.
   *
   * @throws {@link EvaluationError} if the loss is not finite, or names a kernel without a second derivative.
   */
  at(theta: Float32Array, signal?: AbortSignal): Promise<CurvaturePoint>;
  /** Frees the copy of the data. Dispose of the points first. Idempotent. */
  dispose(): void;
}

const KEEP_BYTES = 2 ** 30;
/** Bytes of one batch's intermediate values that a default batch size aims at. */
const BATCH_BYTES = 2 ** 28;
/** Numbers that are held for one number of a layer's result: values, adjoints, slopes and their tangents. */
const HELD = 8;

/** As many samples as make the calls of kernels cost little and fit into memory. */
function defaultBatchSize({ layers }: tf.LayersModel): number {
  const sizes = layers.flatMap(({ outputShape }) =>
    (Array.isArray(outputShape[0]) ? (outputShape as tf.Shape[]) : [outputShape as tf.Shape]).map((shape) =>
      shape.slice(1).reduce<number>((product, length) => product * (length ?? 1), 1),
    ),
  );
  const numbers = sizes.reduce((a, b) => a + b, 1);
  return Math.max(16, Math.min(1024, Math.floor(BATCH_BYTES / (4 * HELD * numbers))));
}

/**
 * Creates what computes exact Hessian-vector products of a model's mean loss, on any backend.
 *
 * The kernels of a forward pass in evaluation mode are recorded; tangents go forward through them, and adjoints with
 * their tangents back (Pearlmutter's R-operator). Finite differences of gradients are no substitute: on ReLU networks
 * they are wrong by 10 % along the top eigenvector and by 100 % and more along a random one, at any step.
 * A kernel without a verified second derivative is refused by name, and the first-order part of the rules is compared
 * with TensorFlow.js's own gradient when the first point is opened.
 *
 * The loss is that of `createLossEvaluator`: a mean over samples, in evaluation mode (batch norm uses its moving
 * statistics), penalties only with `includeRegularization`.
 *
 * @throws {@link InvalidDataError} if the data do not fit the model.
 * @throws {@link EvaluationError} if the model has no loss, or none in the loss mode asked for.
 * @see Pearlmutter 1994, Fast exact multiplication by the Hessian.
 * @example
 * const curvature = await createCurvature(model, { xs, ys }, { loss: "logits" });
 * const point = await curvature.at(theta);
 * const { values } = await topEigenpairs(hessianOperator(point, curvature.layout), { count: 5 });
 */
export async function createCurvature(
  model: tf.LayersModel,
  data: EvaluationData,
  options: CurvatureOptions = {},
): Promise<Curvature> {
  if (currentBackend().name === "wasm") registerWasmGradients();
  const { keepBytes = KEEP_BYTES, products = "exact", ...lossOptions } = options;
  if (products !== "exact" && products !== "differences") {
    throw new InvalidOptionError("products", '"exact" or "differences"', JSON.stringify(products));
  }
  const resolved = resolveModelLossOptions({
    batchSize: defaultBatchSize(model),
    ...lossOptions,
    metrics: [],
  });
  const plan = planLoss(model, resolved);
  const weights = bindModel(model, resolved.layout ?? layoutOfModel(model));
  const isUndefined = undefinedPoints(model, weights.layout);
  const source = await openSamples(portsOf(model), data, resolved);
  const use = createSharedUse(() => source.dispose());
  const warnings = await withModel(model, () => probeLoss(model, plan, source, false)).catch(
    (error: unknown) => {
      source.dispose();
      throw error;
    },
  );
  const parts: LossParts = { model, plan, weights, source, moved: movedWeights(weights) };
  let isChecked = false;
  let worst: number | null = null;
  const digest = evaluationDigest(model, weights.layout, plan);
  return {
    layout: weights.layout,
    samples: source.samples,
    dataDigest: source.digest,
    modelDigest: products === "exact" ? digest : sha256(`${digest} by differences`),
    lossMode: plan.mode,
    get warnings() {
      return worst === null ? warnings : [...warnings, differencesWarning(worst)];
    },
    at: (theta, signal) =>
      use.run(async () => {
        if (use.isClosed()) throw new EvaluationError("curvature", "one in use", "one that was disposed");
        checkLength("theta", theta, weights.layout.parameterCount);
        if (isUndefined(theta)) throw noLoss(Number.NaN);
        const own = Float32Array.from(theta);
        if (products === "differences") {
          const point = await differencePoint(parts, own, signal);
          worst = Math.max(worst ?? 0, point.differenceError ?? 0);
          return point;
        }
        const point = await openPoint(parts, own, { keepBytes, isChecked, signal });
        isChecked = true;
        return point;
      }),
    dispose: use.close,
  };
}

interface PointOptions {
  readonly keepBytes: number;
  readonly isChecked: boolean;
  readonly signal: AbortSignal | undefined;
}

async function openPoint(
  parts: LossParts,
  theta: Float32Array,
  options: PointOptions,
): Promise<CurvaturePoint> {
  const { weights, moved } = parts;
  const count = weights.layout.parameterCount;
  const kept: SecondOrder[] = [];
  let isKept = true;
  let isDisposed = false;
  let loss = 0;
  const gradient = new Float64Array(count);
  const dispose = (): void => {
    for (const one of kept.splice(0)) one.dispose();
  };
  const first = async (one: SecondOrder): Promise<void> => {
    loss += (await one.loss.data())[0] as number;
    await addInto(gradient, moved, one.gradient);
  };
  try {
    let bytes = 0;
    await eachPart(parts, theta, options.signal, !options.isChecked, async (one) => {
      await first(one);
      bytes += one.bytes();
      isKept &&= bytes <= options.keepBytes;
      if (isKept) kept.push(one);
      else {
        dispose();
        one.dispose();
      }
    });
    if (!Number.isFinite(loss) || !gradient.every(Number.isFinite)) throw noLoss(loss);
  } catch (error) {
    dispose();
    throw error;
  }

  const product = async (
    vector: ThetaVector,
    how: "hessianVector" | "gaussNewtonVector",
    signal: AbortSignal | undefined,
  ): Promise<Float64Array> => {
    if (isDisposed) throw new EvaluationError("curvature", "a point in use", "one that was disposed");
    checkLength("vector", vector, count);
    const result = new Float64Array(count);
    const tangents = vectorTensors(moved, vector);
    const add = async (one: SecondOrder): Promise<void> => {
      const products = one[how](tangents);
      try {
        await addInto(result, moved, products);
      } finally {
        tf.dispose(products.filter((tensor) => tensor !== null));
      }
    };
    try {
      if (isKept) {
        for (const one of kept) {
          await betweenBatches(signal);
          await add(one);
        }
        // What the first product has computed once for all counts as well.
        isKept = kept.reduce((sum, one) => sum + one.bytes(), 0) <= options.keepBytes;
        if (!isKept) dispose();
      } else {
        await eachPart(parts, theta, signal, false, async (one) => {
          try {
            await add(one);
          } finally {
            one.dispose();
          }
        });
      }
    } finally {
      tf.dispose(tangents.filter((tensor) => tensor !== null));
    }
    return result;
  };
  return {
    loss,
    gradient,
    hessianVector: (vector, signal) => product(vector, "hessianVector", signal),
    async gaussNewtonVector(vector, signal) {
      refuseGaussNewton(parts);
      return product(vector, "gaussNewtonVector", signal);
    },
    dispose() {
      isDisposed = true;
      dispose();
    },
  };
}

/** Records batch after batch at θ, and the penalties; what `visit` gets is its own to dispose. */
function eachPart(
  parts: LossParts,
  theta: Float32Array,
  signal: AbortSignal | undefined,
  isFirst: boolean,
  visit: (part: SecondOrder) => Promise<void>,
): Promise<void> {
  const { model, plan, moved } = parts;
  const variables = moved.map(({ variable }) => variable);
  let isUnchecked = isFirst;
  return eachLoss(parts, theta, signal, async (loss, batch) => {
    if (isUnchecked && batch !== null) {
      await checkGradient(variables, (part) => batchLoss(model, plan, part, part.samples), batch);
    }
    isUnchecked = false;
    await visit(secondOrder(recordKernels(variables, loss), variables));
  });
}

/**
 * Checks before any data is read that Gauss–Newton products of a model's loss are defined.
 *
 * @throws {@link EvaluationError} as {@link CurvaturePoint.gaussNewtonVector} does.
 */
export function checkGaussNewton(model: tf.LayersModel, evaluation: CurvatureOptions = {}): void {
  const { keepBytes: _, products: __, ...lossOptions } = evaluation;
  refuseGaussNewton({
    model,
    plan: planLoss(model, resolveModelLossOptions({ ...lossOptions, metrics: [] })),
  });
}

function refuseGaussNewton({ model, plan }: Pick<LossParts, "model" | "plan">): void {
  const where = "Gauss-Newton product";
  if (plan.lossFunction !== null) {
    throw new EvaluationError(where, "a compiled loss on the model's outputs", "a function of your own");
  }
  if (plan.mode === "logits") return;
  const ending = model.outputs.map((output) => finalActivation(model, output)).find((one) => one !== null);
  if (ending === undefined) return;
  throw new EvaluationError(where, "a loss that begins at the logits", `one on a ${ending?.kind}`, {
    hint: 'use loss: "logits"',
  });
}

function vectorTensors(moved: readonly MovedWeight[], vector: ThetaVector): (tf.Tensor | null)[] {
  return moved.map(({ variable, offset, size }) => {
    const own = Float32Array.from(vector.subarray(offset, offset + size));
    return own.every((value) => value === 0) ? null : tf.tensor(own, variable.shape);
  });
}

function checkLength(where: string, vector: ThetaVector, count: number): void {
  if (vector.length === count) return;
  throw new InvalidDataError(where, `${count} weights`, String(vector.length));
}

/** @throws {@link InvalidOptionError} where products by differences are asked for, and `where` has no place for their error. */
export function refuseDifferences(where: string, { products = "exact" }: CurvatureOptions = {}): void {
  if (products !== "exact")
    throw new InvalidOptionError(`${where}: products`, '"exact"', JSON.stringify(products));
}

function differencesWarning(error: number): LandscapeWarning {
  const size = `${(100 * error).toPrecision(2)} %`;
  const message = `Hessian products are differences of gradients: they change by ${size} between half and double the step`;
  return { code: "differences", message };
}

function noLoss(loss: number): EvaluationError {
  return new EvaluationError("curvature", "a finite loss and gradient at θ", `a loss of ${loss}`);
}
