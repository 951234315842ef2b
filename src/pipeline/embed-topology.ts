import { distancesFromMatrix } from "../embedding/distance-source.js";
import { neighbourGraph } from "../embedding/neighbour-graph.js";
import { sublevelPersistence } from "../embedding/persistence.js";
import { bettiCurve } from "../embedding/persistence-diagram.js";
import { persistenceNull } from "../embedding/persistence-null.js";
import type { PhateResult } from "../embedding/phate.js";
import type { EmbeddingTopology } from "../embedding/runs-embedding.js";
import { InvalidDataError, InvalidOptionError } from "../errors.js";

/**
 * Neighbours in the diffusion potential that a snapshot is joined to, as Horoi et al. have it for 640 of them; a
 * quarter of few snapshots, for on a complete graph nothing is a basin but the minimum.
 */
const NEIGHBOURS = 20;
const LEVELS = 200;
const LEAST_VERTICES = 4;

/**
 * Returns the sublevel-set persistence of the loss on the graph of nearest neighbours in diffusion potential.
 * Snapshots without a finite loss are left out of the graph.
 *
 * @throws {@link InvalidOptionError} if PHATE used landmarks; {@link InvalidDataError} if too few losses are finite.
 */
export function embeddingTopology(
  { count, landmarks, potentialDistances }: PhateResult,
  loss: Float64Array,
  seed: number,
  signal?: AbortSignal,
): EmbeddingTopology {
  if (landmarks !== null) {
    throw new InvalidOptionError("topology", "nLandmark: null, a potential of every snapshot", "landmarks");
  }
  const rows = Array.from({ length: count }, (_, i) => i).filter((i) => Number.isFinite(loss[i]));
  const n = rows.length;
  if (n < LEAST_VERTICES) {
    const got = `${n} of ${count}`;
    throw new InvalidDataError("topology", `at least ${LEAST_VERTICES} snapshots with a finite loss`, got, {
      hint: "give an evaluator (--data), or the name of a log (--log)",
    });
  }
  const distances = new Float64Array(n * n);
  rows.forEach((row, i) => {
    rows.forEach((column, j) => {
      distances[i * n + j] = potentialDistances[row * count + column] as number;
    });
  });
  const neighbours = Math.min(NEIGHBOURS, Math.ceil(n / 4));
  const graph = neighbourGraph(distancesFromMatrix(distances, n, n), neighbours);
  const values = Float64Array.from(rows, (row) => loss[row] as number);
  const found = sublevelPersistence(graph, values, { complex: "clique" });
  const levels = levelsOf(values);
  const rowOf = (vertex: number): number => (vertex < 0 ? -1 : (rows[vertex] as number));
  return {
    neighbours,
    vertexCount: n,
    edgeCount: graph.edges.length / 2,
    pairs: found.map((pair) => ({
      ...pair,
      birthVertex: rowOf(pair.birthVertex),
      deathVertex: rowOf(pair.deathVertex),
    })),
    levels,
    betti0: bettiCurve(found, 0, levels),
    betti1: bettiCurve(found, 1, levels),
    null: persistenceNull(graph, values, { seed, ...(signal === undefined ? {} : { signal }) }),
  };
}

/** Levels from the least loss to the largest, evenly spaced in the logarithm where all losses are positive. */
function levelsOf(values: Float64Array): Float64Array {
  const low = values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const high = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  return Float64Array.from({ length: LEVELS }, (_, i) => {
    const share = i / (LEVELS - 1);
    return low > 0 ? low * (high / low) ** share : low + share * (high - low);
  });
}
