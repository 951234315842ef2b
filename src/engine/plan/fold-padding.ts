import { prune } from "./fold-batch-norm.js";
import { type Graph, type GraphNode, inputsOf, type Padding, type ValueId } from "./graph.js";

/** Moves zeros around images into the convolutions that follow, where these alone use them and add none. */
export function foldPadding(graph: Graph): Graph {
  const nodes = graph.nodes.map((node): GraphNode => {
    if (node.op !== "conv2d" && node.op !== "depthwiseConv2d") return node;
    const before = graph.nodes[node.x] as GraphNode;
    if (before.op !== "pad" || !isEmpty(node.window.padding) || !hasOneUser(graph, node.x)) return node;
    return { ...node, x: before.x, window: { ...node.window, padding: before.padding } };
  });
  return prune({ ...graph, nodes });
}

/** Whether a window adds nothing around the image. */
export function isEmpty({ top, bottom, left, right }: Padding): boolean {
  return top === 0 && bottom === 0 && left === 0 && right === 0;
}

function hasOneUser({ nodes }: Graph, value: ValueId): boolean {
  return nodes.filter((node) => inputsOf(node).includes(value)).length === 1;
}
