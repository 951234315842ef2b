import { type Graph, type GraphNode, inputsOf, sizeOf, type ValueId } from "./graph.js";
import type { PlannedTotal } from "./plan-model.js";
import { prune } from "./simplify-graph.js";

/** Returns the nodes that a model's outputs are computed from, in order: losses and metrics come behind them. */
export function networkNodes({ nodes, outputs }: Graph, totals: readonly PlannedTotal[]): ValueId[] {
  const packed = nodes[outputs[0] as ValueId] as GraphNode;
  const marks = packed.op === "pack" ? packed.xs.filter((_, i) => totals[i]?.kind === "gap") : [];
  const isUsed = new Uint8Array(nodes.length);
  // A gap is the total of what is NaN in an output.
  const pending = marks
    .flatMap((id) => inputsOf(nodes[id] as GraphNode))
    .flatMap((id) => inputsOf(nodes[id] as GraphNode));
  for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
    if (isUsed[id] === 1) continue;
    isUsed[id] = 1;
    pending.push(...inputsOf(nodes[id] as GraphNode));
  }
  return nodes.flatMap((_, id) => (isUsed[id] === 1 ? [id] : []));
}

/** A program that shows where values of a network are not finite. */
export interface AuditGraph {
  /** Gives for each sample a row of mean absolute values: NaN or infinite if any number is. */
  readonly graph: Graph;
  /** The nodes of the audited graph that the columns are of: those that can turn finite numbers into others. */
  readonly marked: readonly ValueId[];
}

/** Operations that add or multiply. */
function isArithmetic(node: GraphNode): boolean {
  switch (node.op) {
    case "conv2d":
    case "depthwiseConv2d":
    case "dense":
    case "affine":
      return true;
    case "binary":
      return ["add", "sub", "mul", "div"].includes(node.kind);
    case "unary":
      return node.kind === "exp";
    case "pool":
    case "globalPool":
      return node.kind === "mean";
    case "reduce":
      return node.kind === "sum" || node.kind === "mean";
    default:
      return false;
  }
}

/**
 * Returns the program that marks, sample by sample, which values of a network are not finite before anything can
 * hide them: ReLU, clipping and pools turn NaN into numbers on some engines.
 */
export function auditGraph(graph: Graph, network: readonly ValueId[]): AuditGraph {
  const marked = network.filter((id) => isArithmetic(graph.nodes[id] as GraphNode));
  const nodes: GraphNode[] = [...graph.nodes];
  const add = (node: GraphNode): ValueId => nodes.push(node) - 1;
  const columns = marked.map((x) => {
    const { shape } = nodes[x] as GraphNode;
    const sizes = add({ op: "unary", kind: "abs", x, shape });
    const isImage = shape.length === 3;
    const means = isImage ? add({ op: "globalPool", kind: "mean", x: sizes, shape: shape.slice(2) }) : sizes;
    const width = isImage ? (shape[2] as number) : sizeOf(shape);
    const flat = shape.length === 2 ? add({ op: "reshape", x: means, shape: [width] }) : means;
    return width === 1 ? flat : add({ op: "reduce", kind: "mean", x: flat, shape: [1] });
  });
  const rows = add({ op: "concat", xs: columns, axis: 0, shape: [columns.length] });
  return { graph: prune({ nodes, weights: graph.weights, outputs: [rows] }), marked };
}

/** What a graph's values cannot exceed is computed from. */
export interface BoundParts {
  /** Largest |x| in the data of an input. */
  readonly input: (name: string) => number;
  /** Largest |w| in a weight. */
  readonly largest: (weight: number) => number;
  /** Largest sum of |w| that one output of a kernel adds up, or more. */
  readonly absoluteSum: (weight: number) => number;
}

/**
 * Bounds the absolute values of nodes, in float64, from the sizes of data and weights alone: no sum of products is
 * larger than the largest value times the sum of the absolute weights.
 *
 * @param nodes - which nodes, in the graph's order, with all that they use.
 * @returns by node; NaN or infinity where a weight is not finite.
 */
export function boundValues(graph: Graph, nodes: readonly ValueId[], parts: BoundParts): Float64Array {
  const bounds = new Float64Array(graph.nodes.length);
  for (const id of nodes) bounds[id] = boundOf(graph.nodes[id] as GraphNode, bounds, graph, parts);
  return bounds;
}

function boundOf(
  node: GraphNode,
  bounds: Float64Array,
  graph: Graph,
  { input, largest, absoluteSum }: BoundParts,
): number {
  const of = (id: ValueId) => bounds[id] as number;
  switch (node.op) {
    case "input":
      return input(node.name);
    case "constant":
      return Math.abs(node.value);
    case "weight":
      return largest(node.weight);
    case "conv2d":
    case "depthwiseConv2d":
    case "dense":
      return of(node.x) * absoluteSum(node.kernel) + (node.bias === null ? 0 : largest(node.bias));
    case "affine":
      return of(node.x) * largest(node.scale) + largest(node.shift);
    case "unary":
      return boundOfUnary(node.kind, of(node.x));
    case "leakyRelu":
      return of(node.x) * Math.max(1, Math.abs(node.slope));
    case "clip":
      return Math.max(Math.abs(node.min), Math.abs(node.max));
    case "binary":
      switch (node.kind) {
        case "add":
        case "sub":
          return of(node.x) + of(node.y);
        case "mul":
          return of(node.x) * of(node.y);
        case "div":
          return boundOfQuotient(node.x, node.y, bounds, graph);
        case "maximum":
        case "minimum":
          return Math.max(of(node.x), of(node.y));
        default:
          return 1;
      }
    case "softmax":
      return 1;
    case "logSoftmax":
      return 2 * of(node.x) + Math.log(node.shape.at(-1) ?? 1);
    case "reduce":
      if (node.kind === "argMax") return node.shape.at(-1) ?? 1;
      return of(node.x) * (node.kind === "max" ? 1 : ((graph.nodes[node.x] as GraphNode).shape.at(-1) ?? 1));
    case "concat":
      return Math.max(...node.xs.map(of));
    case "pool":
    case "globalPool":
      // A mean is added up before it is divided.
      return node.kind === "max" ? of(node.x) : of(node.x) * pixelsOf(node, graph);
    default:
      return "x" in node ? of(node.x) : Number.POSITIVE_INFINITY;
  }
}

function pixelsOf(node: GraphNode & { op: "pool" | "globalPool" }, graph: Graph): number {
  if (node.op === "pool") return sizeOf(node.window.size);
  return sizeOf((graph.nodes[node.x] as GraphNode).shape.slice(0, 2));
}

function boundOfUnary(kind: string, x: number): number {
  switch (kind) {
    case "sigmoid":
    case "tanh":
    case "softsign":
    case "erf":
    case "isNaN":
      // NaN stays NaN.
      return x >= 0 ? 1 : x;
    case "relu6":
      return x >= 0 ? 6 : x;
    case "elu":
    case "selu":
      return 2 * Math.max(x, 1);
    case "softplus":
      return x + 1;
    case "exp":
      return Math.exp(x);
    case "log":
      return Number.POSITIVE_INFINITY;
    case "sqrt":
      return Math.max(x, 1);
    default:
      return x;
  }
}

/** Only layer normalization divides, by a root of a number plus ε². */
function boundOfQuotient(x: ValueId, y: ValueId, bounds: Float64Array, { nodes }: Graph): number {
  const divisor = nodes[y] as GraphNode;
  const radicand = divisor.op === "unary" && divisor.kind === "sqrt" ? nodes[divisor.x] : undefined;
  if (radicand?.op !== "binary" || radicand.kind !== "add") return Number.POSITIVE_INFINITY;
  const [least] = [radicand.x, radicand.y].flatMap((id) => {
    const node = nodes[id] as GraphNode;
    return node.op === "constant" ? [node.value] : [];
  });
  return least !== undefined && least > 0
    ? (bounds[x] as number) / Math.sqrt(least)
    : Number.POSITIVE_INFINITY;
}

/** Returns the largest absolute value; NaN where one is. */
export function largestOf(values: Float32Array): number {
  let largest = 0;
  for (let i = 0; i < values.length; i++) {
    const value = Math.abs(values[i] as number);
    if (!(value <= largest)) {
      if (Number.isNaN(value)) return value;
      largest = value;
    }
  }
  return largest;
}

/** Returns the largest sum of absolute values over the columns of a matrix of so many columns. */
export function largestColumnSum(values: Float32Array, columns: number): number {
  const sums = new Float64Array(columns);
  for (let i = 0; i < values.length; i += columns) {
    for (let c = 0; c < columns; c++) sums[c] = (sums[c] as number) + Math.abs(values[i + c] as number);
  }
  return sums.reduce((a, b) => (a > b || Number.isNaN(a) ? a : b), 0);
}
