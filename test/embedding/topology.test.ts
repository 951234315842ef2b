import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { distancesFromMatrix, distancesFromRows } from "../../src/embedding/distance-source.js";
import {
  bettiCurve,
  type PersistencePair,
  persistenceDiagram,
  persistenceNull,
  sublevelPersistence,
  totalPersistence,
} from "../../src/embedding/quality/persistence.js";
import {
  type Graph,
  nearestNeighbours,
  neighbourGraph,
} from "../../src/embedding/quality/trustworthiness.js";
import { branchingWalk } from "./random-points.js";

function graphOf(vertexCount: number, edges: readonly (readonly [number, number])[]): Graph {
  return { vertexCount, edges: Int32Array.from(edges.flat()) };
}

const ring = (n: number): Graph =>
  graphOf(
    n,
    Array.from({ length: n }, (_, i) => [Math.min(i, (i + 1) % n), Math.max(i, (i + 1) % n)] as const),
  );

/** Rank of a matrix modulo 2, rows as bit sets. */
function rankModuloTwo(rows: bigint[]): number {
  let rank = 0;
  const left = [...rows];
  while (left.length > 0) {
    const row = left.pop() as bigint;
    if (row === 0n) continue;
    rank++;
    const low = row & -row;
    for (let r = 0; r < left.length; r++) if ((left[r] & low) !== 0n) left[r] ^= row;
  }
  return rank;
}

/** Betti numbers 0 and 1 of the sublevel set at a level, from ranks of boundary matrices: brute force. */
function betti(graph: Graph, values: readonly number[], level: number, clique: boolean): [number, number] {
  const vertices = values.map((_, i) => i).filter((i) => values[i] <= level);
  const edges: [number, number][] = [];
  for (let p = 0; p < graph.edges.length; p += 2) {
    const [a, b] = [graph.edges[p], graph.edges[p + 1]];
    if (values[a] <= level && values[b] <= level) edges.push([a, b]);
  }
  const at = new Map(edges.map(([a, b], e) => [`${a},${b}`, e]));
  const edgeRank = rankModuloTwo(edges.map(([a, b]) => (1n << BigInt(a)) | (1n << BigInt(b))));
  const triangles: bigint[] = [];
  for (const a of vertices) {
    for (const b of vertices) {
      for (const c of vertices) {
        const sides = [at.get(`${a},${b}`), at.get(`${b},${c}`), at.get(`${a},${c}`)];
        if (sides.includes(undefined)) continue;
        triangles.push(sides.reduce((bits, side) => bits | (1n << BigInt(side ?? 0)), 0n));
      }
    }
  }
  return [vertices.length - edgeRank, edges.length - edgeRank - (clique ? rankModuloTwo(triangles) : 0)];
}

describe("sublevel persistence, by hand", () => {
  test("two basins on a path: the younger dies at the saddle", () => {
    const path = graphOf(5, [
      [0, 1],
      [1, 2],
      [2, 3],
      [3, 4],
    ]);
    expect(sublevelPersistence(path, [0, 2, 5, 1, 3])).toEqual([
      { dimension: 0, birth: 0, death: Infinity, birthVertex: 0, deathVertex: -1 },
      { dimension: 0, birth: 1, death: 5, birthVertex: 3, deathVertex: 2 },
    ]);
  });

  test("a ring closes at its highest vertex", () => {
    expect(sublevelPersistence(ring(4), [3, 1, 7, 2])).toEqual([
      { dimension: 0, birth: 1, death: Infinity, birthVertex: 1, deathVertex: -1 },
      { dimension: 0, birth: 2, death: 3, birthVertex: 3, deathVertex: 0 },
      { dimension: 1, birth: 7, death: Infinity, birthVertex: 2, deathVertex: -1 },
    ]);
  });

  test("a triangle is a cycle of the graph, and filled at once as a clique", () => {
    expect(sublevelPersistence(ring(3), [0, 1, 2]).filter(({ dimension }) => dimension === 1)).toHaveLength(
      1,
    );
    expect(sublevelPersistence(ring(3), [0, 1, 2], { complex: "clique" })).toHaveLength(1);
  });

  test("a square with a late centre is filled when the centre comes", () => {
    const wheel = graphOf(5, [
      [0, 1],
      [1, 2],
      [2, 3],
      [0, 3],
      [0, 4],
      [1, 4],
      [2, 4],
      [3, 4],
    ]);
    const pairs = sublevelPersistence(wheel, [0, 1, 2, 3, 10], { complex: "clique" });
    expect(pairs.filter(({ dimension }) => dimension === 1)).toEqual([
      { dimension: 1, birth: 3, death: 10, birthVertex: 3, deathVertex: 4 },
    ]);
  });

  test("isolated vertices never die; equal values make no pair of length 0", () => {
    expect(sublevelPersistence(graphOf(2, []), [4, 4]).map(({ death }) => death)).toEqual([
      Infinity,
      Infinity,
    ]);
    expect(sublevelPersistence(graphOf(2, [[0, 1]]), [4, 4])).toHaveLength(1);
  });

  test("values must be finite, one a vertex", () => {
    expect(() => sublevelPersistence(ring(3), [1, 2])).toThrow(
      "values: expected 3 numbers, one a vertex, got 2",
    );
    expect(() => sublevelPersistence(ring(3), [1, Number.NaN, 2])).toThrow(
      "values[1]: expected a finite number, got NaN",
    );
  });
});

test("Betti curves equal ranks of boundary matrices at every level", () => {
  const random = fc.record({
    values: fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 3, maxLength: 9 }),
    bits: fc.array(fc.boolean(), { minLength: 36, maxLength: 36 }),
  });
  fc.assert(
    fc.property(random, fc.boolean(), ({ values, bits }, clique) => {
      const n = values.length;
      const edges: [number, number][] = [];
      let bit = 0;
      for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) if (bits[bit++]) edges.push([i, j]);
      const graph = graphOf(n, edges);
      const pairs = sublevelPersistence(graph, values, { complex: clique ? "clique" : "graph" });
      for (let level = -1; level <= 7; level++) {
        const [b0, b1] = betti(graph, values, level, clique);
        expect([bettiCurve(pairs, 0, [level])[0], bettiCurve(pairs, 1, [level])[0]]).toEqual([b0, b1]);
      }
    }),
    { numRuns: 300 },
  );
});

describe("neighbour graph", () => {
  // Off by one and farthest for nearest are the two mistakes to avoid here.
  const line = distancesFromRows(
    { rows: Float64Array.of(0, 1, 3, 6, 10), count: 5, dimension: 1 },
    "euclidean",
  );

  test("joins the k nearest others, not the farthest and not k − 1", () => {
    expect([...neighbourGraph(line, 1).edges]).toEqual([0, 1, 1, 2, 2, 3, 3, 4]);
    expect(neighbourGraph(line, 4).edges.length).toBe(2 * 10);
    expect([...nearestNeighbours(line, 2)]).toEqual([1, 2, 0, 2, 1, 0, 2, 4, 3, 2]);
  });

  test("k must leave a point out", () => {
    expect(() => neighbourGraph(line, 5)).toThrow("k: expected an integer from 1 to 4, got 5");
  });

  test("ties go by index, duplicates are neighbours", () => {
    const same = distancesFromMatrix(new Float64Array(9), 3, 3);
    expect([...nearestNeighbours(same, 1)]).toEqual([1, 0, 0]);
  });
});

describe("summaries", () => {
  const pairs: PersistencePair[] = [
    { dimension: 0, birth: 0, death: Infinity, birthVertex: 0, deathVertex: -1 },
    { dimension: 0, birth: 1, death: 4, birthVertex: 1, deathVertex: 2 },
    { dimension: 1, birth: 3, death: 9, birthVertex: 3, deathVertex: 4 },
  ];

  test("diagram, curve and total", () => {
    expect(persistenceDiagram(pairs)).toEqual({
      finite: [
        { dimension: 0, birth: 1, death: 4 },
        { dimension: 1, birth: 3, death: 9 },
      ],
      essential: [{ dimension: 0, birth: 0 }],
      range: [0, 9],
    });
    expect(persistenceDiagram([]).range).toEqual([0, 0]);
    expect([...bettiCurve(pairs, 0, [-1, 0, 1, 3.9, 4])]).toEqual([0, 1, 2, 2, 1]);
    expect(totalPersistence(pairs, 0)).toBe(3);
    expect(totalPersistence(pairs, 1)).toBe(6);
  });
});

describe("permutation null", () => {
  const points = branchingWalk(80, 3, 1);
  const graph = neighbourGraph(distancesFromRows(points, "euclidean"), 5);
  const smooth = Float64Array.from({ length: 80 }, (_, i) => i);

  test("a smooth function is smoother than chance, an alternating one is not", () => {
    expect(persistenceNull(graph, smooth, { permutations: 50 })).toMatchObject({ pLower: 1 / 51, pUpper: 1 });
    const rough = persistenceNull(
      ring(40),
      Float64Array.from({ length: 40 }, (_, i) => i % 2),
      { permutations: 50 },
    );
    expect(rough.pUpper).toBe(1 / 51);
  });

  test("repeats with its seed, 0 being one", () => {
    const run = (seed?: number) =>
      persistenceNull(graph, smooth, seed === undefined ? { permutations: 9 } : { permutations: 9, seed })
        .permuted;
    expect(run()).toEqual(run(0));
    expect(run(3)).not.toEqual(run(0));
  });

  test("takes another statistic, and can be stopped", () => {
    const count = persistenceNull(graph, smooth, { permutations: 3, statistic: (pairs) => pairs.length });
    expect(Number.isInteger(count.observed)).toBe(true);
    expect(() => persistenceNull(graph, smooth, { permutations: 0 })).toThrow(
      "permutations: expected an integer ≥ 1",
    );
    expect(() => persistenceNull(graph, smooth, { signal: AbortSignal.abort(new Error("stop")) })).toThrow(
      "stop",
    );
  });
});
