import { InvalidOptionError } from "../../base/errors.js";
import type { Stoppable } from "../../base/work.js";
import type { Directions } from "../../directions/directions.js";
import { createSpan } from "../../directions/project.js";
import type { LossEvaluator } from "../../loss/loss-evaluator.js";
import type { BatchNormPolicyName } from "../../loss/slice-loss.js";
import { evaluateSurface } from "../evaluate-surface.js";
import { axisOfGrid } from "../grid.js";

/** Options of {@link epsilonSharpness}. */
export interface EpsilonSharpnessOptions extends Stoppable {
  /** ε, the size of the box. Default 1e-3, as in the paper. */
  readonly epsilon?: number;
  /** Grid points along each side of the box, odd so that θ* is one. Default 21. */
  readonly points?: number;
  /** What becomes of batch norm's statistics at each point. Default: they move with the other weights. */
  readonly batchNorm?: BatchNormPolicyName | undefined;
}

/** ε-sharpness in the span of one or two directions. */
export interface EpsilonSharpness {
  /** φ in percent; NaN (not defined) where a loss in the box is NaN, or that of θ* is −1 or less. */
  readonly sharpness: number;
  /** Largest loss in the box, and where. */
  readonly maximum: number;
  readonly at: readonly [alpha: number, beta: number];
  /** Half the width of the box along each direction. */
  readonly halfWidths: readonly number[];
  readonly epsilon: number;
}

/**
 * Returns the ε-sharpness φ = 100·(max_{z ∈ C_ε} L(θ* + Az) − L(θ*)) / (1 + L(θ*)) in the subspace of the columns
 * of A, one or two directions, with the box C_ε = {z : |z_k| ≤ ε·(|(A⁺θ*)_k| + 1)}.
 *
 * The paper searches the box with ten steps of L-BFGS-B; here every point of a grid over it, edges
 * included, is evaluated, so the value is a lower bound that a finer grid can only raise.
 * A loss of −1 or less, which no crossentropy or square has, leaves φ without a meaning: it is not defined. With
 * filter-normalized directions, as opposed to the paper's, it does not depend on the scale of the filters.
 *
 * @param directions - θ* and one or two vectors; more are not used.
 * @throws {@link InvalidOptionError} for an option that cannot be used, or directions of zeros or collinear.
 * @see Keskar et al. 2017, metric 2.1.
 * @example const { sharpness } = await epsilonSharpness(evaluator, directions, { epsilon: 0.05 });
 */
export async function epsilonSharpness(
  evaluator: LossEvaluator,
  directions: Pick<Directions, "center" | "vectors">,
  options: EpsilonSharpnessOptions = {},
): Promise<EpsilonSharpness> {
  const { epsilon = 1e-3, points = 21, batchNorm, signal } = options;
  if (!(epsilon > 0 && Number.isFinite(epsilon))) {
    throw new InvalidOptionError("epsilon", "a finite number above 0", String(epsilon));
  }
  if (!(Number.isInteger(points) && points >= 3 && points % 2 === 1)) {
    throw new InvalidOptionError("points", "an odd number of at least 3", String(points));
  }
  const vectors = directions.vectors.slice(0, 2);
  const halfWidths = boxHalfWidths(directions.center, vectors, epsilon);
  const [alpha, beta] = [0, 1].map((k) =>
    k < halfWidths.length
      ? axisOfGrid("box", { from: -halfWidths[k], to: halfWidths[k], size: points })
      : Float64Array.of(0),
  );
  const { center, loss } = await evaluateSurface(
    evaluator,
    { center: directions.center, vectors },
    { alpha, beta },
    { batchNorm, signal },
  );
  const maximum = loss.reduce((a, b) => Math.max(a, b));
  const index = Math.max(0, loss.indexOf(maximum));
  return {
    sharpness: center.loss > -1 ? (100 * (maximum - center.loss)) / (1 + center.loss) : Number.NaN,
    maximum,
    at: [alpha[index % alpha.length], beta[Math.floor(index / alpha.length)]],
    halfWidths,
    epsilon,
  };
}

/** ε·(|(A⁺θ*)_k| + 1). */
function boxHalfWidths(center: Float32Array, vectors: readonly Float32Array[], epsilon: number): number[] {
  const span = createSpan(vectors);
  const products = vectors.map((vector) => {
    let sum = 0;
    for (let i = 0; i < vector.length; i++) sum += vector[i] * center[i];
    return sum;
  });
  return Array.from(span.solve(products), (value) => epsilon * (Math.abs(value) + 1));
}
