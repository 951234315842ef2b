import { InvalidDataError } from "../base/errors.js";

/** An assignment, and what makes the next one of similar values quick. */
export interface Assignment {
  /** For each row its column (n). */
  readonly columns: Int32Array;
  /** Potentials of the columns (n): less its column's potential, each row's value is largest at its own column. */
  readonly potentials: Float64Array;
}

/**
 * Returns the assignment of rows to columns with the largest sum of values.
 *
 * Jonker and Volgenant's algorithm, O(n³) at worst: rows bid for columns, as in an auction, and those that are left over
 * are placed by shortest augmenting paths. It may start from any potentials; those of similar values leave little to do.
 *
 * @param values - (n, n), row-major, finite.
 * @param near - an assignment of similar values; default none.
 * @throws {@link InvalidDataError} if a value is not finite: no assignment is best then.
 * @see Jonker and Volgenant 1987. No package of npm starts from potentials; linear-sum-assignment is what tests compare with.
 */
export function bestAssignment(values: Float64Array, n: number, near?: Assignment): Assignment {
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i])) continue;
    throw new InvalidDataError(`assignment, entry ${i}`, "finite similarities", String(values[i]));
  }
  const work: Work = {
    values,
    n,
    potentials: near?.potentials.slice() ?? largestOfColumns(values, n),
    columns: new Int32Array(n).fill(-1),
    rows: new Int32Array(n).fill(-1),
  };
  let free: Int32Array = Int32Array.from({ length: n }, (_, i) => i);
  // Two rounds, as published: rows that lost their column in one bid again in the next.
  for (let round = 0; round < 2 && free.length > 0; round++) free = bid(work, free);
  for (const row of free) augment(work, row);
  return { columns: work.columns, potentials: work.potentials };
}

interface Work {
  readonly values: Float64Array;
  readonly n: number;
  /** What a row pays for each column. */
  readonly potentials: Float64Array;
  /** Column of each row, row of each column; −1 for none. */
  readonly columns: Int32Array;
  readonly rows: Int32Array;
}

function largestOfColumns(values: Float64Array, n: number): Float64Array {
  const largest = values.slice(0, n);
  for (let at = n; at < values.length; at += n) {
    for (let j = 0; j < n; j++) largest[j] = Math.max(largest[j], values[at + j]);
  }
  return largest;
}

/**
 * Gives each free row the column that is worth most to it, and raises that column's price until the second best is worth
 * as much. A row that loses its column bids next, as long as prices rise, else in the next round.
 *
 * @returns the rows that are left.
 */
function bid({ values, n, potentials, columns, rows }: Work, free: Int32Array): Int32Array {
  const queue = Int32Array.from(free);
  const left: number[] = [];
  // Prices that rise by ever less, near ties, end here: what is left goes to the shortest paths.
  let allowed = 4 * n;
  for (let k = 0; k < queue.length; ) {
    const row = queue[k++];
    const start = row * n;
    let [best, second] = [0, -1];
    let [most, next] = [values[start] - potentials[0], Number.NEGATIVE_INFINITY];
    for (let j = 1; j < n; j++) {
      const worth = values[start + j] - potentials[j];
      if (worth <= next) continue;
      if (worth > most) {
        [next, second] = [most, best];
        [most, best] = [worth, j];
      } else {
        [next, second] = [worth, j];
      }
    }
    const price = n === 1 ? potentials[0] : potentials[best] + (most - next);
    // The sum may round to the same price.
    const rises = price > potentials[best];
    if (rises) potentials[best] = price;
    else if (rows[best] >= 0 && second >= 0) best = second;
    const before = rows[best];
    columns[row] = best;
    rows[best] = row;
    if (before < 0) continue;
    columns[before] = -1;
    if (rises && allowed-- > 0) queue[--k] = before;
    else left.push(before);
  }
  return Int32Array.from(left);
}

/** Places a free row by the path of exchanges that costs least (Dijkstra), and settles the prices along it. */
function augment({ values, n, potentials, columns, rows }: Work, free: number): void {
  const cost = new Float64Array(n);
  const from = new Int32Array(n).fill(free);
  /** Columns in the order in which they are reached: settled, at the least cost, the others. */
  const order = Int32Array.from({ length: n }, (_, j) => j);
  // What a row may lose against its best column; 0 there, and 0 at its own column where it has one.
  let top = Number.NEGATIVE_INFINITY;
  for (let j = 0; j < n; j++) top = Math.max(top, values[free * n + j] - potentials[j]);
  for (let j = 0; j < n; j++) cost[j] = top - (values[free * n + j] - potentials[j]);
  let [settled, reached, least, end] = [0, 0, 0, -1];
  while (end < 0) {
    if (settled === reached) {
      least = Number.POSITIVE_INFINITY;
      for (let k = settled; k < n; k++) {
        const column = order[k];
        if (cost[column] > least) continue;
        if (cost[column] < least) [least, reached] = [cost[column], settled];
        [order[k], order[reached]] = [order[reached], column];
        reached++;
      }
      for (let k = settled; k < reached && end < 0; k++) if (rows[order[k]] < 0) end = order[k];
      if (end >= 0) break;
    }
    const column = order[settled++];
    const row = rows[column];
    const base = values[row * n + column] - potentials[column] + least;
    for (let k = reached; k < n && end < 0; k++) {
      const j = order[k];
      const through = base - (values[row * n + j] - potentials[j]);
      if (through >= cost[j]) continue;
      // Rounding may bring it below the least, which cannot be.
      cost[j] = Math.max(through, least);
      from[j] = row;
      if (cost[j] > least) continue;
      if (rows[j] < 0) end = j;
      [order[k], order[reached]] = [order[reached], j];
      reached++;
    }
  }
  for (let k = 0; k < settled; k++) {
    const column = order[k];
    // Those reached at the least cost have none to settle.
    if (cost[column] < least) potentials[column] += least - cost[column];
  }
  for (let column = end; ; ) {
    const row = from[column];
    rows[column] = row;
    [column, columns[row]] = [columns[row], column];
    if (row === free) return;
  }
}
