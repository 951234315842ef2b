import * as tf from "@tensorflow/tfjs";

/**
 * A tensor with its derivative along one direction of θ: value + ε·tangent, ε² = 0.
 *
 * The value is computed only where it is asked for; a tangent of null stands for zeros.
 */
export class Dual {
  readonly tangent: tf.Tensor | null;
  #value: tf.Tensor | null = null;
  readonly #compute: () => tf.Tensor;

  constructor(value: tf.Tensor | (() => tf.Tensor), tangent: tf.Tensor | null) {
    this.#compute = typeof value === "function" ? value : () => value;
    this.tangent = tangent;
  }

  get value(): tf.Tensor {
    this.#value ??= this.#compute();
    return this.#value;
  }
}

/** A function of two tensors that is linear in each: a product, a convolution. */
export type Bilinear = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor;

/** Returns the sum of tensors, null where all are null. */
export function plus(a: tf.Tensor | null, b: tf.Tensor | null): tf.Tensor | null {
  if (a === null || b === null) return a ?? b;
  return tf.add(a, b);
}

/** Applies a linear function. */
export function linear(x: Dual, apply: (tensor: tf.Tensor) => tf.Tensor): Dual {
  return new Dual(() => apply(x.value), x.tangent === null ? null : apply(x.tangent));
}

/** Applies a bilinear function: (a, b)˙ = (ȧ, b) + (a, ḃ). */
export function bilinear(a: Dual, b: Dual, apply: Bilinear): Dual {
  const left = a.tangent === null ? null : apply(a.tangent, b.value);
  const right = b.tangent === null ? null : apply(a.value, b.tangent);
  return new Dual(() => apply(a.value, b.value), plus(left, right));
}

/** a·b, element by element. */
export function times(a: Dual, b: Dual): Dual {
  return bilinear(a, b, (x, y) => tf.mul(x, y));
}

/** a − b. */
export function minus(a: Dual, b: Dual): Dual {
  const negative = b.tangent === null ? null : tf.neg(b.tangent);
  return new Dual(() => tf.sub(a.value, b.value), plus(a.tangent, negative));
}

/** 1 / x. */
export function inverse(x: Dual): Dual {
  const value = () => tf.reciprocal(x.value);
  if (x.tangent === null) return new Dual(value, null);
  const inverted = value();
  return new Dual(inverted, tf.neg(tf.mul(x.tangent, tf.square(inverted))));
}
