import { setImmediate } from "node:timers/promises";
import { betweenBatches } from "../evaluate-at.js";
import type { LossValue, PlaneVectors } from "../loss-evaluator.js";
import type { ScorePlan } from "../loss-plan.js";
import type {
  DataColumn,
  DataColumns,
  GraphEngine,
  ProgramBatches,
  VariableValues,
} from "./graph-program.js";
import {
  type Graph,
  type GraphNode,
  inputsOf,
  largestResult,
  sizeOf,
  type ValueId,
  withInputs,
} from "./plan/graph.js";
import { type ModelPlan, type PlannedTotal, weightsAt } from "./plan/plan-model.js";
import { foldBatchNorm, prune } from "./plan/simplify-graph.js";

/**
 * A graph cut behind its first dense layer. That layer's outputs are linear in its weights, so that on a
 * plane θ* + α·dx + β·dy they are h0 + α·hx + β·hy, with h0, hx and hy the outputs at θ*, dx and dy.
 */
export interface FirstLinearCut {
  /** Gives the layer's outputs for each sample, from the graph's own inputs. */
  readonly before: Graph;
  /**
   * Same outputs as the graph, computed from `h` = [h0, hx, hy] (outputs of the first layer at θ*, dx and dy) and
   * `place` = (1, α, β).
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

/**
 * Runs a program on every batch and adds up its outputs in float64.
 *
 * @throws the signal's reason once it is aborted, after at most one more batch.
 */
export async function sumBatches(
  batches: ProgramBatches,
  length: number,
  variables: VariableValues | undefined,
  signal: AbortSignal | undefined,
): Promise<Float64Array> {
  const sums = new Float64Array(length);
  for (let batch = 0; batch < batches.count; batch++) {
    signal?.throwIfAborted();
    const totals = await batches.run(batch, variables);
    for (let i = 0; i < length; i++) sums[i] = (sums[i] as number) + (totals[i] as number);
    await betweenBatches(signal);
  }
  // An engine may compute within the call: without this, timers would starve from point to point.
  await setImmediate();
  return sums;
}

/**
 * Runs a program on every batch and hands over its outputs.
 *
 * @param take - gets each output and the position of its first number among all.
 * @throws the signal's reason once it is aborted, after at most one more batch.
 */
export async function allOutputs(
  batches: ProgramBatches,
  signal: AbortSignal | undefined,
  take: (output: Float32Array, offset: number) => void,
): Promise<void> {
  let offset = 0;
  for (let batch = 0; batch < batches.count; batch++) {
    signal?.throwIfAborted();
    const output = await batches.run(batch);
    take(output, offset);
    offset += output.length;
    await betweenBatches(signal);
  }
  await setImmediate();
}

/** Means over an evaluation set from totals over all of its samples. */
export function valueOfTotals(
  scores: ScorePlan,
  planned: readonly PlannedTotal[],
  totals: Float64Array,
  samples: number,
): LossValue {
  const means = planned.map(({ elements }, i) => (totals[i] as number) / (samples * elements));
  const find = (kind: PlannedTotal["kind"], index: number): number | null => {
    const place = planned.findIndex((total) => total.kind === kind && total.index === index);
    return place === -1 ? null : (means[place] as number);
  };
  // A prediction that is NaN makes the sample's loss and metrics NaN, whatever the formulas make of it.
  const withGap = (mean: number, output: number) => (find("gap", output) === 0 ? mean : Number.NaN);
  // Nor has a metric a value where the loss has none.
  const losses = scores.losses.map((_, output) => withGap(find("loss", output) as number, output));
  const metrics = scores.metrics.map(({ name, apply, output }, i) => {
    const loss = losses[output] as number;
    const own = apply === null || Number.isNaN(loss) ? loss : (find("metric", i) as number);
    return [name, own] as const;
  });
  return {
    loss: losses.reduce((a, b) => a + b, 0),
    metrics: Object.fromEntries(metrics),
    clippedShare: find("clipped", 0),
    cappedShare: find("capped", 0),
  };
}

/** Computes losses on one plane. */
export interface PlaneEvaluation {
  /** `theta` is θ* + alpha·dx + beta·dy, for the weights behind the first layer. */
  evaluate(theta: Float32Array, alpha: number, beta: number, signal?: AbortSignal): Promise<LossValue>;
  dispose(): void;
}

/** What a plane is evaluated with. */
export interface PlaneParts {
  readonly engine: GraphEngine;
  readonly plan: ModelPlan;
  readonly scores: ScorePlan;
  readonly data: DataColumns;
  readonly batchSize: number;
}

/** Most bytes of first-layer outputs that are kept (512 MiB). */
const LARGEST_CACHE = 2 ** 29;
/** Bytes of a core's second-level cache, 1 to 2 MiB in processors of today. */
const CORE_CACHE = 2 ** 20;
/** A batch's totals are summed in float32, of which more samples would cost digits. */
const LARGEST_BATCH = 4096;
/** The first layer must save so many multiplications for each number that is read back instead. */
const LEAST_GAIN = 64;

/**
 * Computes the first dense layer's outputs once, at θ*, dx and dy; points then combine them. Returns null if
 * the graph has no such layer, or would be read from memory more slowly than it is computed.
 */
export async function createPlaneEvaluation(
  parts: PlaneParts,
  plane: PlaneVectors,
  signal: AbortSignal | undefined,
): Promise<PlaneEvaluation | null> {
  const { engine, plan, scores, data, batchSize } = parts;
  const cut = cutFirstLinear(plan.raw);
  if (cut === null || !isWorthwhile(cut, data.samples, engine)) return null;
  if (hasNaN(plane.center) || plane.vectors.some(hasNaN)) return null;
  const graph = foldBatchNorm(cut.after);
  const rows = rowsInCache(graph, batchSize, data.samples);
  const first = await firstOutputs(parts, cut, plane, rows, signal);
  const targets = data.columns.filter(({ name }) => !name.startsWith("x"));
  const program = await engine.compile(graph);
  const batches = program.cut({ samples: data.samples, columns: [first, ...targets] }, rows);
  return {
    async evaluate(theta, alpha, beta, signal) {
      await program.setWeights(weightsAt(graph, plan.reader(theta)));
      const totals = await sumBatches(batches, plan.totals.length, { place: [1, alpha, beta] }, signal);
      return valueOfTotals(scores, plan.totals, totals, data.samples);
    },
    dispose() {
      batches.dispose();
      program.dispose();
    },
  };
}

/**
 * Samples in a batch of what is left of the network: as many as keep the largest value that lies between its
 * operations within a core's cache, in equal batches, for larger ones spare calls.
 */
function rowsInCache(graph: Graph, batchSize: number, samples: number): number {
  const most = Math.min(Math.floor(CORE_CACHE / (4 * largestResult(graph))), LARGEST_BATCH);
  const batches = Math.ceil(samples / Math.max(most, batchSize));
  return Math.ceil(samples / batches);
}

function isWorthwhile({ shape, saved }: FirstLinearCut, samples: number, { name }: GraphEngine): boolean {
  const numbers = 3 * sizeOf(shape);
  // WebAssembly's products keep a copy of their matrix, in the order in which they read it.
  const bytes = 4 * numbers * samples * (name === "tfjs-fused" ? 2 : 1);
  return saved >= LEAST_GAIN * numbers && bytes <= LARGEST_CACHE;
}

function hasNaN(values: Float32Array): boolean {
  return values.some((value) => Number.isNaN(value));
}

/** The first layer's outputs at θ*, dx and dy, as the parts of one column that is to be cut into batches of `rows`. */
async function firstOutputs(
  { engine, plan, data, batchSize }: PlaneParts,
  { before, shape }: FirstLinearCut,
  { center, vectors }: PlaneVectors,
  rows: number,
  signal: AbortSignal | undefined,
): Promise<DataColumn> {
  const program = await engine.compile(before);
  const batches = program.cut(data, batchSize);
  const zero = new Float32Array(center.length);
  const size = sizeOf(shape);
  const values = new Float32Array(3 * size * data.samples);
  const readers = [
    plan.reader(center),
    plan.reader(vectors[0] ?? zero, "zero"),
    plan.reader(vectors[1] ?? zero, "zero"),
  ];
  try {
    for (const [part, read] of readers.entries()) {
      await program.setWeights(weightsAt(before, read));
      await allOutputs(batches, signal, (output, offset) => {
        for (let at = 0; at < output.length; at += size) {
          const place = placeInBatch(offset / size + at / size, part, data.samples, rows);
          values.set(output.subarray(at, at + size), place * size);
        }
      });
    }
    return { name: "h", shape: [3 * size], values };
  } finally {
    batches.dispose();
    program.dispose();
  }
}

/** Where a sample's part lies, in units of a part: the batches before, the parts before in its own, the samples before. */
function placeInBatch(sample: number, part: number, samples: number, rows: number): number {
  const start = sample - (sample % rows);
  return 3 * start + part * Math.min(rows, samples - start) + (sample - start);
}
