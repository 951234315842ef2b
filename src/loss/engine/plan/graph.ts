import type * as tf from "@tensorflow/tfjs";

/** An activation of TF.js's layers, known by its name. */
export interface LayerActivation {
  getClassName(): string;
}

/** The fields of TF.js's layers that a plan reads; its public types leave most of them out. */
export interface LayerFields {
  readonly name: string;
  readonly inboundNodes: readonly { readonly inputTensors: readonly tf.SymbolicTensor[] }[];
  readonly dataFormat?: string;
  readonly padding?: string | readonly (readonly number[])[];
  readonly strides?: readonly number[] | number;
  readonly kernelSize?: readonly number[];
  readonly dilationRate?: readonly number[] | number;
  readonly poolSize?: readonly number[];
  readonly activation?: LayerActivation | null;
  readonly kernel?: tf.LayerVariable | null;
  readonly depthwiseKernel?: tf.LayerVariable | null;
  readonly pointwiseKernel?: tf.LayerVariable | null;
  readonly bias?: tf.LayerVariable | null;
  readonly gamma?: tf.LayerVariable | null;
  readonly beta?: tf.LayerVariable | null;
  readonly movingMean?: tf.LayerVariable | null;
  readonly movingVariance?: tf.LayerVariable | null;
  readonly epsilon?: number;
  readonly axis?: number | readonly number[];
  readonly alpha?: tf.LayerVariable | number | null;
  readonly maxValue?: number | null;
  readonly theta?: number;
  readonly scale?: number | boolean;
  readonly offset?: number;
  readonly dims?: readonly number[];
  /** Of a model used as a layer. */
  readonly inputs?: readonly tf.SymbolicTensor[];
  readonly outputs?: readonly tf.SymbolicTensor[];
}

/** Reads a layer's fields. */
export function fieldsOf(layer: tf.layers.Layer): LayerFields {
  return layer as unknown as LayerFields;
}

/** Returns a field that is a number or a list as a pair. */
export function pair(value: readonly number[] | number | undefined, fallback = 1): [number, number] {
  if (value === undefined || value === null) return [fallback, fallback];
  if (typeof value === "number") return [value, value];
  return [value[0] as number, value[1] ?? (value[0] as number)];
}

/** Index of a node in {@link Graph.nodes}, and so of the value that it gives. */
export type ValueId = number;

/** Index of a tensor in {@link Graph.weights}. */
export type WeightId = number;

/** How a window is padded: as TensorFlow says it, and in numbers of pixels. */
export interface Padding {
  readonly kind: "same" | "valid" | "explicit";
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/** A convolution's or a pool's window. */
export interface Window {
  /** Height and width. */
  readonly size: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  readonly padding: Padding;
}

/** Element by element, from one value. `isNaN` gives 0 and 1. */
export type UnaryKind =
  | "relu"
  | "relu6"
  | "elu"
  | "selu"
  | "sigmoid"
  | "tanh"
  | "softplus"
  | "softsign"
  | "erf"
  | "exp"
  | "log"
  | "abs"
  | "neg"
  | "sqrt"
  | "isNaN";

/** Element by element, from two values that broadcast; comparisons give 0 and 1. */
export type BinaryKind = "add" | "sub" | "mul" | "div" | "maximum" | "minimum" | "greater" | "less" | "equal";

/** Along the last axis, which stays with length 1. */
export type ReduceKind = "sum" | "mean" | "max" | "argMax";

/**
 * One operation. Values have a batch axis first, which shapes leave out; images are channels-last, as
 * Keras has them; every value is float32. Kernels have Keras's layouts.
 */
export type GraphOp =
  /** A tensor that changes from batch to batch. */
  | { readonly op: "input"; readonly name: string }
  /** Numbers that change from point to point (no batch axis, shape [n]). */
  | { readonly op: "variable"; readonly name: string }
  /** One number that never changes (shape []). */
  | { readonly op: "constant"; readonly value: number }
  /** A weight as a value (no batch axis), to broadcast over the last axes. */
  | { readonly op: "weight"; readonly weight: WeightId }
  | {
      readonly op: "conv2d" | "depthwiseConv2d";
      readonly x: ValueId;
      readonly kernel: WeightId;
      readonly bias: WeightId | null;
      readonly window: Window;
    }
  /** Product over the last axis. */
  | { readonly op: "dense"; readonly x: ValueId; readonly kernel: WeightId; readonly bias: WeightId | null }
  /** x·scale + shift, both along the last axis: batch normalization that could not be folded. */
  | { readonly op: "affine"; readonly x: ValueId; readonly scale: WeightId; readonly shift: WeightId }
  /** Mean over the batch and all axes but the last (no batch axis, shape [channels]). */
  | { readonly op: "batchMean"; readonly x: ValueId }
  /** Mean squared difference from `mean` in the same way (no batch axis, shape [channels]). */
  | { readonly op: "batchVariance"; readonly x: ValueId; readonly mean: ValueId }
  /** (x − mean)/√(variance + epsilon)·scale + shift along the last axis, mean and variance being values. */
  | {
      readonly op: "standardize";
      readonly x: ValueId;
      readonly mean: ValueId;
      readonly variance: ValueId;
      readonly epsilon: number;
      readonly scale: WeightId | null;
      readonly shift: WeightId | null;
    }
  | { readonly op: "pool"; readonly x: ValueId; readonly kind: "max" | "mean"; readonly window: Window }
  | { readonly op: "globalPool"; readonly x: ValueId; readonly kind: "max" | "mean" }
  | { readonly op: "pad"; readonly x: ValueId; readonly padding: Padding }
  | { readonly op: "unary"; readonly x: ValueId; readonly kind: UnaryKind }
  | { readonly op: "leakyRelu"; readonly x: ValueId; readonly slope: number }
  | { readonly op: "clip"; readonly x: ValueId; readonly min: number; readonly max: number }
  | { readonly op: "binary"; readonly x: ValueId; readonly y: ValueId; readonly kind: BinaryKind }
  /**
   * A sum of n parts of an input, each times one of the n numbers of the variable `factors`. A batch of the input
   * has the first part of every sample, then the second of every sample, and so on: one product of a row and a matrix.
   */
  | { readonly op: "combine"; readonly x: ValueId; readonly factors: ValueId }
  | { readonly op: "softmax" | "logSoftmax"; readonly x: ValueId }
  | { readonly op: "reduce"; readonly x: ValueId; readonly kind: ReduceKind }
  /** Class numbers to rows of 0 and 1 along a new last axis. */
  | { readonly op: "oneHot"; readonly x: ValueId; readonly classes: number }
  | { readonly op: "concat"; readonly xs: readonly ValueId[]; readonly axis: number }
  | { readonly op: "reshape"; readonly x: ValueId }
  | { readonly op: "permute"; readonly x: ValueId; readonly axes: readonly number[] }
  /** Sum over everything, the batch axis too (no batch axis, shape [1]). */
  | { readonly op: "total"; readonly x: ValueId }
  /** The totals of a batch in one vector (no batch axis, shape [n]). */
  | { readonly op: "pack"; readonly xs: readonly ValueId[] };

/** An operation of one kind. */
export type OpOf<K extends GraphOp["op"]> = Extract<GraphOp, { readonly op: K }>;

/** An operation with the shape of its value, without the batch axis. */
export type GraphNode = GraphOp & { readonly shape: readonly number[] };

/** Reads the weights of a point by name of the parameter. */
export type ParameterReader = (parameter: number) => Float32Array;

/** A tensor of the graph that is computed from the parameters of a point. */
export interface GraphWeight {
  readonly name: string;
  readonly shape: readonly number[];
  /** Computes it; the result may be a view of what `read` gives. */
  readonly compute: (read: ParameterReader) => Float32Array;
  /** The parameter that it is, unchanged, or null where it is computed from several. */
  readonly parameter: number | null;
}

/**
 * A forward-only program: nodes in an order in which each comes after those that it uses, and the values
 * that are handed out.
 */
export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly weights: readonly GraphWeight[];
  readonly outputs: readonly ValueId[];
}

/** Numbers in a value of a sample. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** Numbers of a sample in the largest value that an operation computes. */
export function largestResult({ nodes }: Graph): number {
  return Math.max(...nodes.map(({ op, shape }) => (op === "input" ? 0 : sizeOf(shape))));
}

/** Returns the values that an operation uses. */
export function inputsOf(node: GraphOp): readonly ValueId[] {
  if ("xs" in node) return node.xs;
  if (node.op === "binary") return [node.x, node.y];
  if (node.op === "combine") return [node.x, node.factors];
  if (node.op === "batchVariance") return [node.x, node.mean];
  if (node.op === "standardize") return [node.x, node.mean, node.variance];
  return "x" in node ? [node.x] : [];
}

/** Returns an operation with other values and weights in the place of its own. */
export function withInputs(
  node: GraphNode,
  value: (id: ValueId) => ValueId,
  weight: (id: WeightId) => WeightId,
): GraphNode {
  switch (node.op) {
    case "input":
    case "variable":
    case "constant":
      return node;
    case "weight":
      return { ...node, weight: weight(node.weight) };
    case "conv2d":
    case "depthwiseConv2d":
    case "dense": {
      const bias = node.bias === null ? null : weight(node.bias);
      return { ...node, x: value(node.x), kernel: weight(node.kernel), bias };
    }
    case "affine":
      return { ...node, x: value(node.x), scale: weight(node.scale), shift: weight(node.shift) };
    case "binary":
      return { ...node, x: value(node.x), y: value(node.y) };
    case "combine":
      return { ...node, x: value(node.x), factors: value(node.factors) };
    case "batchVariance":
      return { ...node, x: value(node.x), mean: value(node.mean) };
    case "standardize":
      return {
        ...node,
        x: value(node.x),
        mean: value(node.mean),
        variance: value(node.variance),
        scale: node.scale === null ? null : weight(node.scale),
        shift: node.shift === null ? null : weight(node.shift),
      };
    case "concat":
    case "pack":
      return { ...node, xs: node.xs.map(value) };
    default:
      return { ...node, x: value(node.x) };
  }
}

/** Makes a {@link Graph} node by node; shapes leave out the batch axis. */
export interface GraphBuilder {
  /** Adds an operation whose value has this shape. */
  add(op: GraphOp, shape: readonly number[]): ValueId;
  weight(weight: GraphWeight): WeightId;
  shapeOf(value: ValueId): readonly number[];
  nodeOf(value: ValueId): GraphNode;
  input(name: string, shape: readonly number[]): ValueId;
  constant(value: number): ValueId;
  unary(kind: UnaryKind, x: ValueId): ValueId;
  /** Numbers become constants. */
  binary(kind: BinaryKind, x: ValueId | NumberOperand, y: ValueId | NumberOperand): ValueId;
  clip(x: ValueId, min: number, max: number): ValueId;
  reduce(kind: ReduceKind, x: ValueId): ValueId;
  reshape(x: ValueId, shape: readonly number[]): ValueId;
  build(outputs: readonly ValueId[]): Graph;
}

/** A number in the place of a value. */
export interface NumberOperand {
  readonly number: number;
}

/** Marks a number as an operand. */
export function number(value: number): NumberOperand {
  return { number: value };
}

/** Creates an empty graph to add to. */
export function createGraphBuilder(): GraphBuilder {
  const nodes: GraphNode[] = [];
  const weights: GraphWeight[] = [];
  const constants = new Map<number, ValueId>();
  const add = (op: GraphOp, shape: readonly number[]): ValueId => nodes.push({ ...op, shape }) - 1;
  const nodeOf = (value: ValueId) => nodes[value] as GraphNode;
  const shapeOf = (value: ValueId) => nodeOf(value).shape;

  const constant = (value: number): ValueId => {
    const known = constants.get(value);
    if (known !== undefined) return known;
    const fresh = add({ op: "constant", value }, []);
    constants.set(value, fresh);
    return fresh;
  };
  const operand = (value: ValueId | NumberOperand): ValueId =>
    typeof value === "number" ? value : constant(value.number);

  return {
    add,
    weight: (weight) => weights.push(weight) - 1,
    shapeOf,
    nodeOf,
    input: (name, shape) => add({ op: "input", name }, shape),
    constant,
    unary: (kind, x) => add({ op: "unary", kind, x }, shapeOf(x)),
    binary(kind, x, y) {
      const [a, b] = [operand(x), operand(y)];
      return add({ op: "binary", kind, x: a, y: b }, broadcastShape(shapeOf(a), shapeOf(b)));
    },
    clip: (x, min, max) => add({ op: "clip", x, min, max }, shapeOf(x)),
    reduce: (kind, x) => add({ op: "reduce", kind, x }, [...shapeOf(x).slice(0, -1), 1]),
    reshape(x, shape) {
      const node = nodeOf(x);
      const source = node.op === "reshape" ? node.x : x;
      return sameShape(shapeOf(source), shape) ? source : add({ op: "reshape", x: source }, shape);
    },
    build: (outputs) => ({ nodes, weights, outputs }),
  };
}

/** Shape of an operation on two values, aligned at the last axis; lengths of 1 stretch. */
function broadcastShape(a: readonly number[], b: readonly number[]): readonly number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    return left === 1 ? right : left;
  });
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((length, axis) => length === b[axis]);
}

/** What a layer is turned into operations with. */
export interface LoweringContext {
  readonly builder: GraphBuilder;
  /** Adds (once) a layer's weight as it is, or in another shape of as many numbers. */
  weight(variable: tf.LayerVariable, shape?: readonly number[]): WeightId;
  /** Index of the parameter that a layer's weight is, for weights that are computed. */
  parameterOf(variable: tf.LayerVariable): number;
  /** Gathers the batch normalizations. */
  readonly norms: LoweredNorm[];
}

/** A batch normalization among the nodes: an affine operation that keeps what it was made from. */
export interface LoweredNorm {
  readonly node: ValueId;
  readonly layer: LayerFields;
  readonly channels: number;
  readonly epsilon: number;
  readonly scale: WeightId | null;
  readonly shift: WeightId | null;
}

/** A layer applied to values. */
export interface LayerUse {
  readonly layer: LayerFields;
  readonly className: string;
  readonly inputs: readonly ValueId[];
  /** The first input. */
  readonly x: ValueId;
  /** Shape of the layer's output as TF.js has worked it out, without the batch axis. */
  readonly outputShape: readonly number[];
}

/** Turns one class of layers into operations. */
export type LowerLayer = (context: LoweringContext, use: LayerUse) => ValueId;

/**
 * Thrown while a model is planned when there is something that the plan does not know; caught by
 * `planModel`, which then says so.
 */
export class UnsupportedError extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = "UnsupportedError";
  }
}

/** Throws unless `condition` holds. */
export function requireSupported(condition: boolean, reason: string): asserts condition {
  if (!condition) throw new UnsupportedError(reason);
}
