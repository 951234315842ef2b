import {
  type Graph,
  type GraphNode,
  type GraphWeight,
  inputsOf,
  type Padding,
  type ParameterReader,
  type ValueId,
  withInputs,
} from "./graph.js";
import { windowResult } from "./lower-convolution.js";

type Linear = Extract<GraphNode, { op: "conv2d" | "depthwiseConv2d" | "dense" }>;
type Affine = Extract<GraphNode, { op: "affine" }>;

/**
 * Moves every batch normalization that follows a convolution or dense layer into its weights: the kernel's
 * output channels times scale, bias times scale plus shift, computed in float64 at each point.
 *
 * Layers whose result is also used elsewhere, and those in `keep`, stay as they are.
 */
export function foldBatchNorm(graph: Graph, keep: ReadonlySet<ValueId> = new Set()): Graph {
  const weights = [...graph.weights];
  const uses = countUses(graph);
  const nodes: GraphNode[] = [];
  graph.nodes.forEach((node, id) => {
    const linear = node.op === "affine" ? nodes[node.x] : undefined;
    const isFoldable =
      node.op === "affine" &&
      linear !== undefined &&
      isLinear(linear) &&
      uses[node.x] === 1 &&
      !keep.has(node.x);
    nodes[id] = isFoldable ? foldedLinear(weights, linear, node) : node;
  });
  return prune({ ...graph, nodes, weights });
}

function isLinear(node: GraphNode): node is Linear {
  return node.op === "conv2d" || node.op === "depthwiseConv2d" || node.op === "dense";
}

function foldedLinear(weights: GraphWeight[], linear: Linear, affine: Affine): Linear {
  const kernel = weights[linear.kernel] as GraphWeight;
  const bias = linear.bias === null ? null : (weights[linear.bias] as GraphWeight);
  const scale = weights[affine.scale] as GraphWeight;
  const shift = weights[affine.shift] as GraphWeight;
  const name = `${kernel.name}*${scale.name}`;
  const foldedKernel: GraphWeight = {
    name,
    shape: kernel.shape,
    parameter: null,
    compute: (read) => timesChannels(kernel.compute(read), scale.compute(read)),
  };
  const foldedBias: GraphWeight = {
    name: `${name}/bias`,
    shape: shift.shape,
    parameter: null,
    compute: (read) => foldBias(read, bias, scale, shift),
  };
  return { ...linear, kernel: weights.push(foldedKernel) - 1, bias: weights.push(foldedBias) - 1 };
}

/** The output channels run fastest in every kernel layout of Keras, (in, multiplier) pairs too. */
function timesChannels(kernel: Float32Array, scale: Float32Array): Float32Array {
  const channels = scale.length;
  const folded = new Float32Array(kernel.length);
  for (let start = 0; start < kernel.length; start += channels) {
    for (let c = 0; c < channels; c++)
      folded[start + c] = (kernel[start + c] as number) * (scale[c] as number);
  }
  return folded;
}

function foldBias(
  read: ParameterReader,
  bias: GraphWeight | null,
  scale: GraphWeight,
  shift: GraphWeight,
): Float32Array {
  const offsets = shift.compute(read);
  if (bias === null) return offsets;
  const [values, factors] = [bias.compute(read), scale.compute(read)];
  return offsets.map((offset, c) => offset + (values[c] as number) * (factors[c] as number));
}

function countUses(graph: Graph): Int32Array {
  const uses = new Int32Array(graph.nodes.length);
  for (const node of graph.nodes) for (const input of inputsOf(node)) uses[input] = (uses[input] ?? 0) + 1;
  for (const output of graph.outputs) uses[output] = (uses[output] ?? 0) + 1;
  return uses;
}

/** Leaves out the nodes and weights that no output needs. */
export function prune(graph: Graph): Graph {
  const isNeeded = new Uint8Array(graph.nodes.length);
  const pending = [...graph.outputs];
  for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
    if (isNeeded[id] === 1) continue;
    isNeeded[id] = 1;
    pending.push(...inputsOf(graph.nodes[id] as GraphNode));
  }
  const places = new Map<ValueId, ValueId>();
  const weightPlaces = new Map<number, number>();
  const weights: GraphWeight[] = [];
  const nodes: GraphNode[] = [];
  const placeOfWeight = (id: number): number => {
    const known = weightPlaces.get(id);
    if (known !== undefined) return known;
    const place = weights.push(graph.weights[id] as GraphWeight) - 1;
    weightPlaces.set(id, place);
    return place;
  };
  const placeOf = (id: ValueId): ValueId => places.get(id) as ValueId;
  graph.nodes.forEach((node, id) => {
    if (isNeeded[id] === 1) places.set(id, nodes.push(withInputs(node, placeOf, placeOfWeight)) - 1);
  });
  return { nodes, weights, outputs: graph.outputs.map(placeOf) };
}

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
