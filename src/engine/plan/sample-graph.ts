import { foldBatchNorm } from "./fold-batch-norm.js";
import type { Graph, GraphNode, ValueId } from "./graph.js";
import type { ModelPlan } from "./plan-model.js";

/**
 * Returns the program that gives, for each sample by itself, what the plan adds up over a batch: rows with one
 * number for each of the plan's totals, as means over what a total counts of one sample (a gap: 1 if any).
 */
export function sampleGraph({ raw, totals }: Pick<ModelPlan, "raw" | "totals">): Graph {
  const nodes: GraphNode[] = [...raw.nodes];
  const add = (node: GraphNode): ValueId => nodes.push(node) - 1;
  const packed = nodes[raw.outputs[0]];
  const summed = packed.op === "pack" ? packed.xs.map((id) => nodes[id]) : [];
  const columns = summed.map((node, i) => {
    const { elements, kind } = totals[i];
    const x = node.op === "total" ? node.x : 0;
    const flat = nodes[x].shape.length === 1 ? x : add({ op: "reshape", x, shape: [elements] });
    if (elements === 1) return flat;
    return add({ op: "reduce", kind: kind === "gap" ? "max" : "mean", x: flat, shape: [1] });
  });
  const rows = add({ op: "concat", xs: columns, axis: 0, shape: [columns.length] });
  return foldBatchNorm({ nodes, weights: raw.weights, outputs: [rows] });
}
