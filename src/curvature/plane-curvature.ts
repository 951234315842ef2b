import { symmetricEigenByQl } from "../backend/linear-algebra/decompositions.js";
import { InvalidOptionError } from "../base/errors.js";
import { customDirections } from "../directions/between-models.js";
import { embedVector } from "../directions/column-selection.js";
import type { Directions } from "../directions/directions.js";
import type { CurvaturePoint } from "./create-curvature.js";
import type { Eigenpairs } from "./lanczos.js";
import type { HessianOperator } from "./symmetric-operator.js";
import { dot } from "./vectors.js";

/**
 * Returns the first two (or three) eigenvectors as directions through θ: the plane in which the loss curves most. Give
 * them to `analyzePlane` as `{ kind: "custom", directions }`.
 *
 * @param theta - θ (parameterCount), where the operator was made.
 * @param operator - what the eigenpairs are of.
 * @param count - number of directions, 1 to 3. Default 2.
 * @throws {@link InvalidOptionError} if there are fewer eigenpairs.
 * @see Li et al. 2018 use random planes; Böttcher & Wheeler 2022 show that these hide saddles.
 * @example const directions = hessianDirections(theta, operator, await topEigenpairs(operator, { count: 2 }));
 */
export function hessianDirections(
  theta: Float32Array,
  operator: HessianOperator,
  pairs: Eigenpairs,
  count = 2,
): Directions {
  if (pairs.vectors.length < count) {
    throw new InvalidOptionError("count", `at most ${pairs.vectors.length} eigenpairs`, String(count));
  }
  const vectors = pairs.vectors
    .slice(0, count)
    .map((vector) => Float32Array.from(embedVector(vector, operator.ranges, theta.length)));
  const labels = vectors.map((_, k) => `eigenvector ${k + 1} (λ = ${pairs.values[k].toPrecision(3)})`);
  return customDirections(theta, vectors, { labels });
}

/** The Hessian within a plane. */
export interface ProjectedHessian {
  /** dᵢᵀ·H·dⱼ (k, k), row-major: the second derivatives in the plane's own coordinates. */
  readonly matrix: Float64Array;
  /** Its eigenvalues, largest first (k). */
  readonly values: Float64Array;
  /** Its eigenvectors as rows (k, k): the axes of the ellipses of equal loss, in the plane's coordinates. */
  readonly axes: Float64Array;
}

/**
 * Returns the Hessian within the plane (or line) of some directions.
 *
 * Near θ* the loss on the plane is L + gᵀx + ½·xᵀMx; where both eigenvalues are positive, contours are ellipses with the
 * half axes √(2c/λ). A random plane has the curvature tr(H)/D on average: it may look convex around a saddle of thousands
 * of dimensions.
 * Cost: one product for each direction.
 *
 * @param vectors - k directions (parameterCount each), not normalized here.
 * @throws {@link InvalidOptionError} if there is none.
 * @see Böttcher & Wheeler 2022, Visualizing high-dimensional loss landscapes with Hessian directions.
 * @example const { values } = await projectedHessian(point, directions.vectors);
 */
export async function projectedHessian(
  point: CurvaturePoint,
  vectors: readonly Float32Array[],
  signal?: AbortSignal,
): Promise<ProjectedHessian> {
  const k = vectors.length;
  if (k === 0) throw new InvalidOptionError("vectors", "at least one direction", "none");
  const wide = vectors.map((vector) => Float64Array.from(vector));
  const matrix = new Float64Array(k * k);
  for (let j = 0; j < k; j++) {
    const image = await point.hessianVector(wide[j] as Float64Array, signal);
    for (let i = 0; i < k; i++) matrix[i * k + j] = dot(wide[i] as Float64Array, image);
  }
  for (let i = 0; i < k; i++) {
    for (let j = 0; j < i; j++) {
      const mean = (matrix[i * k + j] + matrix[j * k + i]) / 2;
      matrix[i * k + j] = mean;
      matrix[j * k + i] = mean;
    }
  }
  const { values, vectors: axes } = symmetricEigenByQl(matrix, k);
  return { matrix, values, axes };
}
