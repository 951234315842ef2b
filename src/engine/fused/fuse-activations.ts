import { type Graph, type GraphNode, inputsOf, type ValueId } from "../plan/graph.js";

/** What TF.js's fused operations apply to their result. */
export type FusedActivation = "linear" | "relu" | "relu6";

/** A node with the activation that is applied in it. */
export type FusedNode = GraphNode & { readonly activation: FusedActivation };

/** A node and where its value goes. */
export interface FusedStep {
  readonly node: FusedNode;
  /** The value that is computed: the node's own, or that of the activation put into it. */
  readonly value: ValueId;
  /** Values that no later step uses. */
  readonly lastUses: readonly ValueId[];
}

const HOSTS: readonly GraphNode["op"][] = ["conv2d", "depthwiseConv2d", "dense"];

/** Puts ReLUs into the convolutions and products before them, and finds where each value is used last. */
export function fuseActivations({ nodes, outputs }: Graph): readonly FusedStep[] {
  const users = nodes.map(() => 0);
  for (const node of nodes) for (const id of inputsOf(node)) users[id] = (users[id] as number) + 1;
  /** What is put into the node before this one; "linear" where the node stays. */
  const activationOf = (node: GraphNode): FusedActivation => {
    if (node.op !== "unary" || (node.kind !== "relu" && node.kind !== "relu6")) return "linear";
    const host = nodes[node.x] as GraphNode;
    const isOnlyUser = users[node.x] === 1 && !outputs.includes(node.x);
    return HOSTS.includes(host.op) && isOnlyUser ? node.kind : "linear";
  };
  const steps: { node: FusedNode; value: ValueId }[] = [];
  nodes.forEach((node, value) => {
    const activation = activationOf(node);
    if (activation === "linear") steps.push({ node: { ...node, activation }, value });
    else {
      const [before] = inputsOf(node);
      const host = steps.find((step) => step.value === before) as (typeof steps)[0];
      host.node = { ...host.node, activation };
      host.value = value;
    }
  });
  const seen = new Set<ValueId>(outputs);
  const lastUses = steps.map((): ValueId[] => []);
  for (let i = steps.length - 1; i >= 0; i--) {
    for (const id of inputsOf((steps[i] as FusedStep).node)) {
      if (!seen.has(id)) lastUses[i]?.push(id);
      seen.add(id);
    }
  }
  return steps.map((step, i) => ({ ...step, lastUses: lastUses[i] as ValueId[] }));
}
