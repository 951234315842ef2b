import { prune } from "./fold-batch-norm.js";
import { type Graph, type GraphNode, inputsOf, sizeOf, type ValueId, withInputs } from "./graph.js";

/**
 * A graph cut behind its first dense layer. That layer's outputs are linear in its weights, so that on a
 * plane θ* + α·dx + β·dy they are h0 + α·hx + β·hy, with h0, hx and hy the outputs at θ*, dx and dy.
 */
export interface FirstLinearCut {
  /** Gives the layer's outputs for each sample, from the graph's own inputs. */
  readonly before: Graph;
  /**
   * Gives what the graph gives, from the input `h`, which has h0, hx and hy as its parts, and the variable `place`,
   * which is (1, α, β).
   */
  readonly after: Graph;
  /** Shape of the layer's outputs. */
  readonly shape: readonly number[];
  /** Multiplications per sample that are saved at each point. */
  readonly saved: number;
}

/**
 * Cuts a graph behind the dense layer that works on the input itself, or returns null if there is no such
 * layer, the input is used elsewhere too, or a layer before it has weights.
 */
export function cutFirstLinear(graph: Graph): FirstLinearCut | null {
  const inputs = graph.nodes.flatMap((node, id) =>
    node.op === "input" && node.name.startsWith("x") ? [id] : [],
  );
  const [input] = inputs;
  if (inputs.length !== 1 || input === undefined) return null;
  const first = onlyUser(graph, input);
  if (first === null) return null;
  const node = graph.nodes[first] as GraphNode;
  if (node.op !== "dense" || !isRaw(graph, node.kernel) || !isRaw(graph, node.bias)) return null;
  const { x, shape } = node;
  const saved = sizeOf(shape) * ((graph.nodes[x] as GraphNode).shape.at(-1) as number);
  const before = prune({ ...graph, outputs: [first] });
  return { before, after: prune(withCombination(graph, first, shape)), shape, saved };
}

/** Follows the input through reshapes to its one user. */
function onlyUser(graph: Graph, value: ValueId): ValueId | null {
  const users = graph.nodes.flatMap((node, id) => (inputsOf(node).includes(value) ? [id] : []));
  const [user] = users;
  if (users.length !== 1 || user === undefined) return null;
  return graph.nodes[user]?.op === "reshape" ? onlyUser(graph, user) : user;
}

/** A weight that is a parameter itself is linear in θ; one with batch normalization folded in is not. */
function isRaw(graph: Graph, weight: number | null): boolean {
  return weight === null || graph.weights[weight]?.parameter !== null;
}

/** Puts h0 + α·hx + β·hy in the place of a node. */
function withCombination(graph: Graph, place: ValueId, shape: readonly number[]): Graph {
  const front: GraphNode[] = [];
  const add = (node: GraphNode): ValueId => front.push(node) - 1;
  const x = add({ op: "input", name: "h", shape: [3 * sizeOf(shape)] });
  const factors = add({ op: "variable", name: "place", shape: [3] });
  const sum = add({ op: "combine", x, factors, shape });
  const moved = (id: ValueId): ValueId => (id === place ? sum : id + front.length);
  const nodes = graph.nodes.map((node) => withInputs(node, moved, (weight) => weight));
  return { nodes: [...front, ...nodes], weights: graph.weights, outputs: graph.outputs.map(moved) };
}
