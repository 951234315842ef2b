import { wholeNumber } from "../base/check-option.js";
import { InvalidDataError, InvalidOptionError } from "../base/errors.js";
import type { Stoppable } from "../base/work.js";
import type { LinearAlgebra } from "../math/linear-algebra.js";
import { checkSeed, createUniform } from "../math/random.js";
import type { Parameter } from "../model/layout.js";
import { type Assignment, bestAssignment } from "./assignment.js";
import { identityPermutation, type Permutation, permuteWeights, shuffled } from "./permutation.js";
import type { GroupAxis, PermutationGroups } from "./permutation-groups.js";

/** Options of {@link matchByWeights}. */
export interface MatchWeightsOptions extends Stoppable {
  /** Orders of the groups, and starts, that are tried; the best is taken. Default 5. */
  readonly tries?: number | undefined;
  /** Seed of the orders and starts. Default 0. */
  readonly seed?: number | undefined;
  /** Passes over all groups at most, in each try. Default 100. */
  readonly sweeps?: number | undefined;
}

/** Fills in the defaults, and checks everything. */
export function resolveMatchOptions({ tries = 5, seed = 0, sweeps = 100 }: MatchWeightsOptions) {
  checkSeed(seed);
  wholeNumber("tries", tries);
  wholeNumber("sweeps", sweeps);
  return { tries, seed, sweeps };
}

/** A permutation and what it was found with. */
export interface WeightMatch {
  readonly permutation: Permutation;
  /** Σ θ_A·π(θ_B) over the weights that count, of each try. */
  readonly similarities: readonly number[];
  /** Passes over all groups that the best try took. */
  readonly sweeps: number;
}

/**
 * Returns the permutation of θ_B's units that brings its weights closest to θ_A's: coordinate descent over the groups,
 * each a linear assignment with the others held, in random order until nothing improves; the best of several tries. The
 * first try starts from θ_B as it is, the others from random permutations.
 *
 * It finds a local optimum: the problem as a whole is NP-hard. All weights count but moving statistics, whose scale is
 * that of the data. A step is taken only if the similarity really grows, which the linear assignment alone does not
 * promise where a group stands on both sides of a weight (residual and recurrent layers).
 *
 * @param algebra - multiplies; see `createLinearAlgebra`.
 * @throws {@link InvalidOptionError} for options that cannot be used; {@link InvalidDataError} for weights that are not
 * finite.
 * @see Ainsworth, Hayase and Srinivasa 2023 (Git Re-Basin), algorithm 1.
 * @example const { permutation } = await matchByWeights(groups, thetaA, thetaB, createLinearAlgebra());
 */
export async function matchByWeights(
  groups: PermutationGroups,
  thetaA: Float32Array,
  thetaB: Float32Array,
  algebra: LinearAlgebra,
  options: MatchWeightsOptions = {},
): Promise<WeightMatch> {
  const { tries, seed, sweeps } = resolveMatchOptions(options);
  const { signal } = options;
  checkFinite("first model", thetaA, groups);
  checkFinite("second model", thetaB, groups);
  const work = { groups, thetaA, thetaB, algebra, signal };
  let best: { permutation: Permutation; similarity: number; sweeps: number } | undefined;
  const similarities: number[] = [];
  for (let attempt = 0; attempt < tries; attempt++) {
    const next = createUniform(seed, "match", attempt);
    const start =
      attempt === 0 ? identityPermutation(groups) : groups.groups.map(({ units }) => shuffled(units, next));
    const found = await descend(work, start, next, sweeps);
    similarities.push(found.similarity);
    if (best === undefined || found.similarity > best.similarity) best = found;
  }
  const { permutation, sweeps: taken } = best as NonNullable<typeof best>;
  return { permutation, similarities, sweeps: taken };
}

interface Work {
  readonly groups: PermutationGroups;
  readonly thetaA: Float32Array;
  readonly thetaB: Float32Array;
  readonly algebra: LinearAlgebra;
  readonly signal: AbortSignal | undefined;
}

async function descend(work: Work, start: Permutation, next: () => number, sweeps: number) {
  const { groups, signal } = work;
  const permutation = [...start];
  const weights = createPermutedWeights(work);
  const products = createProducts(work, weights);
  const similarities = groups.layout.parameters.map((parameter, p) =>
    counts(parameter) ? weights.similarity(p, permutation) : 0,
  );
  const touched = groups.groups.map(({ axes }) => [
    ...new Set(axes.flatMap(({ parameter: p }) => (counts(groups.layout.parameters[p]) ? [p] : []))),
  ]);
  const sumOf = (values: readonly number[]) => values.reduce((sum, one) => sum + one, 0);
  let value = sumOf(similarities);
  /** The last assignment of each group, and what it depended on. */
  const solved = groups.groups.map(
    (): { readonly versions: string; readonly found: Assignment } | null => null,
  );
  for (let sweep = 1; sweep <= sweeps; sweep++) {
    let improved = false;
    for (const g of shuffled(groups.groups.length, next)) {
      signal?.throwIfAborted();
      const versions = products.versionsOf(g);
      const before = solved[g];
      // Nothing that it depends on has moved: it is in place, or was no better.
      if (before?.versions === versions) continue;
      const values = await products.of(g, permutation);
      const found = bestAssignment(values, groups.groups[g].units, before?.found);
      solved[g] = { versions, found };
      const trial = [...permutation];
      trial[g] = found.columns;
      if (trial[g].every((old, k) => old === permutation[g][k])) continue;
      const moved = touched[g].map((p) => weights.similarity(p, trial));
      const reached = value + sumOf(moved.map((now, i) => now - similarities[touched[g][i]]));
      // Rounding of float32 products may prefer an assignment that is no better.
      if (!(reached > value + 1e-9 * Math.abs(value))) continue;
      permutation[g] = trial[g];
      products.moved(g);
      touched[g].forEach((p, i) => {
        similarities[p] = moved[i];
      });
      value = sumOf(similarities);
      improved = true;
    }
    if (!improved) return { permutation, similarity: value, sweeps: sweep };
  }
  return { permutation, similarity: value, sweeps };
}

/** Whether a weight counts in a matching. */
const counts = ({ role }: Parameter): boolean => role !== "state";

/** θ_B, one weight at a time, under a permutation that changes. */
interface PermutedWeights {
  /** The values of weight p, with all its axes permuted but one. */
  at(p: number, permutation: Permutation, except?: GroupAxis): Float32Array;
  /** Σ θ_A·π(θ_B) over weight p (float64). */
  similarity(p: number, permutation: Permutation): number;
}

function createPermutedWeights({ groups: { layout, groups }, thetaA, thetaB }: Work): PermutedWeights {
  const valuesOf = (theta: Float32Array, { offset, size }: Parameter) =>
    theta.subarray(offset, offset + size);
  const at: PermutedWeights["at"] = (p, permutation, except) => {
    const parameter = layout.parameters[p];
    const held = groups.flatMap((group, g) => {
      const axes = group.axes.filter((axis) => axis.parameter === p && axis !== except);
      const alone = { ...group, axes: axes.map((axis) => ({ ...axis, parameter: 0 })) };
      return axes.length === 0 ? [] : [{ alone, from: permutation[g] }];
    });
    const own = { ...layout, parameterCount: parameter.size, parameters: [{ ...parameter, offset: 0 }] };
    return permuteWeights(
      valuesOf(thetaB, parameter),
      { layout: own, groups: held.map(({ alone }) => alone), warnings: [] },
      held.map(({ from }) => from),
    );
  };
  return {
    at,
    similarity(p, permutation) {
      const [a, b] = [valuesOf(thetaA, layout.parameters[p]), at(p, permutation)];
      let sum = 0;
      for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
      return sum;
    },
  };
}

/** Similarities of units, kept from one sweep to the next where nothing that they depend on has moved. */
interface Products {
  /** Similarity (units, units) of each unit of θ_A with each of θ_B, the other groups permuted. */
  of(group: number, permutation: Permutation): Promise<Float64Array>;
  /** Tells whether the similarities of a group are those of another time. */
  versionsOf(group: number): string;
  moved(group: number): void;
}

function createProducts({ groups, thetaA, algebra }: Work, weights: PermutedWeights): Products {
  const { layout } = groups;
  const known = new Map<GroupAxis, { versions: string; product: Float64Array }>();
  const versions = groups.groups.map(() => 0);
  const groupsOf = (parameter: number, except: GroupAxis): number[] =>
    groups.groups.flatMap(({ axes }, g) =>
      axes.some((axis) => axis.parameter === parameter && axis !== except) ? [g] : [],
    );
  const rowsOfA = new Map<GroupAxis, Float64Array>();
  const versionsAt = (axis: GroupAxis): string =>
    groupsOf(axis.parameter, axis)
      .map((other) => versions[other])
      .join();
  const productOf = async (axis: GroupAxis, units: number, permutation: Permutation) => {
    const parameter = layout.parameters[axis.parameter];
    const rowsA = rowsOfA.get(axis) ?? new Float64Array(unitRows(thetaA, parameter, axis, units));
    rowsOfA.set(axis, rowsA);
    const moved = weights.at(axis.parameter, permutation, axis);
    const rowsB = unitRows(moved, { ...parameter, offset: 0 }, axis, units);
    const width = rowsA.length / units;
    return algebra.multiply(rowsA, transposed(rowsB, units, width), units, width, units);
  };
  return {
    async of(g, permutation) {
      const { axes, units } = groups.groups[g];
      const total = new Float64Array(units * units);
      for (const axis of axes) {
        if (!counts(layout.parameters[axis.parameter])) continue;
        const now = versionsAt(axis);
        let entry = known.get(axis);
        if (entry?.versions !== now) {
          entry = { versions: now, product: await productOf(axis, units, permutation) };
          known.set(axis, entry);
        }
        const { product } = entry;
        for (let i = 0; i < total.length; i++) total[i] += product[i];
      }
      return total;
    },
    versionsOf: (g) => groups.groups[g].axes.map(versionsAt).join("/"),
    moved(g) {
      versions[g]++;
    },
  };
}

/** The values of a weight that belong to each unit (units, size/units), in an order that is the same for all units. */
function unitRows(
  theta: Float32Array,
  { offset, size, shape }: Parameter,
  { axis, repeats, positions }: GroupAxis,
  units: number,
): Float32Array {
  const length = shape[axis];
  const inner = shape.slice(axis + 1).reduce((product, n) => product * n, 1);
  const outer = size / (length * inner);
  const width = outer * repeats * inner;
  const rows = new Float32Array(units * width);
  for (let k = 0; k < units; k++) {
    let at = k * width;
    for (let o = 0; o < outer; o++) {
      for (let r = 0; r < repeats; r++) {
        const start = offset + (o * length + positions[k * repeats + r]) * inner;
        if (inner === 1) rows[at] = theta[start];
        else rows.set(theta.subarray(start, start + inner), at);
        at += inner;
      }
    }
  }
  return rows;
}

function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(values.length);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) out[j * rows + i] = values[i * columns + j];
  return out;
}

/** @throws {@link InvalidDataError} naming the first weight that is NaN or infinite. */
export function checkFinite(
  name: string,
  theta: Float32Array,
  { layout }: Pick<PermutationGroups, "layout">,
): void {
  if (theta.length !== layout.parameterCount) {
    throw new InvalidOptionError(name, `${layout.parameterCount} weights`, String(theta.length));
  }
  const bad = theta.findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return;
  const owner = layout.parameters.find(({ offset, size }) => bad < offset + size);
  throw new InvalidDataError(`${name}: ${owner?.name}`, "finite weights", String(theta[bad]));
}
