import { InvalidOptionError } from "../base/errors.js";
import { refuseRenamed } from "../base/option-names.js";
import type { Followed } from "../base/work.js";
import { checkSeed } from "../math/random.js";
import { type DistanceSource, distanceMatrix } from "./distance-source.js";
import { flatten } from "./mds/embed-distances.js";

/** Options of {@link tsneEmbedding}: those of druidjs's TSNE; progress counts iterations. */
export interface TsneOptions extends Followed {
  /** Dimensions of the embedding (druidjs: `d`). Default 2. */
  readonly dimensions?: number;
  /** Effective number of neighbours. Default 30, or a third of the points where that is less. */
  readonly perplexity?: number;
  /** Learning rate. Default 10. */
  readonly epsilon?: number;
  /** Iterations. Default 1000. */
  readonly iterations?: number;
  /** Seed of the start. Default 0. */
  readonly seed?: number;
}

/** Options of {@link tsneEmbedding} with defaults filled in. */
export type ResolvedTsneOptions = Required<Omit<TsneOptions, "signal" | "onProgress">>;

/** Iterations between two looks at the signal. */
const STRIDE = 20;

/**
 * Returns the options with defaults filled in, checked against the number of points.
 *
 * @throws {@link InvalidOptionError} naming the first option that cannot be used.
 */
export function resolveTsneOptions(options: TsneOptions, count: number): ResolvedTsneOptions {
  refuseRenamed(options, "embedding");
  const {
    dimensions = 2,
    perplexity = Math.max(1, Math.min(30, (count - 1) / 3)),
    epsilon = 10,
    iterations = 1000,
    seed = 0,
  } = options;
  const check = (name: string, ok: boolean, expected: string, got: number): void => {
    if (!ok) throw new InvalidOptionError(name, expected, String(got));
  };
  const isCount = (value: number): boolean => Number.isInteger(value) && value >= 1;
  check("dimensions", isCount(dimensions), "an integer ≥ 1", dimensions);
  const most = count - 1;
  check("perplexity", perplexity >= 1 && perplexity < most, `a number from 1 to below ${most}`, perplexity);
  check("epsilon", epsilon > 0 && Number.isFinite(epsilon), "a number > 0", epsilon);
  check("iterations", isCount(iterations), "an integer ≥ 1", iterations);
  return { dimensions, perplexity, epsilon, iterations, seed: checkSeed(seed) };
}

/**
 * Embeds N points by t-SNE, t-distributed stochastic neighbour embedding, from their distances.
 *
 * The optimization is druidjs's, exact (every pair of points in every iteration): O(N²) time an iteration and
 * O(N²) memory. Distances between far groups, and the sizes of groups, mean little. The same seed gives the
 * same embedding on the same machine.
 *
 * @param source - distances of N points to themselves.
 * @returns coordinates (N, dimensions), row-major.
 * @throws {@link InvalidOptionError} if an option is out of range.
 * @see van der Maaten & Hinton 2008; druidjs.
 * @example const coordinates = await tsneEmbedding(source, { perplexity: 20, seed: 1 });
 */
export async function tsneEmbedding(
  source: DistanceSource,
  options: TsneOptions = {},
): Promise<Float64Array> {
  const { signal, onProgress } = options;
  const resolved = resolveTsneOptions(options, source.rows);
  const { dimensions, perplexity, epsilon, iterations, seed } = resolved;
  const { TSNE } = await import("@saehrimnir/druidjs");
  const tsne = new TSNE(scaledSquares(source), {
    metric: "precomputed",
    d: dimensions,
    perplexity,
    epsilon,
    seed,
  });
  let done = 0;
  let last: ArrayLike<number>[] = [];
  for (const projection of tsne.generator(iterations)) {
    last = projection;
    if (done % STRIDE === 0) {
      signal?.throwIfAborted();
      onProgress?.(done, iterations);
    }
    done++;
  }
  return flatten(last, dimensions);
}

/**
 * Squared distances (N, N) of mean 1: bandwidths are searched from 1 on, by halving and doubling, and the
 * embedding does not depend on the scale.
 */
function scaledSquares(source: DistanceSource): Float64Array[] {
  const n = source.rows;
  const matrix = distanceMatrix(source);
  const squares = matrix.map((distance) => distance * distance);
  const mean = squares.reduce((sum, square) => sum + square, 0) / (n * (n - 1));
  const factor = mean > 0 ? 1 / mean : 1;
  return Array.from({ length: n }, (_, i) =>
    squares.slice(i * n, (i + 1) * n).map((square) => square * factor),
  );
}
