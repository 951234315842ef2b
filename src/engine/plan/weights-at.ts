import type { Graph, ParameterReader } from "./graph.js";

/** Computes a graph's weights at a point, in its order. */
export function weightsAt(graph: Graph, read: ParameterReader): readonly Float32Array[] {
  return graph.weights.map(({ compute }) => compute(read));
}

/**
 * Whether a weight is NaN (a batch-norm variance is negative, θ has a NaN): engines' activations may drop
 * NaN on the way, and the loss of such a point is not defined.
 */
export function hasUndefinedWeight(weights: readonly Float32Array[]): boolean {
  return weights.some((values) => {
    // One NaN makes the sum NaN; infinities of both signs do too, and are looked at closely.
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += values[i] as number;
    return Number.isNaN(sum) && values.some((value) => Number.isNaN(value));
  });
}
