import * as tf from "@tensorflow/tfjs";
import { type KernelCall, observeKernels } from "../backend/record-kernels.js";
import { onPlainJavaScript } from "../backend/select-backend.js";
import type { Finiteness } from "./engine/finiteness.js";
import { betweenBatches } from "./evaluate-at.js";
import type { Batch, SampleSource } from "./evaluation-data.js";
import {
  boundObserved,
  type LeafSizes,
  type ObservedKernel,
  type ObservedValue,
  sizeOf,
} from "./kernel-bounds.js";

/** A forward pass whose kernels are looked at. */
export interface AuditedPass {
  /** Largest |x| of each input, then of each target. */
  readonly largest: readonly number[];
  /** Opens the samples, when they are needed. */
  open(signal: AbortSignal | undefined): Promise<SampleSource>;
  /** Where the weights of θ stand in it. */
  readonly parameters: readonly { readonly offset: number; readonly size: number }[];
  /** Puts θ where the pass finds it for the time of a task, and says which tensor holds which parameter. */
  at<T>(theta: Float32Array, task: (tensors: readonly tf.Tensor[]) => Promise<T>): Promise<T>;
  /** Runs the pass on a batch, within `tf.tidy`. */
  run(batch: Batch): readonly tf.Tensor[];
  /** Frees the samples. */
  close(source: SampleSource): void;
}

/** Values that stay below it are far from the largest float32, 3.4e38, however they are added up. */
const LIMIT = 1e36;

/** Kernels of which a sum or product of finite numbers that exceeds float32 is an overflow. */
const ARITHMETIC = new Set([
  ...["Add", "AddV2", "AddN", "Sub", "Multiply", "Square", "SquaredDifference", "Sum", "Mean", "Prod"],
  ...["Cumsum", "BatchMatMul", "_FusedMatMul", "Conv2D", "Conv3D", "FusedConv2D", "DepthwiseConv2dNative"],
  ...["FusedDepthwiseConv2D", "Conv2DBackpropInput", "Conv3DBackpropInputV2", "FusedBatchNorm", "AvgPool"],
  ...["AvgPool3D", "Einsum"],
]);
/** Kernels that may leave numbers out: what is not chosen has no effect in any arithmetic. */
const CHOOSING = new Set([
  ...["Select", "GatherV2", "GatherNd", "Slice", "StridedSlice", "SplitV", "Unpack"],
]);

/** What a forward pass was, and the mean absolute value of each tensor: NaN or infinite if any number is. */
interface Observation {
  readonly values: readonly ObservedValue[];
  readonly means: Float64Array;
  /** Places of the results of the pass. */
  readonly outputs: readonly number[];
}

/** A pass over all samples that found every value finite. */
interface Seen {
  readonly values: readonly ObservedValue[];
  readonly means: Float64Array;
  readonly bounds: Float64Array;
}

/**
 * Tells where a forward pass of any operations has no loss, by looking at each kernel that it calls: the definition of
 * the engines' audit, for models that no engine can compile and for functions of the user's own.
 *
 * A value is lost where a NaN, or a sum or product of finite numbers beyond float32, reaches the output, or a kernel
 * that makes a finite number of it (max pooling, ReLU and clipping on WebAssembly, a saturating activation). What is
 * only left out (`where`, a row of an embedding that nobody looks up) does no harm. −∞ in front of a ReLU is 0.
 *
 * Cost: one forward pass more at the first point. Then, where sizes of data and weights exclude an overflow, one look
 * at each weight; otherwise one more pass. Where a number is not finite, the batch is computed once more in plain
 * JavaScript, whose arithmetic is exact about it.
 */
export function createKernelAudit(where: string, pass: AuditedPass): Finiteness {
  const { parameters, largest } = pass;
  let seen: Seen | undefined;
  let opened: SampleSource | undefined;

  const sizesAt = (theta: Float32Array): LeafSizes => {
    const found = new Map<number, { readonly largest: number; readonly least: number }>();
    const of = (parameter: number) => {
      const known = found.get(parameter) ?? extremesOf(theta, parameters[parameter]);
      found.set(parameter, known);
      return known;
    };
    return {
      largest: (parameter) => of(parameter).largest,
      least: (parameter) => of(parameter).least,
      input: (input) => largest[input] ?? Number.POSITIVE_INFINITY,
    };
  };

  const excludes = (theta: Float32Array): boolean => {
    if (seen === undefined) return false;
    const bounds = boundObserved(seen.values, sizesAt(theta));
    return bounds.every((bound) => bound < LIMIT) || isNear(bounds, seen);
  };

  /** Marks the samples of a batch without a value; with `stopsAtFirst`, all of them. */
  const gapsOf = (batch: Batch, tensors: readonly tf.Tensor[], stopsAtFirst: boolean): Uint8Array => {
    const observe = (some: Batch) => observePass(where, pass, some, tensors);
    return onPlainJavaScript(() => {
      const gaps = new Uint8Array(batch.samples);
      if (!hasGap(observe(batch))) return gaps;
      if (stopsAtFirst || batch.samples === 1) return gaps.fill(1);
      for (let row = 0; row < batch.samples; row++) {
        const one = rowOf(batch, row);
        if (hasGap(observe(one))) gaps[row] = 1;
        tf.dispose([...one.xs, ...one.ys, ...one.ws]);
      }
      return gaps;
    });
  };

  const find = async (
    theta: Float32Array,
    stopsAtFirst: boolean,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array | null> => {
    if (excludes(theta)) return null;
    opened ??= await pass.open(signal);
    const source = opened;
    const gaps = new Uint8Array(source.samples);
    const observed: Observation[] = [];
    let isAllFinite = true;
    await pass.at(theta, async (tensors) => {
      let start = 0;
      await source.forEachBatch(async (batch) => {
        const own = start;
        start += batch.samples;
        // A stream is read to its end: it is checked against its first pass.
        if (stopsAtFirst && gaps.includes(1)) return;
        signal?.throwIfAborted();
        const observation = observePass(where, pass, batch, tensors);
        if (observation.means.every(Number.isFinite)) observed.push(observation);
        else {
          isAllFinite = false;
          gaps.set(gapsOf(batch, tensors, stopsAtFirst), own);
        }
        await betweenBatches(signal);
      });
    });
    const [first] = observed;
    if (isAllFinite && first !== undefined) {
      const { values } = first;
      const means = values.map((_, i) => Math.max(...observed.map((one) => one.means[i] ?? Number.NaN)));
      seen = { values, means: Float64Array.from(means), bounds: boundObserved(values, sizesAt(theta)) };
    }
    return gaps.includes(1) ? gaps : null;
  };
  return {
    isFinite: async (theta, signal) => (await find(theta, true, signal)) === null,
    gaps: (theta, signal) => find(theta, false, signal),
    plane: () => null,
    dispose() {
      if (opened !== undefined) pass.close(opened);
      opened = undefined;
    },
  };
}

function extremesOf(
  theta: Float32Array,
  parameter: { readonly offset: number; readonly size: number } | undefined,
) {
  let [largest, least] = [0, Number.POSITIVE_INFINITY];
  if (parameter === undefined) return { largest: Number.POSITIVE_INFINITY, least };
  for (let i = parameter.offset; i < parameter.offset + parameter.size; i++) {
    const value = theta[i] as number;
    if (Number.isNaN(value)) return { largest: value, least: value };
    if (Math.abs(value) > largest) largest = Math.abs(value);
    if (value < least) least = value;
  }
  return { largest, least };
}

/** Whether values have grown so little since a pass was seen that they cannot have overflown. */
function isNear(bounds: Float64Array, seen: Seen): boolean {
  return bounds.every((bound, i) => {
    const growth = Math.max(1, bound / (seen.bounds[i] as number) || 1);
    // No value is larger than the sum of all.
    const largest = (seen.means[i] as number) * sizeOf(seen.values[i]?.shape ?? []);
    return bound < Number.POSITIVE_INFINITY && Math.max(largest, 1) * growth < LIMIT;
  });
}

function rowOf({ xs, ys, ws }: Batch, row: number): Batch {
  const cut = (tensor: tf.Tensor) => tensor.slice(row, 1);
  return { xs: xs.map(cut), ys: ys.map(cut), ws: ws.map(cut), samples: 1 };
}

/** Runs a pass and measures every tensor that its kernels take and give. */
function observePass(
  where: string,
  pass: AuditedPass,
  batch: Batch,
  weights: readonly tf.Tensor[],
): Observation {
  const values: ObservedValue[] = [];
  const measured: (tf.Scalar | null)[] = [];
  const places = new Map<number, number>();
  const add = (tensor: tf.Tensor, origin: ObservedValue["origin"]): number => {
    const isFloat = tensor.dtype === "float32";
    places.set(tensor.id, values.length);
    measured.push(isFloat && tensor.size > 0 ? tf.keep(meanSize(tensor)) : null);
    return values.push({ origin, shape: tensor.shape, isFloat }) - 1;
  };
  const leaf = (tensor: tf.Tensor): number => {
    const parameter = weights.findIndex(({ id }) => id === tensor.id);
    if (parameter !== -1) return add(tensor, { kind: "weight", parameter });
    const input = [...batch.xs, ...batch.ys].findIndex(({ id }) => id === tensor.id);
    if (input !== -1) return add(tensor, { kind: "data", input });
    return add(tensor, { kind: "constant", ...constantSizes(tensor) });
  };
  const see = ({ kernel, inputs, attributes, outputs }: KernelCall): void => {
    const taken = inputs.map(({ name, tensor }) => ({ name, value: places.get(tensor.id) ?? leaf(tensor) }));
    const of: ObservedKernel = { kernel, inputs: taken, attributes };
    for (const output of outputs) add(output, { kind: "result", of });
  };
  try {
    const outputs = observeKernels(where, () => pass.run(batch).map(({ id }) => id), see);
    const kept = measured.filter((mean) => mean !== null);
    const read = tf.tidy(() => (kept.length === 0 ? new Float32Array() : tf.stack(kept).dataSync()));
    let next = 0;
    const means = Float64Array.from(measured, (mean) => (mean === null ? 0 : (read[next++] as number)));
    return { values, means, outputs: outputs.flatMap((id) => places.get(id) ?? []) };
  } finally {
    tf.dispose(measured.filter((mean) => mean !== null));
  }
}

function meanSize(tensor: tf.Tensor): tf.Scalar {
  return tf.tidy(() => tf.sum(tf.mul(tf.abs(tensor), 1 / tensor.size)) as tf.Scalar);
}

/** Constants of a layer are small: they are read. */
function constantSizes(tensor: tf.Tensor): { readonly largest: number; readonly least: number } {
  if (tensor.dtype !== "float32") return { largest: tensor.dtype === "bool" ? 1 : 2 ** 31, least: 0 };
  let [largest, least] = [0, Number.POSITIVE_INFINITY];
  for (const value of tensor.dataSync()) {
    const size = Math.abs(value);
    if (!(size <= largest)) largest = size;
    if (!(size >= least)) least = size;
  }
  return { largest, least };
}

/** Whether a NaN or an overflow is at the output, or was made a finite number on the way. */
function hasGap({ values, means, outputs }: Observation): boolean {
  const isSound = (value: number) => Number.isFinite(means[value]);
  const isLost = new Uint8Array(values.length);
  let isHidden = false;
  values.forEach(({ origin, isFloat }, i) => {
    if (isSound(i)) {
      if (origin.kind !== "result" || !isFloat || CHOOSING.has(origin.of.kernel)) return;
      isHidden ||= origin.of.inputs.some(({ value }) => isLost[value] === 1);
      return;
    }
    if (Number.isNaN(means[i])) isLost[i] = 1;
    else if (origin.kind === "result") {
      const { inputs, kernel } = origin.of;
      const isOverflow = ARITHMETIC.has(kernel) && inputs.every(({ value }) => isSound(value));
      if (isOverflow || inputs.some(({ value }) => isLost[value] === 1)) isLost[i] = 1;
    }
  });
  return isHidden || outputs.some((value) => isLost[value] === 1);
}
