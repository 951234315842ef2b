/**
 * Returns, for each edge that gives birth to a cycle which a triangle fills, the vertex with which the
 * filling triangle enters.
 *
 * Standard reduction of the boundary matrix modulo 2, in the order of the filtration; a triangle is kept as
 * the set of its edges, and the last edge of a reduced column is the birth it kills.
 *
 * @param edges - as [earlier, later] vertex, in the order in which they enter.
 * @param rank - position of each vertex in the filtration.
 * @see Edelsbrunner, Letscher & Zomorodian 2002.
 */
export function triangleColumns(
  n: number,
  edges: readonly (readonly [number, number])[],
  rank: Int32Array,
): Map<number, number> {
  const columns = new Map<number, readonly number[]>();
  const deaths = new Map<number, number>();
  for (const { boundary, vertex } of sortedTriangles(n, edges, rank)) {
    let column: readonly number[] = boundary;
    while (column.length > 0) {
      const low = column[column.length - 1];
      const other = columns.get(low);
      if (other === undefined) {
        columns.set(low, column);
        deaths.set(low, vertex);
        break;
      }
      column = sumModuloTwo(column, other);
    }
  }
  return deaths;
}

interface Triangle {
  /** Its three edges, in the order in which they enter. */
  readonly boundary: readonly number[];
  /** The last of its vertices. */
  readonly vertex: number;
}

function sortedTriangles(
  n: number,
  edges: readonly (readonly [number, number])[],
  rank: Int32Array,
): Triangle[] {
  const earlier = Array.from({ length: n }, () => new Map<number, number>());
  edges.forEach(([a, b], edge) => {
    earlier[b].set(a, edge);
  });
  const triangles: { readonly boundary: readonly number[]; readonly vertex: number }[] = [];
  for (let vertex = 0; vertex < n; vertex++) {
    for (const [b, edge] of earlier[vertex]) {
      for (const [a, base] of earlier[b]) {
        const other = earlier[vertex].get(a);
        if (other === undefined) continue;
        triangles.push({ boundary: [base, other, edge].sort((e, f) => e - f), vertex });
      }
    }
  }
  const compare = (s: Triangle, t: Triangle): number =>
    rank[s.vertex] - rank[t.vertex] || s.boundary[2] - t.boundary[2] || s.boundary[1] - t.boundary[1];
  return triangles.sort(compare);
}

/** The symmetric difference of two increasing lists. */
function sumModuloTwo(a: readonly number[], b: readonly number[]): number[] {
  const out: number[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (j >= b.length || (i < a.length && a[i] < b[j])) out.push(a[i++]);
    else if (i >= a.length || b[j] < a[i]) out.push(b[j++]);
    else {
      i++;
      j++;
    }
  }
  return out;
}
