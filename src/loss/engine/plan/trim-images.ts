import { isEmpty } from "./fold-batch-norm.js";
import { type Graph, type GraphNode, inputsOf, type ValueId } from "./graph.js";
import { windowResult } from "./lower-convolution.js";

/** Height and width. */
type Size = readonly [number, number];

/**
 * Cuts images to the rows and columns that reach the output: pools and strided convolutions without padding
 * leave out what does not fill a window, so that all before it need not be computed. The LeNet of 28×28
 * images uses 26×26 of them, and a sixth of its arithmetic is spared. The values stay exactly the same.
 *
 * Inputs become smaller; the engine's data have to be cut alike (top left corner).
 */
export function trimImages(graph: Graph): Graph {
  const needs = neededSizes(graph);
  const sizes: (Size | null)[] = [];
  const nodes: GraphNode[] = [];
  for (const [id, node] of graph.nodes.entries()) {
    const size = trimmedSize(node, needs[id] ?? null, sizes);
    if (size === undefined) return graph;
    sizes[id] = size;
    nodes[id] = size === null ? node : { ...node, shape: [...size, node.shape[2] as number] };
  }
  return { ...graph, nodes };
}

/** For each image, how much of it its users need; null for what is no image. */
function neededSizes({ nodes, outputs }: Graph): (Size | null)[] {
  const needs: (Size | null)[] = nodes.map((node) => (isImage(node) ? [0, 0] : null));
  const need = (value: ValueId, [height, width]: Size): void => {
    const known = needs[value];
    if (known) needs[value] = [Math.max(known[0], height), Math.max(known[1], width)];
  };
  for (const output of outputs) need(output, sizeOf(nodes[output] as GraphNode));
  for (let id = nodes.length - 1; id >= 0; id--) {
    const node = nodes[id] as GraphNode;
    const inputs = inputsOf(node);
    // A weight that is as large as the image (PReLU's) would have to be cut too.
    const isPlain = inputs.every((input) => nodes[input]?.op !== "weight");
    for (const input of inputs) {
      need(input, neededOf(node, needs[id] ?? null, nodes[input] as GraphNode, isPlain));
    }
  }
  return needs;
}

/** How much of an input is needed for so much of a result; all of it where that is not known. */
function neededOf(node: GraphNode, result: Size | null, input: GraphNode, isPlain: boolean): Size {
  const all = sizeOf(input);
  if (result === null) return all;
  if (isElementwise(node)) {
    return isPlain ? [Math.min(result[0], all[0]), Math.min(result[1], all[1])] : all;
  }
  if (!isWindow(node) || !isEmpty(node.window.padding)) return all;
  const { size, strides, dilations } = node.window;
  const along = (axis: 0 | 1) => (result[axis] - 1) * strides[axis] + (size[axis] - 1) * dilations[axis] + 1;
  return [along(0), along(1)];
}

/** Size of an image once its inputs are cut; null for what is no image, undefined where that cannot be. */
function trimmedSize(
  node: GraphNode,
  need: Size | null,
  sizes: readonly (Size | null)[],
): Size | null | undefined {
  if (need === null || node.op === "input") return need;
  const images = inputsOf(node)
    .map((input) => sizes[input] ?? null)
    .filter((size) => size !== null);
  const [first] = images;
  if (first === undefined) return sizeOf(node);
  if (images.some((size) => size.join() !== first.join())) return undefined;
  if (isElementwise(node)) return first;
  return isWindow(node) ? windowResult(first, node.window) : sizeOf(node);
}

type WindowNode = Extract<GraphNode, { op: "conv2d" | "depthwiseConv2d" | "pool" }>;

function isWindow(node: GraphNode): node is WindowNode {
  return node.op === "conv2d" || node.op === "depthwiseConv2d" || node.op === "pool";
}

function isElementwise({ op }: GraphNode): boolean {
  return op === "unary" || op === "clip" || op === "leakyRelu" || op === "affine" || op === "binary";
}

function isImage({ op, shape }: GraphNode): boolean {
  return shape.length === 3 && op !== "weight";
}

function sizeOf({ shape }: GraphNode): Size {
  return [shape[0] ?? 1, shape[1] ?? 1];
}
