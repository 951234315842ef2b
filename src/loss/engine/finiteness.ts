import { setImmediate } from "node:timers/promises";
import { nonFiniteRows } from "../resident-samples.js";
import type { DataColumns, GraphEngine, GraphProgram, ProgramBatches } from "./graph-program.js";
import { auditGraph, boundValues, largestColumnSum, largestOf, networkNodes } from "./plan/audit-graph.js";
import { type GraphWeight, sizeOf } from "./plan/graph.js";
import { interpretSample } from "./plan/interpret-graph.js";
import { type ModelPlan, weightsAt } from "./plan/plan-model.js";
import { allOutputs } from "./plane-evaluation.js";

/**
 * Says at which samples a network's values overflow float32, or are NaN, whatever an engine makes of them.
 *
 * The one definition of where there is no loss: a NaN anywhere in the network, or a sum or product of finite numbers
 * beyond float32. Engines hide both: pools pass over NaN, ReLU and clipping turn it into a number on WebAssembly.
 * Infinite weights are followed in float64 arithmetic; −∞ in front of a ReLU is 0, and finite.
 *
 * Cost: where sizes of data and weights exclude an overflow, one look at each weight. Otherwise one more forward
 * pass on the engine, or, where a weight is infinite, in plain JavaScript until the first NaN.
 */
export interface Finiteness {
  /** Whether every sample has a value at θ. */
  isFinite(theta: Float32Array, signal?: AbortSignal): Promise<boolean>;
  /** 1 for each sample without a value at θ, in the order of the data; null where all have one. */
  gaps(theta: Float32Array, signal?: AbortSignal): Promise<Uint8Array | null>;
  /** Returns a quick test that excludes an overflow at points of a plane, by coordinates alone; null: none. */
  plane(
    center: Float32Array,
    vectors: readonly Float32Array[],
  ): ((alpha: number, beta: number) => boolean) | null;
  dispose(): void;
}

/** What finiteness is told from. */
export interface FinitenessParts {
  readonly plan: ModelPlan;
  /** Runs the audit. */
  readonly engine: GraphEngine;
  readonly data: DataColumns;
  readonly batchSize: number;
}

/** Values that stay below it are far from the largest float32, 3.4e38, however they are added up. */
const LIMIT = 1e36;
/** How much larger than its mean in the samples a value may be. */
const SLACK = 1e6;
const LARGEST_FLOAT32 = 3.4028234663852886e38;
/** Milliseconds of plain JavaScript between two looks at the event loop. */
const LONGEST_STRETCH = 20;

/** An audit that found every value finite. */
interface Seen {
  readonly marked: readonly number[];
  /** Largest mean absolute value of a sample, by marked node. */
  readonly means: Float64Array;
  /** Bounds at that point, by node. */
  readonly bounds: Float64Array;
}

/** Sizes of a graph's weights at a point. */
interface WeightSizes {
  readonly largest: (weight: number) => number;
  readonly absoluteSum: (weight: number) => number;
}

/** Creates the test for a model and its data. */
export function createFiniteness({ plan, engine, data, batchSize }: FinitenessParts): Finiteness {
  const { graph, raw, totals } = plan;
  const network = networkNodes(graph, totals);
  const used = network.flatMap((id) => weightsOf(graph.nodes[id] as (typeof graph.nodes)[0]));
  const badRows = rowsWithGaps(data);
  const inputs = new Map(data.columns.map(({ name, values }) => [name, largestFinite(values)]));
  const bound = (sizes: WeightSizes) =>
    boundValues(graph, network, { input: (name) => inputs.get(name) ?? 0, ...sizes });
  const isBelow = (bounds: Float64Array) => network.every((id) => (bounds[id] as number) < LIMIT);
  let seen: Seen | undefined;
  let audit: Audit | undefined;

  /** Whether values are far from an overflow; null: a weight is NaN, and somebody else's concern. */
  const excludes = (weights: readonly Float32Array[]): boolean | null => {
    const largest = weights.map(largestOf);
    if (used.some((weight) => Number.isNaN(largest[weight]))) return null;
    const sizeAt = (weight: number) => largest[weight] as number;
    if (isBelow(bound({ largest: sizeAt, absoluteSum: (w) => sizeAt(w) * fanIn(graph.weights[w]) })))
      return true;
    const bounds = bound({
      largest: sizeAt,
      absoluteSum: (w) => largestColumnSum(weights[w] as Float32Array, columnsOf(graph.weights[w])),
    });
    if (isBelow(bounds)) return true;
    return seen !== undefined && isNear(bounds, seen);
  };
  const hasInfinity = (weights: readonly Float32Array[]) =>
    used.some((weight) => largestOf(weights[weight] as Float32Array) === Number.POSITIVE_INFINITY);

  const audited = async (theta: Float32Array, signal: AbortSignal | undefined): Promise<Uint8Array> => {
    const weights = weightsAt(graph, plan.reader(theta));
    audit ??= await createAudit(engine, plan, network, data, batchSize);
    const { gaps, means } = await audit.run(theta, signal);
    if (gaps.every((gap) => gap === 0)) {
      const sizeAt = (w: number) => largestOf(weights[w] as Float32Array);
      const absoluteSum = (w: number) =>
        largestColumnSum(weights[w] as Float32Array, columnsOf(graph.weights[w]));
      seen = { marked: audit.marked, means, bounds: bound({ largest: sizeAt, absoluteSum }) };
    }
    return gaps;
  };

  const interpreted = async (
    theta: Float32Array,
    rows: readonly number[],
    stopsAtFirst: boolean,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array> => {
    const nodes = networkNodes(raw, totals);
    const weights = weightsAt(raw, plan.reader(theta));
    const gaps = new Uint8Array(data.samples);
    let begin = performance.now();
    for (const row of rows) {
      if (performance.now() - begin > LONGEST_STRETCH) {
        await setImmediate();
        signal?.throwIfAborted();
        begin = performance.now();
      }
      const input = (name: string) => rowOf(data, name, row);
      interpretSample({ graph: raw, weights, input }, nodes, (_id, value) => {
        if (value.some(isGap)) gaps[row] = 1;
        return gaps[row] === 0;
      });
      if (stopsAtFirst && gaps[row] === 1) break;
    }
    return gaps;
  };

  const find = async (
    theta: Float32Array,
    stopsAtFirst: boolean,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array | null> => {
    const weights = weightsAt(graph, plan.reader(theta));
    const isExcluded = excludes(weights);
    if (isExcluded === null) return null;
    const isInfinite = hasInfinity(weights);
    const some = badRows.length === 0 ? null : await interpreted(theta, badRows, stopsAtFirst, signal);
    if (stopsAtFirst && some?.includes(1)) return some;
    if (isExcluded) return some;
    if (isInfinite) {
      const rows = Array.from({ length: data.samples }, (_, i) => i);
      return interpreted(theta, rows, stopsAtFirst, signal);
    }
    const gaps = await audited(theta, signal);
    for (const row of badRows) gaps[row] = some?.[row] ?? 0;
    return gaps;
  };
  return {
    isFinite: async (theta, signal) => !((await find(theta, true, signal))?.includes(1) ?? false),
    async gaps(theta, signal) {
      const gaps = await find(theta, false, signal);
      return gaps?.includes(1) ? gaps : null;
    },
    plane(center, vectors) {
      if (badRows.length > 0 || graph.weights.some(({ parameter }) => parameter === null)) return null;
      const sizes = [center, ...vectors].map((theta, i) =>
        weightsAt(graph, plan.reader(theta, i === 0 ? "kept" : "zero")).map(largestOf),
      );
      return (alpha, beta) => {
        const by = [1, Math.abs(alpha), Math.abs(beta)];
        const largest = (w: number) =>
          sizes.reduce((sum, own, i) => sum + (own[w] as number) * (by[i] ?? 0), 0);
        return isBelow(bound({ largest, absoluteSum: (w) => largest(w) * fanIn(graph.weights[w]) }));
      };
    },
    dispose() {
      audit?.dispose();
      audit = undefined;
    },
  };
}

/** An overflow to numbers beyond float32 counts; an infinity itself has come from an infinite weight. */
function isGap(value: number): boolean {
  return (
    Number.isNaN(value) || (Math.abs(value) > LARGEST_FLOAT32 && Math.abs(value) !== Number.POSITIVE_INFINITY)
  );
}

function weightsOf(node: ModelPlan["graph"]["nodes"][0]): number[] {
  const fields = node as {
    kernel?: number;
    bias?: number | null;
    scale?: number;
    shift?: number;
    weight?: number;
  };
  const { kernel, bias, scale, shift, weight } = fields;
  return [kernel, bias, scale, shift, weight].filter((id) => id !== undefined && id !== null);
}

/** Outputs of a kernel: (in, multiplier) pairs of a depthwise one would be more, and their sums smaller. */
function columnsOf(weight: GraphWeight | undefined): number {
  return weight?.shape.at(-1) ?? 1;
}

function fanIn(weight: GraphWeight | undefined): number {
  return sizeOf(weight?.shape.slice(0, -1) ?? []);
}

/** Whether values have grown so little since an audit that they cannot have overflown. */
function isNear(bounds: Float64Array, seen: Seen): boolean {
  return seen.marked.every((id, i) => {
    const growth = Math.max(1, (bounds[id] as number) / (seen.bounds[id] as number));
    return Math.max(seen.means[i] as number, 1) * growth * SLACK < LIMIT;
  });
}

function largestFinite(values: Float32Array): number {
  let largest = 0;
  for (let i = 0; i < values.length; i++) {
    const value = Math.abs(values[i] as number);
    if (value > largest && value !== Number.POSITIVE_INFINITY) largest = value;
  }
  return largest;
}

function rowsWithGaps({ columns }: DataColumns): number[] {
  const inputs = columns.filter(({ name }) => name.startsWith("x"));
  const rows = new Set(inputs.flatMap(({ values, shape }) => nonFiniteRows(values, sizeOf(shape))));
  return [...rows].sort((a, b) => a - b);
}

function rowOf({ columns }: DataColumns, name: string, row: number): Float32Array {
  const column = columns.find((one) => one.name === name) as DataColumns["columns"][0];
  const size = sizeOf(column.shape);
  return column.values.subarray(row * size, (row + 1) * size);
}

/** The audit's program with its data. */
interface Audit {
  readonly marked: readonly number[];
  /** Which samples have a gap, and the largest mean absolute value of each marked node. */
  run(
    theta: Float32Array,
    signal: AbortSignal | undefined,
  ): Promise<{ gaps: Uint8Array; means: Float64Array }>;
  dispose(): void;
}

async function createAudit(
  engine: GraphEngine,
  plan: ModelPlan,
  network: readonly number[],
  data: DataColumns,
  batchSize: number,
): Promise<Audit> {
  const { graph, marked } = auditGraph(plan.graph, network);
  const program: GraphProgram = await engine.compile(graph);
  const batches: ProgramBatches = program.cut(data, batchSize);
  const width = marked.length;
  return {
    marked,
    async run(theta, signal) {
      await program.setWeights(weightsAt(graph, plan.reader(theta)));
      const gaps = new Uint8Array(data.samples);
      const means = new Float64Array(width);
      await allOutputs(batches, signal, (output, offset) => {
        output.forEach((mean, i) => {
          if (!(mean <= LARGEST_FLOAT32)) gaps[Math.floor((offset + i) / width)] = 1;
          else means[i % width] = Math.max(means[i % width] as number, mean);
        });
      });
      return { gaps, means };
    },
    dispose() {
      batches.dispose();
      program.dispose();
    },
  };
}
