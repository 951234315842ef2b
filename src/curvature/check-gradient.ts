import * as tf from "@tensorflow/tfjs";
import { recordKernels } from "../backend/record-kernels.js";
import { EvaluationError } from "../base/errors.js";
import type { Batch } from "../loss/evaluation-data.js";
import { firstSamples } from "../loss/resident-samples.js";
import { type RecordedLoss, type SecondOrder, secondOrder } from "./second-order.js";

/** Samples that are compared. */
const SAMPLES = 16;
/** Largest difference, relative to the largest entry of TensorFlow.js's gradient. */
const TOLERANCE = 1e-3;
/** Largest asymmetry of the Hessian, relative to |H·u|·|v|. */
const SYMMETRY = 2e-5;
/** Rounding of sums that cancel. */
const FLOOR = 1e-6;

/**
 * Compares the gradient from recorded kernels with the one that TensorFlow.js computes from its tape, on some samples.
 *
 * It finds what a recording cannot see: values that a layer reads back, and gradients of a user's own that are not
 * the derivative (`tf.customGrad`).
 *
 * @throws {@link EvaluationError} naming the weight whose gradients differ.
 */
export async function checkGradient(
  variables: readonly tf.Variable[],
  lossOf: (batch: Batch) => RecordedLoss,
  batch: Batch,
): Promise<void> {
  const part = batch.samples > SAMPLES ? firstSamples(batch, SAMPLES) : batch;
  const own = secondOrder(
    recordKernels(variables, () => lossOf(part)),
    variables,
  );
  try {
    const { value, grads } = tf
      .engine()
      .gradients(() => lossOf(part).loss, [...variables], undefined, true) as TapeGradients;
    try {
      for (const [i, variable] of variables.entries()) {
        await compare(variable, own.gradient[i] ?? null, grads[i] ?? null);
      }
    } finally {
      tf.dispose([value, ...grads.filter((gradient) => gradient !== null)]);
    }
    checkSymmetry(variables, own);
  } finally {
    own.dispose();
    if (part !== batch) tf.dispose([...part.xs, ...part.ys, ...part.ws]);
  }
}

/**
 * Compares uᵀ·H·v with vᵀ·H·u for two random vectors: a backend's gradient kernel that is not the transpose of its
 * forward one makes them differ.
 */
function checkSymmetry(variables: readonly tf.Variable[], own: SecondOrder): void {
  let [asymmetry, size] = [0, 0];
  tf.tidy(() => {
    const draw = (seed: number) =>
      variables.map(({ shape }, i) => tf.randomNormal(shape, 0, 1, "float32", seed + 2 * i));
    const product = (a: readonly (tf.Tensor | null)[], b: readonly (tf.Tensor | null)[]): number =>
      a.reduce((sum, x, i) => {
        const y = b[i] ?? null;
        return sum + (x === null || y === null ? 0 : (tf.sum(tf.mul(x, y)).dataSync()[0] as number));
      }, 0);
    const [u, v] = [draw(1), draw(2)];
    const [hu, hv] = [own.hessianVector(u), own.hessianVector(v)];
    const length = (a: readonly (tf.Tensor | null)[]) => Math.sqrt(product(a, a));
    asymmetry = Math.abs(product(u, hv) - product(v, hu));
    size = length(hu) * length(v);
    tf.dispose([...hu, ...hv].filter((one) => one !== null));
  });
  if (!(asymmetry > SYMMETRY * size + FLOOR)) return;
  const got = `|uᵀ·H·v − vᵀ·H·u| of ${asymmetry.toPrecision(3)} at |H·u|·|v| = ${size.toPrecision(3)}`;
  throw new EvaluationError("curvature", "a symmetric Hessian", got, {
    hint: "a gradient kernel of this backend is wrong; use another backend",
  });
}

/** What the engine's backward pass gives; null where the loss does not depend on a variable. */
interface TapeGradients {
  readonly value: tf.Tensor;
  readonly grads: readonly (tf.Tensor | null)[];
}

async function compare(
  variable: tf.Variable,
  found: tf.Tensor | null,
  expected: tf.Tensor | null,
): Promise<void> {
  const zeros = () => new Float32Array(variable.size);
  const ours = (await found?.data()) ?? zeros();
  const theirs = (await expected?.data()) ?? zeros();
  let [gap, largest] = [0, 0];
  for (let i = 0; i < ours.length; i++) {
    gap = Math.max(gap, Math.abs(ours[i] - theirs[i]));
    largest = Math.max(largest, Math.abs(theirs[i]));
  }
  // Not a number on either side: the loss itself is refused.
  if (!(gap > TOLERANCE * largest + FLOOR)) return;
  const got = `one that differs by ${gap.toPrecision(3)} (largest entry ${largest.toPrecision(3)})`;
  throw new EvaluationError(`curvature, weight "${variable.name}"`, "TensorFlow.js's own gradient", got, {
    hint: "a layer or loss reads values back, or has a custom gradient that is not its derivative",
  });
}
