import * as tf from "@tensorflow/tfjs";
import { EvaluationError } from "../base/errors.js";

/** One kernel that ran: what went in and what came out, alive until the recording is disposed. */
export interface KernelNode {
  /** TF.js's name of the kernel: "Conv2D", "BatchMatMul", … */
  readonly kernel: string;
  /** Inputs in the kernel's order; optional ones that were not given are left out. */
  readonly inputs: readonly KernelInput[];
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly outputs: readonly tf.Tensor[];
  /** Returns what is computed once for this node and kept with it. */
  memo(key: string, compute: () => tf.Tensor): tf.Tensor;
}

/** One input of a kernel. */
export interface KernelInput {
  /** As the kernel names it: "x", "filter", …; of a list ("Concat") its place. */
  readonly name: string;
  /** Stands for the tensor, also after the model's weights have changed. */
  readonly id: number;
  readonly tensor: tf.Tensor;
}

/** Everything that ran within {@link recordKernels}, in order. */
export interface Recording<T> {
  readonly nodes: readonly KernelNode[];
  readonly result: T;
  /** Keeps one more tensor alive until the recording is disposed. */
  adopt<K extends tf.Tensor>(tensor: K): K;
  /** Bytes of all tensors that it keeps alive; those that share their numbers count once. */
  bytes(): number;
  dispose(): void;
}

/** What a kernel is called with inside the engine of TF.js 4. */
interface Invocation {
  readonly kernelName?: string;
  readonly inputs: Readonly<Record<string, tf.Tensor | undefined>>;
  readonly attrs?: Readonly<Record<string, unknown>>;
}

/** What is needed of the engine of TF.js 4 and is not in its public types. */
interface EngineInternals {
  runKernelFunc(invocation: Invocation): tf.Tensor | tf.Tensor[];
  readonly state: { gradientDepth: number; kernelDepth: number };
}

/** One call of a kernel, as it happens. */
export interface KernelCall {
  readonly kernel: string;
  /** Inputs in the kernel's order; optional ones that were not given are left out. */
  readonly inputs: readonly { readonly name: string; readonly tensor: tf.Tensor }[];
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly outputs: readonly tf.Tensor[];
}

/**
 * Runs a synchronous function and shows each kernel that it calls as soon as it has run, on whichever backend.
 *
 * Fused operations are taken apart into those that `fit` differentiates. Kernels that a kernel calls by itself, and
 * those that `see` calls, are part of it and are not shown. Nothing global is left changed, also after a throw.
 *
 * @param where - who asks, for the error.
 * @throws {@link EvaluationError} if the engine is not the one of TF.js 4.
 */
export function observeKernels<T>(where: string, run: () => T, see: (call: KernelCall) => void): T {
  const engine = tf.engine() as unknown as EngineInternals;
  const own = Object.getOwnPropertyDescriptor(engine, "runKernelFunc");
  const original = engine.runKernelFunc;
  if (typeof original !== "function" || typeof engine.state?.gradientDepth !== "number") {
    throw new EvaluationError(where, "the engine of TensorFlow.js 4", tf.version_core);
  }
  let depth = 0;
  engine.runKernelFunc = function (this: EngineInternals, invocation: Invocation): tf.Tensor | tf.Tensor[] {
    const { kernelName, inputs, attrs = {} } = invocation;
    // A custom gradient: the kernels inside it are shown.
    if (kernelName === undefined || depth > 0) return original.call(this, invocation);
    depth++;
    try {
      const result = original.call(this, invocation);
      const named = Object.entries(inputs).flatMap(([name, tensor]) =>
        tensor === undefined || tensor === null ? [] : [{ name, tensor }],
      );
      const outputs = Array.isArray(result) ? result : [result];
      see({ kernel: kernelName, inputs: named, attributes: attrs, outputs });
      return result;
    } finally {
      depth--;
    }
  };
  // A gradient in the making has fused operations taken apart; within a kernel, nothing goes to the engine's tape.
  engine.state.gradientDepth++;
  engine.state.kernelDepth++;
  try {
    const results: T[] = [];
    tf.tidy(() => {
      results.push(run());
    });
    return results[0] as T;
  } finally {
    engine.state.kernelDepth--;
    engine.state.gradientDepth--;
    if (own === undefined) delete (engine as Partial<EngineInternals>).runKernelFunc;
    else Object.defineProperty(engine, "runKernelFunc", own);
  }
}

/**
 * Runs a synchronous function and records each kernel that it calls, as {@link observeKernels} shows them.
 *
 * @param weights - variables whose values at this moment are recorded: what is assigned later does not matter.
 * @throws {@link EvaluationError} if the engine is not the one of TF.js 4.
 */
export function recordKernels<T>(weights: readonly tf.Variable[], run: () => T): Recording<T> {
  const kept = new Map<number, tf.Tensor>();
  const adopt = <K extends tf.Tensor>(tensor: K): K => {
    if (kept.has(tensor.id)) return tensor;
    kept.set(tensor.id, tf.keep(tensor));
    return tensor;
  };
  const dispose = (): void => {
    for (const tensor of kept.values()) if (!tensor.isDisposed) tensor.dispose();
    kept.clear();
  };
  // A clone holds the numbers of now: `assign` gives a variable other data.
  const clones = new Map<number, tf.Tensor>();
  for (const weight of weights) clones.set(weight.id, adopt((weight as tf.Tensor).clone()));
  /** What a kernel did not compute is another's to dispose of, or gone at the end of a tidy. */
  const lasting = (tensor: tf.Tensor): tf.Tensor => {
    if (kept.has(tensor.id)) return tensor;
    const known = clones.get(tensor.id);
    if (known !== undefined) return known;
    const clone = adopt(tensor.clone());
    clones.set(tensor.id, clone);
    return clone;
  };
  const held: tf.Tensor[] = [];
  /** Models dispose of what their layers gave as soon as no other layer needs it. */
  const hold = (tensor: tf.Tensor): tf.Tensor => {
    tensor.dispose = () => undefined;
    held.push(tensor);
    return adopt(tensor);
  };
  const nodes: KernelNode[] = [];
  try {
    const result = observeKernels("curvature", run, ({ kernel, inputs, attributes, outputs }) => {
      nodes.push({
        kernel,
        inputs: inputs.map(({ name, tensor }) => ({ name, id: tensor.id, tensor: lasting(tensor) })),
        attributes,
        outputs: outputs.map(hold),
        memo: memoWith(adopt),
      });
    });
    return { nodes, result, adopt, bytes: () => bytesOf(kept.values()), dispose };
  } catch (error) {
    release(held);
    dispose();
    throw error;
  } finally {
    release(held);
  }
}

function memoWith(adopt: (tensor: tf.Tensor) => tf.Tensor): KernelNode["memo"] {
  const known = new Map<string, tf.Tensor>();
  return (key, compute) => {
    const value = known.get(key) ?? adopt(tf.tidy(compute));
    known.set(key, value);
    return value;
  };
}

/** Lets tensors be disposed of again. */
function release(held: readonly tf.Tensor[]): void {
  for (const tensor of held) delete (tensor as Partial<tf.Tensor>).dispose;
}

function bytesOf(tensors: Iterable<tf.Tensor>): number {
  let bytes = 0;
  const counted = new Set<object>();
  for (const { size, dataId } of tensors) {
    if (counted.has(dataId)) continue;
    counted.add(dataId);
    bytes += 4 * size;
  }
  return bytes;
}
