import type { Graph, ParameterReader } from "./graph.js";

/** Computes a graph's weights at a point, in its order. */
export function weightsAt(graph: Graph, read: ParameterReader): readonly Float32Array[] {
  return graph.weights.map(({ compute }) => compute(read));
}
