import { type Graph, type GraphNode, type LoweredNorm, type ValueId, withInputs } from "./graph.js";
import { foldPadding, prune } from "./simplify-graph.js";

/** A program that gives the statistics of a network's batch normalizations over a batch. */
export interface CalibrationGraph {
  /** Its output packs mean and variance of each normalization, one after another. */
  readonly graph: Graph;
  /** The normalizations in that order; one that is used twice is there twice. */
  readonly norms: readonly LoweredNorm[];
}

/**
 * Returns the program in which every batch normalization normalizes by the mean and the biased variance of what it is
 * given: one forward pass over a batch then gives the statistics of all, each computed behind those before it.
 *
 * @param graph - the network before anything is folded or cut: statistics are over whole images.
 */
export function calibrationGraph(graph: Graph, norms: readonly LoweredNorm[]): CalibrationGraph {
  const byNode = new Map(norms.map((norm) => [norm.node, norm]));
  const nodes: GraphNode[] = [];
  const places: ValueId[] = [];
  const add = (node: GraphNode): ValueId => nodes.push(node) - 1;
  const moments: { readonly norm: LoweredNorm; readonly at: readonly [ValueId, ValueId] }[] = [];
  graph.nodes.forEach((node, id) => {
    const norm = byNode.get(id);
    if (norm === undefined || node.op !== "affine") {
      const placed = withInputs(
        node,
        (value) => places[value] as ValueId,
        (weight) => weight,
      );
      places[id] = add(placed);
      return;
    }
    const x = places[node.x] as ValueId;
    const channels = [node.shape.at(-1) as number];
    const mean = add({ op: "batchMean", x, shape: channels });
    const variance = add({ op: "batchVariance", x, mean, shape: channels });
    moments.push({ norm, at: [mean, variance] });
    const { epsilon, scale, shift } = norm;
    places[id] = add({ op: "standardize", x, mean, variance, epsilon, scale, shift, shape: node.shape });
  });
  const xs = moments.flatMap(({ at }) => at);
  const length = xs.reduce((sum, id) => sum + ((nodes[id] as GraphNode).shape[0] as number), 0);
  const packed = add({ op: "pack", xs, shape: [length] });
  const whole = prune({ nodes, weights: graph.weights, outputs: [packed] });
  return { graph: foldPadding(whole), norms: moments.map(({ norm }) => norm) };
}
