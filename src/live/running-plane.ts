import { randomWalkBaseline } from "../directions/random-walk.js";
import { doubleCenter, gramEigen } from "../math/gram-eigen.js";
import { differencesDot } from "../math/row-kernels.js";

/** Rows that are compared at most: beyond it only every second one stays, then every fourth, and so on. */
const MOST_ROWS = 256;

/** A row of the running Gram matrix. */
export interface GramRow {
  /** Ordinal of the snapshot. */
  readonly step: number;
  /** Products of θ_i − θ_first with those of the rows before it, then with itself (float64). */
  readonly products: readonly number[];
}

/**
 * The Gram matrix of a path about its first snapshot, grown by one snapshot at a time.
 *
 * Adding one costs a product with each row that is there, N products of length D: nothing is computed
 * again. Above 256 rows only every second snapshot stays (then every fourth, …), and the newest always.
 */
export class RunningGram {
  readonly #read: (step: number) => Promise<Float32Array>;
  readonly #mostRows: number;
  #first: Float32Array | null = null;
  #rows: GramRow[] = [];
  #stride = 1;

  /**
   * @param read - returns the weights (D) of a snapshot that was added; asked once for each product.
   * @param mostRows - rows at most, 4 at least. Default 256.
   */
  constructor(read: (step: number) => Promise<Float32Array>, mostRows: number = MOST_ROWS) {
    this.#read = read;
    this.#mostRows = mostRows;
  }

  /** The rows, by increasing step. */
  get rows(): readonly GramRow[] {
    return this.#rows;
  }

  /** Every how many snapshots one stays. */
  get stride(): number {
    return this.#stride;
  }

  /**
   * Adds the weights of the next snapshot.
   *
   * @param step - its ordinal, above those added before.
   * @returns whether it was added: weights that are not finite are left out.
   */
  async add(step: number, theta: Float32Array): Promise<boolean> {
    const first = this.#first ?? theta.slice();
    const square = differencesDot(theta, theta, first);
    if (!Number.isFinite(square)) return false;
    const newest = this.#rows.at(-1);
    const kept =
      newest !== undefined && newest.step % this.#stride !== 0 ? this.#rows.slice(0, -1) : this.#rows;
    const products: number[] = [];
    for (const row of kept) {
      products.push(differencesDot(theta, await this.#read(row.step), first));
    }
    this.#first = first;
    this.#rows = [...kept, { step, products: [...products, square] }];
    if (this.#rows.length > this.#mostRows) this.#thinOut();
    return true;
  }

  #thinOut(): void {
    this.#stride *= 2;
    const last = this.#rows.length - 1;
    const stays = this.#rows.map(({ step }, i) => i === 0 || i === last || step % this.#stride === 0);
    this.#rows = this.#rows
      .filter((_, i) => stays[i])
      .map(({ step, products }) => ({ step, products: products.filter((_, j) => stays[j]) }));
  }
}

/** A path on the plane of its two first principal components so far. */
export interface RunningPlane {
  /** Ordinals of the snapshots on it. */
  readonly steps: readonly number[];
  /** Coordinates about the first snapshot, which is (0, 0). */
  readonly alpha: readonly number[];
  readonly beta: readonly number[];
  /** Share of variance of both components, and of a random walk with the same steps. */
  readonly explainedVarianceRatio: readonly [number, number];
  readonly randomWalkBaseline: readonly [number, number];
}

/** A plane needs three points. */
const LEAST_ROWS = 3;
/** Shares below this are rounding noise of a path of lower rank. */
const NO_SHARE = 1e-13;

/**
 * Returns the principal plane of the rows of a Gram matrix, mean-centred, or null below three rows.
 *
 * With the eigenpairs (λ, u) of the doubly centred Gram matrix the coordinates of row i are √λ·u_i, so that no
 * vector of length D is needed. A component's sign is free: it is chosen so that the path points the way it
 * did in the plane before, or forward in the first one, and the picture does not flip from epoch to epoch.
 * Cost: O(N³) time.
 *
 * @param before - the plane before these rows were there; null for the first.
 */
export function runningPlane(rows: readonly GramRow[], before: RunningPlane | null): RunningPlane | null {
  const n = rows.length;
  if (n < LEAST_ROWS) return null;
  const gram = fullGram(rows);
  const { values, shares, vectors } = gramEigen(doubleCenter(gram, n), n);
  const steps = rows.map(({ step }) => step);
  const axis = (m: 0 | 1): number[] => {
    if ((shares[m] as number) <= NO_SHARE) return steps.map(() => 0);
    const scale = Math.sqrt(values[m] as number);
    const start = vectors[m * n] as number;
    const found = steps.map((_, i) => scale * ((vectors[m * n + i] as number) - start));
    const sign = signOf(steps, found, before, m);
    // Not −0 for the first.
    return found.map((value) => sign * value + 0);
  };
  const walk = randomWalkBaseline(squaredSteps(rows));
  return {
    steps,
    alpha: axis(0),
    beta: axis(1),
    explainedVarianceRatio: [shares[0] as number, shares[1] as number],
    randomWalkBaseline: [walk[0] as number, walk[1] as number],
  };
}

function fullGram(rows: readonly GramRow[]): Float64Array {
  const n = rows.length;
  const gram = new Float64Array(n * n);
  rows.forEach(({ products }, i) => {
    products.forEach((product, j) => {
      gram[i * n + j] = product;
      gram[j * n + i] = product;
    });
  });
  return gram;
}

function squaredSteps(rows: readonly GramRow[]): Float64Array {
  return Float64Array.from(rows, ({ products }, i) => {
    const previous = rows[i - 1];
    if (previous === undefined) return 0;
    const own = products[i] as number;
    return Math.max(0, own + (previous.products[i - 1] as number) - 2 * (products[i - 1] as number));
  });
}

function signOf(
  steps: readonly number[],
  found: readonly number[],
  before: RunningPlane | null,
  m: 0 | 1,
): 1 | -1 {
  const known = new Map(
    before?.steps.map((step, i) => [step, (m === 0 ? before.alpha : before.beta)[i] ?? 0]),
  );
  const agreement = steps.reduce((sum, step, i) => sum + (known.get(step) ?? 0) * (found[i] as number), 0);
  const direction = agreement !== 0 ? agreement : (found[found.length - 1] as number);
  return direction < 0 ? -1 : 1;
}
