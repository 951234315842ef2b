import * as tf from "@tensorflow/tfjs";
import type { KernelNode, Recording } from "../backend/record-kernels.js";
import { EvaluationError } from "../base/errors.js";
import { Dual, plus } from "./dual.js";
import { ELEMENTWISE_RULES } from "./rules/elementwise-rules.js";
import type { KernelRule } from "./rules/kernel-rule.js";
import { POOL_RULES } from "./rules/pool-rules.js";
import { PRODUCT_RULES } from "./rules/product-rules.js";
import { SHAPE_RULES } from "./rules/shape-rules.js";

/** The derivatives that are known, by TF.js's name of the kernel. */
const RULES: Readonly<Record<string, KernelRule>> = {
  ...ELEMENTWISE_RULES,
  ...SHAPE_RULES,
  ...PRODUCT_RULES,
  ...POOL_RULES,
};

/** Kernels whose results do not change with their inputs, but in steps. */
const STEPS: ReadonlySet<string> = new Set([
  "All",
  "Any",
  "ArgMax",
  "ArgMin",
  "Ceil",
  "Equal",
  "Floor",
  "Greater",
  "GreaterEqual",
  "IsFinite",
  "IsInf",
  "IsNan",
  "Less",
  "LessEqual",
  "LogicalAnd",
  "LogicalNot",
  "LogicalOr",
  "NotEqual",
  "OneHot",
  "OnesLike",
  "Round",
  "Sign",
  "Step",
  "ZerosLike",
]);

/** Names of the kernels with exact second derivatives, sorted. */
export function knownKernels(): readonly string[] {
  return Object.keys(RULES).sort();
}

/** What was recorded: the weights that move, the outputs of the network, and the loss (a scalar). */
export interface RecordedLoss {
  readonly loss: tf.Tensor;
  /** Where the network ends and the loss begins, for Gauss–Newton products; empty: nowhere. */
  readonly outputs: readonly tf.Tensor[];
}

/** First and second derivatives of a recorded loss, at the weights of the recording. */
export interface SecondOrder {
  readonly loss: tf.Tensor;
  /** Gradient by weight; null where the loss does not depend on it. */
  readonly gradient: readonly (tf.Tensor | null)[];
  /** Bytes that are held for further products. */
  bytes(): number;
  /** H·v by weight. `vector`: one tensor per weight; null stands for zeros. The results are the caller's. */
  hessianVector(vector: readonly (tf.Tensor | null)[]): (tf.Tensor | null)[];
  /** Jᵀ·H_z·J·v, z the outputs. */
  gaussNewtonVector(vector: readonly (tf.Tensor | null)[]): (tf.Tensor | null)[];
  dispose(): void;
}

/** A node of the part of a recording through which the loss depends on the weights. */
interface ActiveNode {
  readonly node: KernelNode;
  readonly rule: KernelRule;
  /** Names of the inputs that depend on the weights. */
  readonly active: ReadonlySet<string>;
  /** Whether it belongs to the network, not to the loss. */
  readonly isNetwork: boolean;
}

/**
 * Prepares exact second derivatives of a recorded loss: forward tangents, then a backward pass in dual numbers
 * (Pearlmutter's R-operator), kernel by kernel.
 *
 * The values of the forward and the backward pass are computed once and kept, so that each product costs about two
 * gradients. The recording is disposed with the result.
 *
 * @param weights - the variables, as they were given to `recordKernels`.
 * @throws {@link EvaluationError} naming a kernel without a verified derivative.
 * @see Pearlmutter 1994, Fast exact multiplication by the Hessian.
 */
export function secondOrder(
  recording: Recording<RecordedLoss>,
  weights: readonly tf.Variable[],
): SecondOrder {
  const { loss } = recording.result;
  try {
    const nodes = activeNodes(recording, weights);
    const adjoints = valueAdjoints(nodes, loss, recording);
    const product = (vector: readonly (tf.Tensor | null)[], isGaussNewton: boolean) => {
      const results: (tf.Tensor | null)[] = [];
      tf.tidy(() => {
        const tangents = forwardTangents(nodes, weights, vector);
        const moved = backwardTangents(nodes, adjoints, tangents, isGaussNewton);
        for (const { id } of weights) {
          const found = moved.get(id) ?? null;
          results.push(found === null ? null : tf.keep(found.clone()));
        }
      });
      return results;
    };
    return {
      loss,
      gradient: weights.map(({ id }) => adjoints.get(id) ?? null),
      bytes: recording.bytes,
      hessianVector: (vector) => product(vector, false),
      gaussNewtonVector: (vector) => product(vector, true),
      dispose: recording.dispose,
    };
  } catch (error) {
    recording.dispose();
    throw error;
  }
}

/** Returns the nodes on the way from the weights to the loss, in order; refuses what has no rule. */
function activeNodes(
  { nodes, result }: Recording<RecordedLoss>,
  weights: readonly tf.Variable[],
): ActiveNode[] {
  const depends = new Set(weights.map(({ id }) => id));
  const forward = nodes.flatMap((node) => {
    if (STEPS.has(node.kernel)) return [];
    const active = new Set(node.inputs.filter(({ id }) => depends.has(id)).map(({ name }) => name));
    if (active.size === 0 || isWhole(node)) return [];
    for (const { id } of node.outputs) depends.add(id);
    return [{ node, active }];
  });
  const reached = backFrom(forward, [result.loss.id]);
  const network = backFrom(
    forward,
    result.outputs.map(({ id }) => id),
  );
  return forward
    .filter(({ node }) => reached.has(node))
    .map(({ node, active }) => ({
      node,
      active,
      rule: ruleOf(node, active),
      isNetwork: network.has(node),
    }));
}

/** Whether a node gives whole numbers or marks, which do not move. */
function isWhole({ outputs }: KernelNode): boolean {
  return outputs.every(({ dtype }) => dtype !== "float32");
}

function backFrom(
  nodes: readonly { readonly node: KernelNode }[],
  ends: readonly number[],
): ReadonlySet<KernelNode> {
  const needed = new Set(ends);
  const found = new Set<KernelNode>();
  for (const { node } of [...nodes].reverse()) {
    if (!node.outputs.some(({ id }) => needed.has(id))) continue;
    found.add(node);
    for (const { id } of node.inputs) needed.add(id);
  }
  return found;
}

function ruleOf(node: KernelNode, active: ReadonlySet<string>): KernelRule {
  const rule = Object.hasOwn(RULES, node.kernel) ? (RULES[node.kernel] as KernelRule) : undefined;
  const refusal = rule === undefined ? "none" : (rule.refuses?.(node, active) ?? null);
  if (rule !== undefined && refusal === null) return rule;
  throw new EvaluationError(
    `curvature, kernel "${node.kernel}"`,
    "a verified second derivative",
    refusal ?? "none",
    { hint: 'for a smooth network, products: "differences" (--differences) is a checked fallback' },
  );
}

type Adjoints = ReadonlyMap<number, tf.Tensor>;

const constants = ({ node }: ActiveNode): Record<string, Dual> =>
  Object.fromEntries(node.inputs.map(({ name, tensor }) => [name, new Dual(tensor, null)]));

/** The ordinary backward pass, whose results are kept: the adjoint of each value by its tensor's id. */
function valueAdjoints(
  nodes: readonly ActiveNode[],
  loss: tf.Tensor,
  recording: Recording<RecordedLoss>,
): Adjoints {
  const adjoints = new Map<number, tf.Tensor>([[loss.id, recording.adopt(tf.onesLike(loss))]]);
  for (const one of [...nodes].reverse()) {
    const { node, rule, active } = one;
    const dy = node.outputs.map(({ id }) => adjoints.get(id) ?? null);
    if (dy.every((adjoint) => adjoint === null)) continue;
    tf.tidy(() => {
      const y = node.outputs.map((tensor) => new Dual(tensor, null));
      const duals = dy.map((adjoint) => (adjoint === null ? null : new Dual(adjoint, null)));
      const back = rule.backward(node, constants(one), y, duals);
      for (const { id, name } of node.inputs) {
        if (!active.has(name)) continue;
        const own = (back[name] as () => Dual)().value;
        adjoints.set(id, recording.adopt(plus(adjoints.get(id) ?? null, own) as tf.Tensor));
      }
    });
  }
  return adjoints;
}

type Tangents = Map<number, tf.Tensor>;

function forwardTangents(
  nodes: readonly ActiveNode[],
  weights: readonly tf.Variable[],
  vector: readonly (tf.Tensor | null)[],
): Tangents {
  const tangents: Tangents = new Map();
  weights.forEach(({ id }, i) => {
    const own = vector[i] ?? null;
    if (own !== null) tangents.set(id, own);
  });
  for (const { node, rule } of nodes) {
    if (!node.inputs.some(({ id }) => tangents.has(id))) continue;
    const moved = rule.forward(node, dualInputs(node, tangents), node.outputs);
    moved.forEach((tangent, i) => {
      if (tangent !== null) tangents.set((node.outputs[i] as tf.Tensor).id, tangent);
    });
  }
  return tangents;
}

function dualInputs(node: KernelNode, tangents: Tangents): Record<string, Dual> {
  return Object.fromEntries(
    node.inputs.map(({ name, id, tensor }) => [name, new Dual(tensor, tangents.get(id) ?? null)]),
  );
}

/**
 * The tangents of all adjoints. For a Gauss–Newton product the network counts as linear: only what changes in the
 * adjoints of its outputs goes back through it.
 */
function backwardTangents(
  nodes: readonly ActiveNode[],
  adjoints: Adjoints,
  tangents: Tangents,
  isGaussNewton: boolean,
): Tangents {
  const moved: Tangents = new Map();
  for (const one of [...nodes].reverse()) {
    const { node, rule, active, isNetwork } = one;
    const isLinear = isGaussNewton && isNetwork;
    const dy = node.outputs.map(({ id }) => {
      const value = adjoints.get(id);
      return value === undefined ? null : new Dual(value, moved.get(id) ?? null);
    });
    const isStill = isLinear || !node.inputs.some(({ id }) => tangents.has(id));
    if (dy.every((adjoint) => adjoint === null || adjoint.tangent === null) && isStill) continue;
    const y = node.outputs.map(
      (tensor) => new Dual(tensor, isLinear ? null : (tangents.get(tensor.id) ?? null)),
    );
    const back = rule.backward(node, isLinear ? constants(one) : dualInputs(node, tangents), y, dy);
    for (const { id, name } of node.inputs) {
      if (!active.has(name)) continue;
      const tangent = plus(moved.get(id) ?? null, (back[name] as () => Dual)().tangent);
      if (tangent !== null) moved.set(id, tangent);
    }
  }
  return moved;
}
