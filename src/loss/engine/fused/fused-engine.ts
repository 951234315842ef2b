import * as tf from "@tensorflow/tfjs";
import { currentBackend } from "../../../backend/current-backend.js";
import { tensorFlowThreads } from "../../../backend/native-package.js";
import { cutTensors, type GraphEngine, type GraphProgram } from "../graph-program.js";
import {
  type BinaryKind,
  type Graph,
  type GraphNode,
  type GraphWeight,
  inputsOf,
  type OpOf,
  type Padding,
  type UnaryKind,
  type ValueId,
  type WeightId,
} from "../plan/graph.js";

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

/** The tensors of a run. */
export interface FusedRun {
  /** By the name of an input or a variable. */
  readonly inputs: Readonly<Record<string, tf.Tensor>>;
  readonly weights: readonly tf.Tensor[];
  /** By node; what is needed no more has been disposed. */
  readonly values: readonly tf.Tensor[];
}

const unaryOps: Readonly<Record<UnaryKind, (x: tf.Tensor) => tf.Tensor>> = {
  relu: tf.relu,
  relu6: tf.relu6,
  elu: tf.elu,
  selu: tf.selu,
  sigmoid: tf.sigmoid,
  tanh: tf.tanh,
  softplus: tf.softplus,
  softsign: (x) => tf.div(x, tf.add(tf.abs(x), 1)),
  erf: tf.erf,
  exp: tf.exp,
  log: tf.log,
  abs: tf.abs,
  neg: tf.neg,
  sqrt: tf.sqrt,
  isNaN: (x) => asFloat(tf.isNaN(x)),
};

const binaryOps: Readonly<Record<BinaryKind, (x: tf.Tensor, y: tf.Tensor) => tf.Tensor>> = {
  add: tf.add,
  sub: tf.sub,
  mul: tf.mul,
  div: tf.div,
  maximum: tf.maximum,
  minimum: tf.minimum,
  greater: (x, y) => asFloat(tf.greater(x, y)),
  less: (x, y) => asFloat(tf.less(x, y)),
  equal: (x, y) => asFloat(tf.equal(x, y)),
};

/** Returns a node's value; tensors made on the way are the caller's to tidy. */
export function runNode(node: FusedNode, run: FusedRun): tf.Tensor {
  const value = (id: number) => run.values[id] as tf.Tensor;
  switch (node.op) {
    case "input":
    case "variable":
      return run.inputs[node.name] as tf.Tensor;
    case "constant":
      return tf.scalar(node.value);
    case "weight":
      return run.weights[node.weight] as tf.Tensor;
    case "conv2d":
    case "depthwiseConv2d":
      return convolution(node, node.activation, run);
    case "dense":
      return dense(node, node.activation, node.shape, run);
    case "affine":
      return tf.add(tf.mul(value(node.x), weightOf(run, node.scale)), weightOf(run, node.shift));
    case "batchMean":
      return batchMean(value(node.x));
    case "batchVariance":
      return batchMean(tf.squaredDifference(value(node.x), value(node.mean)));
    case "standardize": {
      const [scale, shift] = [node.scale, node.shift].map((id) =>
        id === null ? undefined : weightOf(run, id),
      );
      const statistics = [value(node.mean), value(node.variance)] as [tf.Tensor1D, tf.Tensor1D];
      return tf.batchNorm(
        value(node.x) as tf.Tensor4D,
        ...statistics,
        shift as tf.Tensor1D,
        scale as tf.Tensor1D,
        node.epsilon,
      );
    }
    case "pool":
      return pool(node, run);
    case "globalPool":
      return node.kind === "max" ? tf.max(value(node.x), [1, 2]) : tf.mean(value(node.x), [1, 2]);
    case "pad":
      return padded(value(node.x), node.padding);
    case "unary":
      return unaryOps[node.kind](value(node.x));
    case "leakyRelu":
      return tf.leakyRelu(value(node.x), node.slope);
    case "clip":
      return tf.maximum(tf.minimum(value(node.x), node.max), node.min);
    case "binary":
      return binaryOps[node.kind](value(node.x), value(node.y));
    case "softmax":
      return tf.softmax(value(node.x));
    case "logSoftmax":
      return tf.logSoftmax(value(node.x));
    case "reduce":
      return reduce(node, value(node.x));
    case "oneHot":
      return asFloat(tf.oneHot(tf.cast(value(node.x), "int32"), node.classes));
    case "concat":
      return joined(node.xs.map(value), node.axis + 1);
    case "combine": {
      const factors = value(node.factors);
      const matrix = tf.reshape(value(node.x), [factors.shape[1] as number, -1]);
      return tf.reshape(tf.matMul(factors, matrix), [-1, ...node.shape]);
    }
    case "reshape":
      return tf.reshape(value(node.x), [-1, ...node.shape]);
    case "permute":
      return tf.transpose(value(node.x), [0, ...node.axes.map((axis) => axis + 1)]);
    case "total":
      return tf.reshape(tf.sum(value(node.x)), [1]);
    case "pack":
      return joined(node.xs.map(value), 0);
  }
}

function asFloat(x: tf.Tensor): tf.Tensor {
  return tf.cast(x, "float32");
}

function weightOf(run: FusedRun, id: WeightId): tf.Tensor {
  return run.weights[id] as tf.Tensor;
}

/**
 * Mean over all axes but the last. As products: WebAssembly would first turn images round, and a single product adds up
 * too many numbers in float32.
 */
function batchMean(x: tf.Tensor): tf.Tensor {
  const channels = x.shape.at(-1) as number;
  const [samples, pixels] = [x.shape[0] as number, x.size / (x.shape[0] as number) / channels];
  const rows =
    pixels === 1
      ? tf.reshape(x, [samples, channels])
      : tf.reshape(
          tf.matMul(tf.fill([1, 1, pixels], 1 / pixels), tf.reshape(x, [samples, pixels, channels])),
          [samples, channels],
        );
  return tf.reshape(tf.matMul(tf.fill([1, samples], 1 / samples), rows as tf.Tensor2D), [channels]);
}

function padded(x: tf.Tensor, { top, bottom, left, right }: Padding): tf.Tensor {
  const none: [number, number] = [0, 0];
  return tf.pad(x, [none, [top, bottom], [left, right], none]);
}

/** TF.js has no operation for one value joined. */
function joined(values: readonly tf.Tensor[], axis: number): tf.Tensor {
  return values.length === 1 ? tf.clone(values[0] as tf.Tensor) : tf.concat([...values], axis);
}

function convolution(
  { op, x: from, kernel, bias, window }: OpOf<"conv2d" | "depthwiseConv2d">,
  activation: FusedActivation,
  run: FusedRun,
): tf.Tensor {
  const { padding, strides, dilations } = window;
  const isExplicit = padding.kind === "explicit";
  const own = run.values[from] as tf.Tensor;
  const options = {
    x: (isExplicit ? padded(own, padding) : own) as tf.Tensor4D,
    filter: weightOf(run, kernel) as tf.Tensor4D,
    strides: [...strides] as [number, number],
    dilations: [...dilations] as [number, number],
    pad: padding.kind === "same" ? ("same" as const) : ("valid" as const),
    activation,
    ...(bias === null ? {} : { bias: weightOf(run, bias) }),
  };
  return op === "conv2d" ? tf.fused.conv2d(options) : tf.fused.depthwiseConv2d(options);
}

/** Values of more axes are taken as a longer list of rows. */
function dense(
  { x: from, kernel, bias }: OpOf<"dense">,
  activation: FusedActivation,
  shape: readonly number[],
  run: FusedRun,
): tf.Tensor {
  const x = run.values[from] as tf.Tensor;
  const isMatrix = x.rank === 2;
  const a = isMatrix ? x : tf.reshape(x, [-1, x.shape.at(-1) as number]);
  const b = weightOf(run, kernel);
  const product = tf.fused.matMul({
    a,
    b,
    activation,
    ...(bias === null ? {} : { bias: weightOf(run, bias) }),
  });
  return isMatrix ? product : tf.reshape(product, [-1, ...shape]);
}

/** Padding does not count in means. */
function pool({ x: from, kind, window }: OpOf<"pool">, { values }: FusedRun): tf.Tensor {
  const x = values[from] as tf.Tensor4D;
  const apply = kind === "max" ? tf.maxPool : tf.avgPool;
  const pad = window.padding.kind === "same" ? "same" : "valid";
  return apply(x, [...window.size], [...window.strides], pad);
}

function reduce({ kind }: OpOf<"reduce">, x: tf.Tensor): tf.Tensor {
  if (kind === "sum") return tf.sum(x, -1, true);
  if (kind === "mean") return tf.mean(x, -1, true);
  if (kind === "max") return tf.max(x, -1, true);
  return asFloat(tf.expandDims(tf.argMax(x, -1), -1));
}

/**
 * Creates the engine that runs graphs with TF.js's own operations, convolutions and products fused with bias and
 * ReLU, on whatever backend is active: for machines that have neither the native backend nor ONNX Runtime.
 */
export function createFusedEngine(): GraphEngine {
  const backend = currentBackend().name;
  return {
    name: "tfjs-fused",
    backend,
    threads: backend === "native" ? tensorFlowThreads() : 0,
    compile: async (graph) => createProgram(graph),
  };
}

function createProgram(graph: Graph): GraphProgram {
  const steps = fuseActivations(graph);
  const columns = graph.nodes.flatMap((node) => (node.op === "input" ? [node.name] : []));
  const variables = graph.nodes.flatMap((node) => (node.op === "variable" ? [node.name] : []));
  let weights: tf.Tensor[] = [];
  const run = (inputs: Readonly<Record<string, tf.Tensor>>): Float32Array => {
    const output = tf.tidy(() => runSteps(steps, graph, inputs, weights));
    try {
      return output.dataSync() as Float32Array;
    } finally {
      output.dispose();
    }
  };
  return {
    cut: (data, batchSize) => cutTensors({ columns, variables }, data, batchSize, run),
    async setWeights(values) {
      tf.dispose(weights);
      weights = graph.weights.map(({ shape }: GraphWeight, i) =>
        tf.tensor(values[i] as Float32Array, [...shape], "float32"),
      );
    },
    dispose() {
      tf.dispose(weights);
      weights = [];
    },
  };
}

/** Runs the steps; each value is let go of behind its last use, so that memory stays warm and small. */
function runSteps(
  steps: readonly FusedStep[],
  graph: Graph,
  inputs: Readonly<Record<string, tf.Tensor>>,
  weights: readonly tf.Tensor[],
): tf.Tensor {
  const values: tf.Tensor[] = [];
  const isLent = (id: number): boolean => {
    const { op } = graph.nodes[id] as Graph["nodes"][0];
    return op === "input" || op === "variable" || op === "weight";
  };
  for (const { node, value, lastUses } of steps) {
    values[value] = tf.tidy(() => runNode(node, { inputs, weights, values }));
    for (const id of lastUses) if (!isLent(id)) values[id]?.dispose();
  }
  return values[graph.outputs[0] as number] as tf.Tensor;
}
