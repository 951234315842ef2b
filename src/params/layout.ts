/** What a weight does in its layer, decided by the layer's type and never by the tensor's rank. */
export type ParameterRole = "kernel" | "bias" | "scale" | "offset" | "state" | "other";

/** One weight tensor's place in θ. */
export interface Parameter {
  /** Name of the weight in the model, e.g. "conv2d_Conv2D1/kernel". */
  readonly name: string;
  /**
   * The weight's place in the architecture, "<ordinal of its layer>/<layer type>/<name within the
   * layer>", e.g. "2/Dense/kernel". Unlike `name` it does not depend on TF.js's counters, nor on which
   * layers are trainable. Absent in layouts made by hand.
   */
  readonly key?: string;
  /** Shape of the weight tensor. */
  readonly shape: readonly number[];
  /** Index of its first element in θ. */
  readonly offset: number;
  /** Number of elements. */
  readonly size: number;
  readonly role: ParameterRole;
  readonly trainable: boolean;
  /** Class name of the layer that owns the weight ("Conv2D", …), or "Variable" for custom loops. */
  readonly layerType: string;
  /**
   * Axes of `shape` that number the filters: [3] for Conv2D, [1] for Dense, [2, 3] for
   * DepthwiseConv2D, [2] for Conv2DTranspose, [0] for Embedding. null where the weight has no
   * filters (bias, scale, offset, state, and weights of layers that are not known).
   */
  readonly filterAxes: readonly number[] | null;
}

/**
 * The order and meaning of the entries of θ: trainable weights first, then the others, each in the
 * model's own order, frozen when the layout is made.
 */
export interface ParameterLayout {
  readonly parameters: readonly Parameter[];
  /** Length D of θ, trainable and not. */
  readonly parameterCount: number;
  /** Number of leading entries of θ that are trainable. */
  readonly trainableCount: number;
  /**
   * sha-256 (hex) over each weight's name within its layer, the layer's ordinal and type, shape, role
   * and trainability. Layer names do not enter: TF.js numbers them by a counter of the process, so
   * that the same architecture built twice has other names but the same digest.
   */
  readonly digest: string;
}
