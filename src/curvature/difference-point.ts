import * as tf from "@tensorflow/tfjs";
import { observeKernels } from "../backend/record-kernels.js";
import { EvaluationError } from "../base/errors.js";
import { forwardPass } from "../loss/evaluate-at.js";
import { createNormal } from "../math/random.js";
import type { CurvaturePoint, ThetaVector } from "./create-curvature.js";
import { addInto, eachLoss, type LossParts } from "./loss-parts.js";
import { norm } from "./vectors.js";

/** Length of a step, relative to |θ|, at least to 1. */
const STEP = 3e-3;
/** Largest change of a product between half and double the step, relative to the product. */
const LIMIT = 0.05;
/** Rounding of a gradient, relative to its norm. */
const ROUNDING = 1e-6;

/** Kernels with kinks: differences of gradients are wrong around them, at any step. */
const KINKS: ReadonlySet<string> = new Set([
  "Abs",
  "ClipByValue",
  "LeakyRelu",
  "Max",
  "MaxPool",
  "MaxPool3D",
  "Maximum",
  "Min",
  "Minimum",
  "Prelu",
  "Relu",
  "Relu6",
  "Selu",
]);

/**
 * Opens a point whose products are central differences of gradients: (g(θ + h·v) − g(θ − h·v)) / 2h. A fallback for smooth
 * networks with an operation that has no exact second derivative.
 *
 * Along a random vector and along the gradient, the product is computed with half and double the step as well.
 *
 * @throws {@link EvaluationError} if the network has kinks, or a product changes by more than 5 % with the step.
 */
export async function differencePoint(
  parts: LossParts,
  theta: Float32Array,
  signal: AbortSignal | undefined,
): Promise<CurvaturePoint> {
  const count = theta.length;
  let isFirst = true;
  const gradientAt = async (at: Float32Array, stop: AbortSignal | undefined) => {
    const gradient = new Float64Array(count);
    let loss = 0;
    const variables = parts.moved.map(({ variable }) => variable);
    await eachLoss(parts, at, stop, async (lossOf, batch) => {
      if (isFirst && batch !== null) refuseKinks(parts, batch.xs);
      isFirst = false;
      const { value, grads } = tf.engine().gradients(() => lossOf().loss, variables, undefined, true) as {
        readonly value: tf.Tensor;
        readonly grads: readonly (tf.Tensor | null)[];
      };
      try {
        loss += (await value.data())[0] as number;
        await addInto(gradient, parts.moved, grads);
      } finally {
        tf.dispose([value, ...grads.filter((one) => one !== null)]);
      }
    });
    return { loss, gradient };
  };
  const { loss, gradient } = await gradientAt(theta, signal);
  if (!Number.isFinite(loss) || !gradient.every(Number.isFinite)) {
    throw new EvaluationError("curvature", "a finite loss and gradient at θ", `a loss of ${loss}`);
  }
  const unit = STEP * Math.max(1, norm(Float64Array.from(theta)));
  const along = async (vector: Float64Array, scale: number, stop: AbortSignal | undefined) => {
    const length = norm(vector);
    if (length === 0) return new Float64Array(count);
    const step = (scale * unit) / length;
    const moved = (by: number) => Float32Array.from(theta, (value, i) => value + by * (vector[i] as number));
    const { gradient: up } = await gradientAt(moved(step), stop);
    const { gradient: down } = await gradientAt(moved(-step), stop);
    return up.map((value, i) => (value - (down[i] as number)) / (2 * step));
  };
  const gaussian = createNormal(0, "difference-point");
  const random = trainedOnly(
    parts,
    Float64Array.from({ length: count }, () => gaussian()),
  );
  let differenceError = 0;
  for (const vector of [random, gradient]) {
    const length = norm(vector);
    if (length === 0) continue;
    const own = await along(vector, 1, signal);
    const floor = (ROUNDING * norm(gradient) * length) / unit / LIMIT;
    for (const scale of [0.5, 2]) {
      const other = await along(vector, scale, signal);
      const gap = norm(own.map((value, i) => value - (other[i] as number)));
      differenceError = Math.max(differenceError, gap / Math.max(norm(own), floor, Number.MIN_VALUE));
    }
  }
  if (!(differenceError <= LIMIT)) {
    const got = `a change of ${(100 * differenceError).toPrecision(3)} %`;
    throw new EvaluationError(
      "curvature by differences",
      `products that change by at most ${100 * LIMIT} % between half and double the step`,
      got,
    );
  }
  return {
    loss,
    gradient,
    differenceError,
    async hessianVector(vector: ThetaVector, stop?: AbortSignal) {
      if (vector.length === count) return along(trainedOnly(parts, vector), 1, stop);
      throw new EvaluationError("vector", `${count} weights`, String(vector.length));
    },
    async gaussNewtonVector() {
      throw new EvaluationError("Gauss-Newton product", "exact products", "differences of gradients");
    },
    dispose: () => undefined,
  };
}

/** The entries for trained weights; the others do not count. */
function trainedOnly({ moved }: LossParts, vector: ThetaVector): Float64Array {
  const own = new Float64Array(vector.length);
  for (const { offset, size } of moved) own.set(vector.subarray(offset, offset + size), offset);
  return own;
}

function refuseKinks({ model, plan }: LossParts, xs: readonly tf.Tensor[]): void {
  const kinks = new Set<string>();
  observeKernels(
    "curvature by differences",
    () => {
      forwardPass(model, plan.activations)(xs);
    },
    ({ kernel }) => {
      if (KINKS.has(kernel)) kinks.add(kernel);
    },
  );
  if (kinks.size === 0) return;
  throw new EvaluationError(
    "curvature by differences",
    "a smooth network",
    `one with kinks (kernel ${[...kinks].map((kernel) => `"${kernel}"`).join(", ")})`,
    { hint: "differences of gradients are wrong there at any step" },
  );
}
