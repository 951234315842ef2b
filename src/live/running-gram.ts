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
