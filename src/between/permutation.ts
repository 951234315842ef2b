import { InvalidOptionError } from "../base/errors.js";
import { createUniform } from "../math/random.js";
import type { PermutationGroup, PermutationGroups } from "./permutation-groups.js";

/** For each group, the unit that takes each place: entry k is the number of the old unit that becomes unit k. */
export type Permutation = readonly Int32Array[];

/** Returns the permutation that moves nothing. */
export function identityPermutation({ groups }: Pick<PermutationGroups, "groups">): Permutation {
  return groups.map(({ units }) => Int32Array.from({ length: units }, (_, k) => k));
}

/**
 * Returns a random permutation of every group, uniform, for a seed.
 *
 * @throws {@link InvalidOptionError} if the seed is no safe integer.
 * @example const copy = permuteWeights(theta, groups, randomPermutation(groups, 0)); // the same function
 */
export function randomPermutation({ groups }: Pick<PermutationGroups, "groups">, seed: number): Permutation {
  return groups.map(({ units }, g) => shuffled(units, createUniform(seed, "permutation", g)));
}

/** The numbers 0 … count − 1 in random order. */
export function shuffled(count: number, next: () => number): Int32Array {
  const order = Int32Array.from({ length: count }, (_, k) => k);
  for (let last = count - 1; last > 0; last--) {
    const other = Math.floor(next() * (last + 1));
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}

/**
 * Returns the permutation that undoes another one.
 *
 * @example const back = permuteWeights(moved, groups, inversePermutation(permutation));
 */
export function inversePermutation(permutation: Permutation): Permutation {
  return permutation.map((from) => {
    const inverse = new Int32Array(from.length);
    from.forEach((old, k) => {
      inverse[old] = k;
    });
    return inverse;
  });
}

/** Number of units that a permutation moves. */
export function unitsMoved(permutation: Permutation): number {
  return permutation.reduce((sum, from) => sum + from.filter((old, k) => old !== k).length, 0);
}

/**
 * Returns weights with their units permuted: another point of weight space where the model computes the same
 * function, to rounding of its sums. Values are moved, never changed; statistics of batch norm move too.
 *
 * Cost: O(D) for each axis that moves.
 *
 * @param theta - θ (parameterCount).
 * @param permutation - one for each group.
 * @returns a new vector (parameterCount).
 * @throws {@link InvalidOptionError} for another number of groups, units given twice, or a θ of another length.
 * @example const moved = permuteWeights(theta, groups, permutation);
 */
export function permuteWeights(
  theta: Float32Array,
  { layout, groups }: PermutationGroups,
  permutation: Permutation,
): Float32Array {
  if (theta.length !== layout.parameterCount) {
    throw new InvalidOptionError("theta", `${layout.parameterCount} weights`, String(theta.length));
  }
  checkPermutation(groups, permutation);
  const sources = new Map<string, { parameter: number; axis: number; from: Int32Array }>();
  groups.forEach((group, g) => {
    for (const { parameter, axis, repeats, positions } of group.axes) {
      const key = `${parameter}/${axis}`;
      const length = layout.parameters[parameter].shape[axis];
      const source = sources.get(key) ?? {
        parameter,
        axis,
        from: Int32Array.from({ length }, (_, i) => i),
      };
      sources.set(key, source);
      permutation[g].forEach((old, k) => {
        for (let r = 0; r < repeats; r++)
          source.from[positions[k * repeats + r]] = positions[old * repeats + r];
      });
    }
  });
  const out = Float32Array.from(theta);
  for (const { parameter, axis, from } of sources.values()) {
    const { offset, size, shape } = layout.parameters[parameter];
    takeAlong(out.subarray(offset, offset + size), shape, axis, from);
  }
  return out;
}

/** Replaces values by values.take(from, axis). */
function takeAlong(values: Float32Array, shape: readonly number[], axis: number, from: Int32Array): void {
  const inner = shape.slice(axis + 1).reduce((product, length) => product * length, 1);
  const block = from.length * inner;
  const held = new Float32Array(block);
  for (let start = 0; start < values.length; start += block) {
    held.set(values.subarray(start, start + block));
    for (let k = 0; k < from.length; k++) {
      if (inner === 1) values[start + k] = held[from[k]];
      else values.set(held.subarray(from[k] * inner, (from[k] + 1) * inner), start + k * inner);
    }
  }
}

function checkPermutation(groups: readonly PermutationGroup[], permutation: Permutation): void {
  if (permutation.length !== groups.length) {
    throw new InvalidOptionError("permutation", `${groups.length} groups`, String(permutation.length));
  }
  groups.forEach(({ units, layers }, g) => {
    const from = permutation[g];
    const isWhole = new Set(from).size === units && from.every((old) => old >= 0 && old < units);
    if (from.length === units && isWhole) return;
    const where = `permutation of ${layers.join(", ")}`;
    throw new InvalidOptionError(where, `each of ${units} units once`, `${from.length} entries`);
  });
}
