import { prune } from "./fold-batch-norm.js";
import { type Graph, type GraphNode, inputsOf, sizeOf, type ValueId } from "./graph.js";
import type { PlannedTotal } from "./plan-model.js";

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
