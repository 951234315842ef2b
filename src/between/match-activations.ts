import * as tf from "@tensorflow/tfjs";
import type { Stoppable } from "../base/work.js";
import { bestAssignment } from "./assignment.js";
import { checkFinite } from "./match-weights.js";
import { type ModelProbe, watchCalls } from "./model-probe.js";
import type { Permutation } from "./permutation.js";
import type { GroupLayer, PermutationGroup, PermutationGroups } from "./permutation-groups.js";

/** A permutation, and how well the units correlate. */
export interface ActivationMatch {
  readonly permutation: Permutation;
  /** Mean correlation of the matched units, for each group; units that never change count 0. */
  readonly correlations: readonly number[];
}

/**
 * Returns the permutation of θ_B's units whose activations correlate best with those of θ_A's on a calibration set: one
 * linear assignment for each group. The activations of a group are what the layers that read it get, positions of an
 * image and steps in time counting as samples; where several layers read it, their correlations add up.
 *
 * A unit that never changes (dead) correlates with none, and goes where it does no harm.
 *
 * @throws {@link InvalidDataError} for weights that are not finite; {@link InvalidOptionError} for a θ of another length.
 * @see Ainsworth et al. 2023, section 3.1; Li et al. 2016, "Convergent learning".
 * @example const { permutation } = await matchByActivations(groups, probe, thetaA, thetaB);
 */
export async function matchByActivations(
  groups: PermutationGroups,
  probe: ModelProbe,
  thetaA: Float32Array,
  thetaB: Float32Array,
  options: Stoppable = {},
): Promise<ActivationMatch> {
  checkFinite("first model", thetaA, groups);
  checkFinite("second model", thetaB, groups);
  const { groups: all } = groups;
  const sums = all.map(({ readers, units }) => readers.map(() => createSums(units)));
  const layers = new Set(all.flatMap(({ readers }) => readers.map(({ layer }) => layer)));
  await probe.forEachBatch((_, runAt) => {
    const ofA = inputsAt(layers, () => runAt(thetaA));
    const ofB = inputsAt(layers, () => runAt(thetaB));
    all.forEach(({ readers, units }, g) => {
      readers.forEach((reader, r) => {
        const [a, b] = [ofA, ofB].map((inputs) => inputs.get(reader.layer) ?? []);
        a.forEach((input, i) => {
          addSums(sums[g][r], input, b[i], reader, units);
        });
      });
    });
    tf.dispose([...ofA.values(), ...ofB.values()]);
  }, options.signal);
  const matched = all.map((group, g) => assigned(group, sums[g]));
  return {
    permutation: matched.map(({ from }) => from),
    correlations: matched.map(({ correlation }) => correlation),
  };
}

/** What layers get while the model runs, each time that they are called; the receiver's to dispose. */
function inputsAt(
  layers: ReadonlySet<tf.layers.Layer>,
  run: () => tf.Tensor[],
): Map<tf.layers.Layer, tf.Tensor[]> {
  const seen = new Map<tf.layers.Layer, tf.Tensor[]>();
  const release = watchCalls(
    new Map(
      [...layers].map((layer) => [
        layer,
        (call) => (inputs, kwargs) => {
          const input = Array.isArray(inputs) ? inputs[0] : inputs;
          seen.set(layer, [...(seen.get(layer) ?? []), tf.keep(input.clone())]);
          return call(inputs, kwargs);
        },
      ]),
    ),
  );
  try {
    tf.dispose(run());
    return seen;
  } catch (error) {
    tf.dispose([...seen.values()]);
    throw error;
  } finally {
    release();
  }
}

/** Sums over samples, for the correlations of the units of two networks. */
interface Sums {
  count: number;
  readonly a: Float64Array;
  readonly b: Float64Array;
  readonly aa: Float64Array;
  readonly bb: Float64Array;
  /** (units, units) */
  readonly ab: Float64Array;
}

function createSums(units: number): Sums {
  const zeros = () => new Float64Array(units);
  return { count: 0, a: zeros(), b: zeros(), aa: zeros(), bb: zeros(), ab: new Float64Array(units * units) };
}

function addSums(
  sums: Sums,
  inputA: tf.Tensor,
  inputB: tf.Tensor,
  { repeats, positions }: GroupLayer,
  units: number,
): void {
  const parts = tf.tidy(() => {
    // Entries of each repeat one after another, so that rows of `units` are samples.
    const order = Int32Array.from({ length: positions.length }, (_, i) => {
      return positions[(i % units) * repeats + Math.floor(i / units)];
    });
    const rowsOf = (input: tf.Tensor): tf.Tensor2D => {
      const isWhole = input.shape[input.rank - 1] === order.length && order.every((entry, i) => entry === i);
      const taken = isWhole ? input : tf.gather(input, tf.tensor1d(order, "int32"), input.rank - 1);
      return taken.reshape([-1, units]);
    };
    const [a, b] = [rowsOf(inputA), rowsOf(inputB)];
    const total = (x: tf.Tensor) => tf.sum(x, 0).dataSync();
    return {
      count: a.shape[0],
      a: total(a),
      b: total(b),
      aa: total(tf.square(a)),
      bb: total(tf.square(b)),
      ab: tf.matMul(a, b, true, false).dataSync(),
    };
  });
  sums.count += parts.count;
  for (const name of ["a", "b", "aa", "bb", "ab"] as const) {
    for (let i = 0; i < sums[name].length; i++) sums[name][i] += parts[name][i];
  }
}

function assigned({ units }: PermutationGroup, readers: readonly Sums[]) {
  const total = new Float64Array(units * units);
  for (const sums of readers) addCorrelations(total, sums, units);
  const from = bestAssignment(total, units).columns;
  const sum = from.reduce((part, old, k) => part + total[k * units + old], 0);
  return { from, correlation: sum / units / Math.max(1, readers.length) };
}

/** Adds the correlations of each unit of A (rows) with each of B (columns). */
function addCorrelations(total: Float64Array, { count, a, b, aa, bb, ab }: Sums, units: number): void {
  const deviation = (sum: number, squares: number): number => {
    const variance = squares / count - (sum / count) ** 2;
    // Below the rounding of float32 sums a unit is constant.
    return variance > 1e-6 * (squares / count) ? Math.sqrt(variance) : 0;
  };
  for (let i = 0; i < units; i++) {
    const deviationA = deviation(a[i], aa[i]);
    for (let j = 0; j < units; j++) {
      const scale = deviationA * deviation(b[j], bb[j]);
      if (scale === 0) continue;
      total[i * units + j] += (ab[i * units + j] / count - (a[i] / count) * (b[j] / count)) / scale;
    }
  }
}
